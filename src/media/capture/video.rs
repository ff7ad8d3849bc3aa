//! The camera's pipeline: any source in, I420 of the wanted size out, with nothing that waits.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::super::devices::hotplug::Kind;
use super::super::pipeline::{Pipeline, make};
use super::super::push_event::Events;
use super::super::{MediaError, time_code};
use super::CaptureConfig;
use super::feed::{Feed, sink};
use super::front::{Format, Front, away, source, turned};
use super::line::{Build, Codes, Device, Line};
use super::own::{self, Offer};
use super::source::Source;
use super::still::Stills;
use super::v4l2::Plug;
use crate::config::kiosk::EncoderChoice;
use crate::config::kiosk::{Camera, Rotation};
use crate::protocol::events::PushCode;

const CODES: Codes = Codes {
    opened: Some(PushCode::OpenCameraSucc),
    first_frame: Some(PushCode::FirstFrameAvailable),
    failed: PushCode::OpenCameraFail,
    lost: PushCode::CameraRemoved,
    back: Some(PushCode::CameraAvailable),
};

pub(super) fn line(config: &Arc<CaptureConfig>, feed: &Arc<Feed>, events: Events) -> Line {
    let device = |camera: &Camera| Device {
        name: camera.name.clone(),
        build: opener(config, camera, &Arc::default(), feed, true),
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

/// Opens a camera, in a mode of its own H.264 if `own` and it has one.
fn opener(
    config: &Arc<CaptureConfig>,
    camera: &Camera,
    plug: &Arc<Plug>,
    feed: &Arc<Feed>,
    own: bool,
) -> Build {
    let (config, camera) = (Arc::clone(config), camera.clone());
    let (plug, feed) = (Arc::clone(plug), Arc::clone(feed));
    Arc::new(move || {
        let front = source(&config, &camera, &plug, own)?;
        if let Offer::Refused(reason) = &front.own {
            let level = match config.encoder {
                EncoderChoice::Camera => log::Level::Warn,
                EncoderChoice::Auto | EncoderChoice::Named(_) => log::Level::Info,
            };
            log::log!(level, camera = camera.name, reason; "the camera's own H.264 is not used");
        }
        let mut source = build(&config, front, camera.rotation, &feed)?;
        if source.own.is_some() {
            source.plain = Some(opener(&config, &camera, &plug, &feed, false));
        }
        Ok(source)
    })
}

fn build(
    config: &CaptureConfig,
    front: Front,
    rotation: Rotation,
    feed: &Arc<Feed>,
) -> Result<Source, MediaError> {
    let pipeline = Pipeline::new("camera");
    let (frames, turn) = (Arc::default(), feed.turn());
    let (own, refused) = front.own.parts();
    let mut chain = front.elements;
    let tee = own.as_ref().map(own::tee).transpose()?;
    chain.extend(tee.clone());
    if front.format == Format::H264 {
        chain.extend(own::decoding(own.as_ref())?);
    }
    let stills = chain.last().map(Stills::of);
    chain.push(latest_only()?);
    if front.format == Format::Jpeg {
        chain.push(make("jpegdec", "jpeg").build()?);
    }
    chain.extend(to_picture(config, rotation)?);
    if let (true, Some(picture)) = (config.time_code, chain.last()) {
        stamp_frames(picture);
    }
    chain.push(match &own {
        Some(own) => own::sink(own, &turn, &frames),
        None => sink(&turn, &frames),
    });
    pipeline.chain(&chain)?;
    if let (Some(own), Some(tee)) = (&own, &tee) {
        own::branch(&pipeline, tee, own, &turn)?;
    }
    Ok(Source {
        pipeline,
        frames,
        turn,
        stills,
        own,
        refused,
        plain: None,
    })
}

/// From raw frames of any kind to the picture that leaves.
fn to_picture(config: &CaptureConfig, rotation: Rotation) -> Result<Vec<gst::Element>, MediaError> {
    let mut chain = vec![
        make("videoscale", "scale").build()?,
        make("videoconvert", "convert").build()?,
    ];
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
    Ok(chain)
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

pub(super) fn side(pixels: u32) -> i32 {
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
pub(super) fn change_luma(
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
