//! The camera's pipeline: any source in, I420 of the wanted size out, with nothing that waits.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::super::devices::hotplug::Kind;
use super::super::pipeline::{Pipeline, make, parse_source};
use super::super::push_event::Events;
use super::super::{MediaError, time_code};
use super::feed::{Feed, sink};
use super::line::{Codes, Device, Line};
use super::mode::Wanted;
use super::placeholder;
use super::source::Source;
use super::still::Stills;
use super::v4l2::{self, Plug};
use super::{CameraConfig, CaptureConfig, Rotation, VideoSource};
use crate::protocol::events::PushCode;

const CODES: Codes = Codes {
    opened: Some(PushCode::OpenCameraSucc),
    first_frame: Some(PushCode::FirstFrameAvailable),
    failed: PushCode::OpenCameraFail,
    lost: PushCode::CameraRemoved,
    back: Some(PushCode::CameraAvailable),
};

pub(super) fn line(config: &Arc<CaptureConfig>, feed: &Arc<Feed>, events: Events) -> Line {
    let device = |camera: &CameraConfig| {
        let (config, camera, feed) = (Arc::clone(config), camera.clone(), Arc::clone(feed));
        let plug = Plug::default();
        Device {
            name: camera.name.clone(),
            build: Arc::new(move || {
                let front = source(&config, &camera, &plug)?;
                build(&config, front, camera.rotation, &feed)
            }),
        }
    };
    let (stand_in, feed) = (Arc::clone(config), Arc::clone(feed));
    Line {
        what: "camera",
        kind: Kind::Camera,
        codes: CODES,
        events,
        devices: config.cameras.iter().map(device).collect(),
        stand_in: Arc::new(move || build(&stand_in, away(&stand_in)?, Rotation::None, &feed)),
    }
}

/// The elements up to the frames as the camera makes them.
pub(super) struct Front {
    pub(super) elements: Vec<gst::Element>,
    /// JPEG; else raw video.
    pub(super) jpeg: bool,
}

impl From<Vec<gst::Element>> for Front {
    fn from(elements: Vec<gst::Element>) -> Self {
        Self {
            elements,
            jpeg: false,
        }
    }
}

fn source(config: &CaptureConfig, camera: &CameraConfig, plug: &Plug) -> Result<Front, MediaError> {
    let (width, height) = turned(config, camera.rotation);
    let (wide, high) = camera.at_least.unwrap_or_default();
    let wanted = Wanted {
        width: width.max(wide),
        height: height.max(high),
        fps: config.fps,
    };
    front(config, camera, wanted, plug)
}

/// Frames per second of a camera that is opened for a still: raw modes of full size are slow.
const STILL_FPS: u32 = 5;

/// A camera for a still: in a mode of the configured size, else in its largest, since nothing
/// has to be in time.
pub(super) fn largest(config: &CaptureConfig, camera: &CameraConfig) -> Result<Front, MediaError> {
    let most = u32::from(u16::MAX);
    let (width, height) = camera.at_least.unwrap_or((most, most));
    let wanted = Wanted {
        width,
        height,
        fps: STILL_FPS,
    };
    front(config, camera, wanted, &Plug::default())
}

fn front(
    config: &CaptureConfig,
    camera: &CameraConfig,
    wanted: Wanted,
    plug: &Plug,
) -> Result<Front, MediaError> {
    match &camera.source {
        VideoSource::Test => Ok(test_pattern("smpte75", config.fps, camera.at_least)?.into()),
        VideoSource::Gst(description) => Ok(vec![parse_source(description)?].into()),
        VideoSource::Auto | VideoSource::Device(_) | VideoSource::Name(_) => {
            v4l2::front(&camera.source, wanted, plug)
        }
    }
}

/// Width and height that the picture has before it is turned by `rotation`.
fn turned(config: &CaptureConfig, rotation: Rotation) -> (u32, u32) {
    if rotation.lies_down() {
        (config.height, config.width)
    } else {
        (config.width, config.height)
    }
}

