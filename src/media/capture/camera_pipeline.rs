//! The camera's pipeline: any source in, I420 of the wanted size out, with nothing that waits.

use std::sync::Arc;

use super::away_picture::away_picture;
use super::camera_h264::{self, H264Offer};
use super::camera_source::{CameraFormat, CameraSource};
use super::capture_config::CaptureConfig;
use super::capture_pipeline::{Build, CapturePipeline};
use super::device_group::{Codes, Device, DeviceGroup};
use super::feed::{Feed, sink};
use super::luma::stamp_frames;
use super::open_camera::for_stream;
use super::picture_chain::{latest_only, to_picture};
use super::plug::Plug;
use super::still::Stills;
use crate::config::kiosk::{Camera, EncoderChoice, Rotation};
use crate::media::devices::DeviceKind;
use crate::media::error::MediaError;
use crate::media::pipeline::{Pipeline, make};
use crate::media::push_event::Events;
use crate::protocol::events::PushCode;

/// Tencent's numbers for cameras.
const CODES: Codes = Codes {
    opened: Some(PushCode::OpenCameraSucc),
    first_frame: Some(PushCode::FirstFrameAvailable),
    failed: PushCode::OpenCameraFail,
    lost: PushCode::CameraRemoved,
    back: Some(PushCode::CameraAvailable),
};

pub(super) fn group(config: &Arc<CaptureConfig>, feed: &Arc<Feed>, events: Events) -> DeviceGroup {
    let device = |camera: &Camera| Device {
        name: camera.name.clone(),
        build: opener(config, camera, &Arc::default(), feed, true),
    };
    let (stand_in, feed) = (Arc::clone(config), Arc::clone(feed));
    DeviceGroup {
        what: "camera",
        kind: DeviceKind::Camera,
        codes: CODES,
        events,
        devices: config.cameras.iter().map(device).collect(),
        stand_in: Arc::new(move || {
            build(&stand_in, away_picture(&stand_in)?, Rotation::None, &feed)
        }),
    }
}

/// Opens a camera, in a mode of its own H.264 if `h264` and it has one.
fn opener(
    config: &Arc<CaptureConfig>,
    camera: &Camera,
    plug: &Arc<Plug>,
    feed: &Arc<Feed>,
    h264: bool,
) -> Build {
    let (config, camera) = (Arc::clone(config), camera.clone());
    let (plug, feed) = (Arc::clone(plug), Arc::clone(feed));
    Arc::new(move || {
        let camera_source = for_stream(&config, &camera, &plug, h264)?;
        if let H264Offer::Refused(reason) = &camera_source.h264 {
            let level = match config.encoder {
                EncoderChoice::Camera => log::Level::Warn,
                EncoderChoice::Auto | EncoderChoice::Named(_) => log::Level::Info,
            };
            log::log!(level, camera = camera.name, reason; "the camera's own H.264 is not used");
        }
        let mut source = build(&config, camera_source, camera.rotation, &feed)?;
        if source.h264.is_some() {
            source.plain = Some(opener(&config, &camera, &plug, &feed, false));
        }
        Ok(source)
    })
}

fn build(
    config: &CaptureConfig,
    camera_source: CameraSource,
    rotation: Rotation,
    feed: &Arc<Feed>,
) -> Result<CapturePipeline, MediaError> {
    let pipeline = Pipeline::new("camera");
    let (frames, turn) = (Arc::default(), feed.turn());
    let (h264, refused) = camera_source.h264.parts();
    let mut chain = camera_source.elements;
    let tee = h264.as_ref().map(camera_h264::tee).transpose()?;
    chain.extend(tee.clone());
    if camera_source.format == CameraFormat::H264 {
        chain.extend(camera_h264::decoding(h264.as_ref())?);
    }
    let stills = chain.last().map(Stills::of);
    chain.push(latest_only()?);
    if camera_source.format == CameraFormat::Jpeg {
        chain.push(make("jpegdec", "jpeg").build()?);
    }
    chain.extend(to_picture(config, rotation)?);
    if let (true, Some(picture)) = (config.time_code, chain.last()) {
        stamp_frames(picture);
    }
    chain.push(match &h264 {
        Some(h264) => camera_h264::sink(h264, &turn, &frames),
        None => sink(&turn, &frames),
    });
    pipeline.chain(&chain)?;
    if let (Some(h264), Some(tee)) = (&h264, &tee) {
        camera_h264::branch(&pipeline, tee, h264, &turn)?;
    }
    Ok(CapturePipeline {
        pipeline,
        frames,
        turn,
        stills,
        h264,
        refused,
        plain: None,
    })
}
