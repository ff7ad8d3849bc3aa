//! Where a camera's pictures come from: a device, a source of the configuration, a test pattern,
//! or what flows while no camera works; up to the frames as they are made there.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use super::super::MediaError;
use super::super::encoder::CameraEncoder;
use super::super::pipeline::{make, parse_source};
use super::CaptureConfig;
use super::mode::Wanted;
use super::own::{self, Offer};
use super::placeholder;
use super::v4l2::{self, Plug};
use super::video::{change_luma, side};
use crate::config::kiosk::{Camera, Rotation, VideoSource};

/// The elements up to the frames as the camera makes them.
pub(super) struct Front {
    pub(super) elements: Vec<gst::Element>,
    pub(super) format: Format,
    pub(super) own: Offer,
}

/// What the camera makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Raw,
    Jpeg,
    H264,
}

impl Front {
    fn raw(elements: Vec<gst::Element>, own: Offer) -> Self {
        Self {
            elements,
            format: Format::Raw,
            own,
        }
    }

    /// The elements up to frames that can be stills.
    pub(super) fn frames(mut self) -> Result<Vec<gst::Element>, MediaError> {
        if self.format == Format::H264 {
            self.elements.extend(own::decoding(None)?);
        }
        Ok(self.elements)
    }
}

/// A camera in the mode that the stream needs; in one of its own H.264 if `own` and it has one.
pub(super) fn source(
    config: &CaptureConfig,
    camera: &Camera,
    plug: &Plug,
    own: bool,
) -> Result<Front, MediaError> {
    let (width, height) = turned(config, camera.rotation);
    let (wide, high) = camera.at_least.unwrap_or_default();
    let wanted = Wanted {
        width: width.max(wide),
        height: height.max(high),
        fps: config.fps,
    };
    front(config, camera, wanted, plug, own)
}

/// Frames per second of a camera that is opened for a still: raw modes of full size are slow.
const STILL_FPS: u32 = 5;

/// A camera for a still: in a mode of the configured size, else in its largest, since nothing
/// has to be in time.
pub(super) fn largest(config: &CaptureConfig, camera: &Camera) -> Result<Front, MediaError> {
    let most = u32::from(u16::MAX);
    let (width, height) = camera.at_least.unwrap_or((most, most));
    let wanted = Wanted {
        width,
        height,
        fps: STILL_FPS,
    };
    front(config, camera, wanted, &Plug::default(), false)
}

fn front(
    config: &CaptureConfig,
    camera: &Camera,
    wanted: Wanted,
    plug: &Plug,
    own: bool,
) -> Result<Front, MediaError> {
    let makes_none = || Offer::Refused("it makes none".to_owned());
    match &camera.source {
        VideoSource::Test => {
            let pattern = test_pattern("smpte75", config.fps, camera.at_least)?;
            Ok(Front::raw(pattern, makes_none()))
        }
        VideoSource::Gst(description) => {
            let source = parse_source(description)?;
            if !ends_in_h264(&source) {
                return Ok(Front::raw(vec![source], makes_none()));
            }
            let own = match own {
                true => of_description(config, camera, description, &source)?,
                false => Offer::None,
            };
            Ok(Front {
                elements: vec![source],
                format: Format::H264,
                own,
            })
        }
        VideoSource::Auto | VideoSource::Device(_) | VideoSource::Name(_) => {
            v4l2::front(config, camera, wanted, plug, own)
        }
    }
}

fn ends_in_h264(source: &gst::Element) -> bool {
    let caps = source.static_pad("src").map(|pad| pad.query_caps(None));
    let is_h264 = |caps: gst::Caps| {
        let mut media = caps.iter().map(|format| format.name().as_str());
        !caps.is_any() && !caps.is_empty() && media.all(|media| media == "video/x-h264")
    };
    caps.is_some_and(is_h264)
}

/// The own H.264 of a source of the configuration.
fn of_description(
    config: &CaptureConfig,
    camera: &Camera,
    description: &str,
    source: &gst::Element,
) -> Result<Offer, MediaError> {
    if let Err(reason) = own::allowed(config, camera) {
        return Ok(Offer::Refused(reason));
    }
    let encoder = CameraEncoder::inside(source).map_err(|reason| MediaError::BadSource {
        description: description.to_owned(),
        reason,
    })?;
    Ok(Offer::of(config, description, || Ok(encoder)))
}

/// Width and height that the picture has before it is turned by `rotation`.
pub(super) fn turned(config: &CaptureConfig, rotation: Rotation) -> (u32, u32) {
    if rotation.lies_down() {
        (config.height, config.width)
    } else {
        (config.width, config.height)
    }
}

/// What flows while the camera is away.
pub(super) fn away(config: &CaptureConfig) -> Result<Front, MediaError> {
    let (width, height) = (config.width, config.height);
    let elements = test_pattern("black", config.fps, Some((width, height)))?;
    let text = match &config.cameras[..] {
        [camera] => format!("camera {} is away", camera.name),
        _ => "all cameras are away".to_owned(),
    };
    let luma = placeholder::luma(width, height, &["No picture", &text]);
    if let Some(last) = elements.last() {
        change_luma(last, move |_, plane, stride, width, _| {
            for (row, drawn) in plane.chunks_mut(stride).zip(luma.chunks(width)) {
                row[..width].copy_from_slice(drawn);
            }
        });
    }
    Ok(Front::raw(elements, Offer::None))
}

fn test_pattern(
    pattern: &str,
    fps: u32,
    size: Option<(u32, u32)>,
) -> Result<Vec<gst::Element>, MediaError> {
    let rate = gst::Fraction::new(i32::try_from(fps).unwrap_or(30), 1);
    let mut caps = gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .framerate(rate);
    if let Some((width, height)) = size {
        caps = caps.width(side(width)).height(side(height));
    }
    let pattern = make("videotestsrc", "source")
        .property("is-live", true)
        .property_from_str("pattern", pattern)
        // Bars that wander: a picture that stands still would hide a frozen stream.
        .property("horizontal-speed", 4_i32);
    Ok(vec![
        pattern.build()?,
        make("capsfilter", "rate")
            .property("caps", caps.build())
            .build()?,
    ])
}
