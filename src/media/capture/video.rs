//! The camera's pipeline: any source in, I420 of the wanted size out, with nothing that waits.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::super::pipeline::{Pipeline, make, parse_source};
use super::super::push_event::Events;
use super::super::{MediaError, devices, time_code};
use super::feed::{Feed, sink};
use super::line::{Codes, Line, Source};
use super::mode::{self, Wanted};
use super::{CaptureConfig, VideoSource};
use crate::protocol::events::PushCode;

const CODES: Codes = Codes {
    opened: Some(PushCode::OpenCameraSucc),
    first_frame: Some(PushCode::FirstFrameAvailable),
    failed: PushCode::OpenCameraFail,
    lost: PushCode::CameraRemoved,
    back: Some(PushCode::CameraAvailable),
};

pub(super) fn line(config: &CaptureConfig, feed: Arc<Feed>, events: Events) -> Line {
    let (device, stand_in) = ((config.clone(), Arc::clone(&feed)), (config.clone(), feed));
    Line {
        what: "camera",
        codes: CODES,
        events,
        device: Arc::new(move || build(&device.0, source(&device.0)?, &device.1)),
        stand_in: Arc::new(move || build(&stand_in.0, dark(stand_in.0.fps)?, &stand_in.1)),
    }
}

/// The elements up to raw video.
fn source(config: &CaptureConfig) -> Result<Vec<gst::Element>, MediaError> {
    match &config.video {
        VideoSource::Test => test_pattern("smpte75", config.fps),
        VideoSource::Gst(description) => Ok(vec![parse_source(description)?]),
        VideoSource::Auto | VideoSource::Device(_) | VideoSource::Name(_) => camera(config),
    }
}

/// What flows while the camera is away.
fn dark(fps: u32) -> Result<Vec<gst::Element>, MediaError> {
    test_pattern("black", fps)
}

fn test_pattern(pattern: &str, fps: u32) -> Result<Vec<gst::Element>, MediaError> {
    let rate = gst::Fraction::new(i32::try_from(fps).unwrap_or(30), 1);
    let caps = gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .framerate(rate)
        .build();
    let pattern = make("videotestsrc", "source")
        .property("is-live", true)
        .property_from_str("pattern", pattern)
        // Bars that wander: a picture that stands still would hide a frozen stream.
        .property("horizontal-speed", 4_i32);
    Ok(vec![
        pattern.build()?,
        make("capsfilter", "rate").property("caps", caps).build()?,
    ])
}

fn camera(config: &CaptureConfig) -> Result<Vec<gst::Element>, MediaError> {
    let camera = find(&config.video, devices::cameras())?;
    let wanted = Wanted {
        width: config.width,
        height: config.height,
        fps: config.fps,
    };
    let chosen = mode::choose(&camera.modes, wanted);
    log::info!(camera = camera.path.display().to_string(), mode:? = chosen; "camera chosen");
    let source = make("v4l2src", "camera").property("device", camera.path.display().to_string());
    let mut elements = vec![source.build()?];
    // A camera that lists nothing gets the choice itself.
    if let Some(caps) = chosen.and_then(mode::caps) {
        elements.push(make("capsfilter", "mode").property("caps", caps).build()?);
    }
    if chosen.is_some_and(|mode| mode.format == devices::PixelFormat::Mjpeg) {
        elements.push(make("jpegdec", "jpeg").build()?);
    }
    Ok(elements)
}

/// The camera that the configuration means.
fn find(
    wanted: &VideoSource,
    cameras: Vec<devices::Camera>,
) -> Result<devices::Camera, MediaError> {
    let present: Vec<String> = cameras
        .iter()
        .map(|camera| format!("{} ({})", camera.path.display(), camera.name))
        .collect();
    let fits = |camera: &devices::Camera| match wanted {
        VideoSource::Device(path) => {
            camera.path == *path
                || std::fs::canonicalize(path).is_ok_and(|real| real == camera.path)
        }
        VideoSource::Name(name) => camera.name.contains(name.as_str()),
        VideoSource::Auto | VideoSource::Test | VideoSource::Gst(_) => true,
    };
    cameras
        .into_iter()
        .find(fits)
        .ok_or_else(|| MediaError::NoCamera {
            wanted: format!("wanted {wanted}, present: [{}]", present.join(", ")),
        })
}

fn build(
    config: &CaptureConfig,
    source: Vec<gst::Element>,
    feed: &Arc<Feed>,
) -> Result<Source, MediaError> {
    let pipeline = Pipeline::new("camera");
    let frames = Arc::default();
    let mut chain = source;
    chain.push(latest_only()?);
    chain.push(make("videoscale", "scale").build()?);
    chain.push(make("videoconvert", "convert").build()?);
    chain.push(fewer_frames(config.fps)?);
    chain.push(
        make("capsfilter", "picture")
            .property("caps", picture_caps(config))
            .build()?,
    );
    chain.push(sink(feed, &frames));
    pipeline.chain(&chain)?;
    if config.time_code {
        stamp_frames(&chain[chain.len() - 2]);
    }
    Ok(Source { pipeline, frames })
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

pub(in super::super) fn picture_caps(config: &CaptureConfig) -> gst::Caps {
    let side = |pixels| i32::try_from(pixels).unwrap_or(i32::MAX);
    // What a decoder assumes when the stream does not say.
    let colorimetry = if config.height > 576 {
        "bt709"
    } else {
        "bt601"
    };
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .width(side(config.width))
        .height(side(config.height))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("colorimetry", colorimetry)
        .build()
}

/// Writes into each frame when it was captured.
fn stamp_frames(element: &gst::Element) {
    let Some(pad) = element.static_pad("src") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
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
                    time_code::stamp(luma, stride, width, height, micros);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn finds_the_camera_that_is_meant() {
        let cameras = || {
            ["HD Webcam", "vivid"]
                .iter()
                .zip(["/dev/video0", "/dev/video2"])
                .map(|(name, path)| devices::Camera {
                    path: PathBuf::from(path),
                    name: (*name).to_owned(),
                    driver: String::new(),
                    bus: String::new(),
                    modes: Vec::new(),
                })
        };
        for (wanted, expected) in [
            (VideoSource::Auto, Some("/dev/video0")),
            (
                VideoSource::Device("/dev/video2".into()),
                Some("/dev/video2"),
            ),
            (VideoSource::Device("/dev/video7".into()), None),
            (VideoSource::Name("vivid".to_owned()), Some("/dev/video2")),
            (VideoSource::Name("Web".to_owned()), Some("/dev/video0")),
            (VideoSource::Name("none".to_owned()), None),
        ] {
            let found = find(&wanted, cameras().collect());
            assert_eq!(
                found.ok().map(|c| c.path),
                expected.map(PathBuf::from),
                "{wanted:?}"
            );
        }
        let error = find(&VideoSource::Name("none".to_owned()), cameras().collect());
        let text = error.expect_err("not there").to_string();
        assert!(
            text.contains("none") && text.contains("/dev/video2 (vivid)"),
            "{text}"
        );
    }
}
