//! Makes the source of a camera: a device, a source of the configuration, or a test pattern.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::camera_encoder::CameraEncoder;
use super::camera_h264::{self, H264Offer};
use super::camera_source::{CameraFormat, CameraSource};
use super::capture_config::CaptureConfig;
use super::mode::Wanted;
use super::picture_chain::turned;
use super::plug::Plug;
use super::test_pattern::test_pattern;
use super::v4l2_source::v4l2_source;
use crate::config::kiosk::{Camera, VideoSource};
use crate::media::error::MediaError;
use crate::media::pipeline::parse_source;

/// A camera in the mode that the stream needs; in one of its own H.264 if `h264` and it has one.
pub(super) fn for_stream(
    config: &CaptureConfig,
    camera: &Camera,
    plug: &Plug,
    h264: bool,
) -> Result<CameraSource, MediaError> {
    let (width, height) = turned(config, camera.rotation);
    let (wide, high) = camera.at_least.unwrap_or_default();
    let wanted = Wanted {
        width: width.max(wide),
        height: height.max(high),
        fps: config.fps,
    };
    camera_source(config, camera, wanted, plug, h264)
}

/// Frames per second of a camera that is opened for a still: raw modes of full size are slow.
const STILL_FPS: u32 = 5;

/// A camera for a still: in a mode of the configured size, else in its largest, since nothing
/// has to be in time.
pub(super) fn for_still(
    config: &CaptureConfig,
    camera: &Camera,
) -> Result<CameraSource, MediaError> {
    let most = u32::from(u16::MAX);
    let (width, height) = camera.at_least.unwrap_or((most, most));
    let wanted = Wanted {
        width,
        height,
        fps: STILL_FPS,
    };
    camera_source(config, camera, wanted, &Plug::default(), false)
}

fn camera_source(
    config: &CaptureConfig,
    camera: &Camera,
    wanted: Wanted,
    plug: &Plug,
    h264: bool,
) -> Result<CameraSource, MediaError> {
    let makes_none = || H264Offer::Refused("it makes none".to_owned());
    match &camera.source {
        VideoSource::Test => {
            let pattern = test_pattern("smpte75", config.fps, camera.at_least)?;
            Ok(CameraSource::raw(pattern, makes_none()))
        }
        VideoSource::Gst(description) => {
            let source = parse_source(description)?;
            if !ends_in_h264(&source) {
                return Ok(CameraSource::raw(vec![source], makes_none()));
            }
            let h264 = match h264 {
                true => of_description(config, camera, description, &source)?,
                false => H264Offer::None,
            };
            Ok(CameraSource {
                elements: vec![source],
                format: CameraFormat::H264,
                h264,
            })
        }
        VideoSource::Auto | VideoSource::Device(_) | VideoSource::Name(_) => {
            v4l2_source(config, camera, wanted, plug, h264)
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
) -> Result<H264Offer, MediaError> {
    if let Err(reason) = camera_h264::allowed(config, camera) {
        return Ok(H264Offer::Refused(reason));
    }
    let encoder = CameraEncoder::inside(source).map_err(|reason| MediaError::BadSource {
        description: description.to_owned(),
        reason,
    })?;
    Ok(H264Offer::of(config, description, || Ok(encoder)))
}