/// What flows while the camera is away.
fn away(config: &CaptureConfig) -> Result<Front, MediaError> {
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
    Ok(elements.into())
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

fn build(
    config: &CaptureConfig,
    front: Front,
    rotation: Rotation,
    feed: &Arc<Feed>,
) -> Result<Source, MediaError> {
    let pipeline = Pipeline::new("camera");
    let (frames, turn) = (Arc::default(), feed.turn());
    let stills = front.elements.last().map(Stills::of);
    let mut chain = front.elements;
    chain.push(latest_only()?);
    if front.jpeg {
        chain.push(make("jpegdec", "jpeg").build()?);
    }
    chain.push(make("videoscale", "scale").build()?);
    chain.push(make("videoconvert", "convert").build()?);
    if rotation != Rotation::None {
        let (width, height) = turned(config, rotation);
        let lying = raw_caps(config, width, height);
        chain.push(
            make("capsfilter", "lying")
                .property("caps", lying)
                .build()?,
        );
        chain.extend(upright(rotation)?);
    }
    chain.push(fewer_frames(config.fps)?);
    chain.push(
        make("capsfilter", "picture")
            .property("caps", picture_caps(config))
            .build()?,
    );
    chain.push(sink(&turn, &frames));
    pipeline.chain(&chain)?;
    if config.time_code {
        stamp_frames(&chain[chain.len() - 2]);
    }
    Ok(Source {
        pipeline,
        frames,
        turn,
        stills,
    })
}

/// Turns the picture clockwise; nothing where it is upright.
pub(super) fn upright(rotation: Rotation) -> Result<Option<gst::Element>, MediaError> {
    let direction = match rotation {
        Rotation::None => return Ok(None),
        Rotation::Right => "90r",
        Rotation::Half => "180",
        Rotation::Left => "90l",
    };
    let turn = make("videoflip", "turn").property_from_str("video-direction", direction);
    Ok(Some(turn.build()?))
}

/// Takes the conversion off the camera's thread; when it falls behind, old frames are lost.
fn latest_only() -> Result<gst::Element, MediaError> {
    Ok(make("queue", "latest")
        .property("max-size-buffers", 2u32)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .property_from_str("leaky", "downstream")
        .build()?)
}

/// Only drops: filling gaps would hold every frame back until the next one has come.
fn fewer_frames(fps: u32) -> Result<gst::Element, MediaError> {
    Ok(make("videorate", "rate-limit")
        .property("drop-only", true)
        .property("skip-to-first", true)
        .property("max-rate", i32::try_from(fps).unwrap_or(i32::MAX))
        .build()?)
}

fn side(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

pub(in super::super) fn picture_caps(config: &CaptureConfig) -> gst::Caps {
    raw_caps(config, config.width, config.height)
}

fn raw_caps(config: &CaptureConfig, width: u32, height: u32) -> gst::Caps {
    // What a decoder assumes when the stream does not say.
    let colorimetry = if config.height > 576 {
        "bt709"
    } else {
        "bt601"
    };
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .width(side(width))
        .height(side(height))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("colorimetry", colorimetry)
        .build()
}

/// Writes into each frame when it was captured.
fn stamp_frames(element: &gst::Element) {
    change_luma(element, |captured, luma, stride, width, height| {
        time_code::stamp(luma, stride, width, height, captured);
    });
}

/// Changes the luma of each frame that `element` puts out. `change` gets the time of capture in
/// microseconds, the plane, its stride, width and height.
fn change_luma(
    element: &gst::Element,
    change: impl Fn(u64, &mut [u8], usize, usize, usize) + Send + Sync + 'static,
) {
    let Some(pad) = element.static_pad("src") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let captured = captured_micros(pad, info.buffer());
        let video = pad
            .current_caps()
            .and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        if let (Some(micros), Some(video), Some(buffer)) = (captured, video, info.buffer_mut()) {
            let buffer = buffer.make_mut();
            if let Ok(mut frame) =
                gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &video)
            {
                let (width, height) = (frame.width() as usize, frame.height() as usize);
                let stride = frame.plane_stride()[0].unsigned_abs() as usize;
                if let Ok(luma) = frame.plane_data_mut(0) {
                    change(micros, luma, stride, width, height);
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
}

fn captured_micros(pad: &gst::Pad, buffer: Option<&gst::Buffer>) -> Option<u64> {
    let base = pad.parent_element()?.base_time()?;
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?.clone();
    Some((base + segment.to_running_time(buffer?.pts())?).useconds())
}
