//! Captures of live sources that end, stall, or were never there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::capture_config::{AwayText, CaptureConfig};
use super::feed;
use super::open_devices::Capture;
use crate::config::kiosk::{
    AudioSource, Camera, EncoderChoice, Rotation, VideoSource, VoiceConfig,
};
use crate::media::elements;
use crate::media::error::MediaError;
use crate::media::push_event::PushEvent;
use crate::picture::Picture;
use crate::protocol::events::PushCode;

mod camera_h264;

const LIMIT: Duration = Duration::from_secs(10);
/// A camera that works for one second.
const SHORT_CAMERA: &str =
    "videotestsrc is-live=true num-buffers=30 ! video/x-raw,framerate=30/1,width=640,height=480";

fn config(video: VideoSource, audio: AudioSource) -> CaptureConfig {
    elements::init().expect("GStreamer starts");
    CaptureConfig {
        cameras: vec![Camera::only(video)],
        audio,
        microphone_level: None,
        width: 320,
        height: 240,
        fps: 30,
        encoder: EncoderChoice::Auto,
        time_code: false,
        away: AwayText::default(),
        voice: VoiceConfig::default(),
    }
}

fn gst(description: &str) -> VideoSource {
    VideoSource::Gst(description.to_owned())
}

const TONE: AudioSource = AudioSource::Test { hz: 440.0 };

async fn next(events: &mut mpsc::Receiver<PushEvent>) -> PushEvent {
    timeout(LIMIT, events.recv())
        .await
        .expect("an event in time")
        .expect("the capture lives")
}

async fn next_code(events: &mut mpsc::Receiver<PushEvent>) -> PushCode {
    next(events).await.code
}

/// Size of the next picture, which must come within half a second.
async fn shown(picture: &mut Picture) -> (i32, i32) {
    timeout(Duration::from_millis(500), picture.changed())
        .await
        .expect("a picture")
        .expect("lives");
    let sample = picture.borrow_and_update().clone().expect("a picture");
    let caps = sample
        .caps()
        .and_then(|caps| caps.structure(0))
        .expect("caps");
    (
        caps.get("width").expect("a width"),
        caps.get("height").expect("a height"),
    )
}

/// Counts pieces of sound.
fn listen(capture: &Capture) -> (Arc<std::sync::atomic::AtomicU64>, feed::Attachment) {
    let heard = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Arc::clone(&heard);
    let attachment = capture.sound.attach(move |_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    (heard, attachment)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_goes_is_replaced_and_comes_back_while_sound_flows() {
    let (sender, mut events) = mpsc::channel(64);
    let capture = Capture::start(config(gst(SHORT_CAMERA), TONE), sender)
        .await
        .expect("starts");
    let (heard, _attachment) = listen(&capture);
    let begun = std::time::Instant::now();
    let mut picture = capture.picture();
    let mut reported = Vec::new();
    while !reported.contains(&PushCode::CameraAvailable) {
        // The picture never stops for long, whatever the camera does.
        assert_eq!(shown(&mut picture).await, (320, 240));
        assert!(begun.elapsed() < LIMIT, "{reported:?}");
        while let Ok(event) = events.try_recv() {
            reported.push(event.code);
        }
    }
    assert_eq!(
        reported[..4],
        [
            PushCode::OpenCameraSucc,
            PushCode::FirstFrameAvailable,
            PushCode::CameraRemoved,
            PushCode::CameraAvailable
        ]
    );
    let expected = begun.elapsed().as_millis() as u64 / 10;
    let heard = heard.load(std::sync::atomic::Ordering::Relaxed);
    assert!(
        heard + 10 > expected,
        "{heard} pieces of sound, {expected} expected"
    );
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_stands_still_is_gone() {
    let (sender, mut events) = mpsc::channel(64);
    let slow = gst("videotestsrc is-live=true ! video/x-raw,framerate=1/8");
    let capture = Capture::start(config(slow, TONE), sender)
        .await
        .expect("starts");
    assert_eq!(next_code(&mut events).await, PushCode::OpenCameraSucc);
    assert_eq!(next_code(&mut events).await, PushCode::FirstFrameAvailable);
    let lost = next(&mut events).await;
    assert_eq!(lost.code, PushCode::CameraRemoved);
    assert!(lost.message.contains("no frame for 2."), "{}", lost.message);
    let mut picture = capture.picture();
    shown(&mut picture).await;
    capture.stop().await;
}

/// A camera whose picture is one colour.
fn colour(name: &str, pattern: &str) -> Camera {
    let size = "video/x-raw,framerate=30/1,width=640,height=360";
    Camera {
        name: name.to_owned(),
        ..Camera::only(gst(&format!(
            "videotestsrc is-live=true pattern={pattern} ! {size}"
        )))
    }
}

/// The luma in the middle of a picture.
fn luma(sample: &gstreamer::Sample) -> u8 {
    let info = gstreamer_video::VideoInfo::from_caps(sample.caps().expect("caps"));
    let info = info.expect("raw video");
    let map = sample.buffer().expect("a frame").map_readable();
    let map = map.expect("can be read");
    let stride = usize::try_from(info.stride()[0]).expect("positive");
    map[stride * info.height() as usize / 2 + info.width() as usize / 2]
}

async fn wait_for_luma(picture: &mut Picture, wanted: std::ops::Range<u8>) -> Duration {
    let begun = std::time::Instant::now();
    loop {
        shown(picture).await;
        let seen = picture.borrow().as_ref().map(luma).expect("a picture");
        if wanted.contains(&seen) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < LIMIT, "luma {seen}, wanted {wanted:?}");
    }
}

const WHITE: std::ops::Range<u8> = 200..255;
const RED: std::ops::Range<u8> = 60..100;

#[tokio::test(flavor = "multi_thread")]
async fn another_camera_takes_over_without_a_gap_and_a_broken_one_does_not() {
    let (sender, _events) = mpsc::channel(64);
    let broken = Camera {
        name: "broken".to_owned(),
        ..Camera::only(VideoSource::Device("/dev/no-such-camera".into()))
    };
    let config = CaptureConfig {
        cameras: vec![colour("face", "white"), colour("desk", "red"), broken],
        ..config(VideoSource::Test, TONE)
    };
    let capture = Capture::start(config, sender).await.expect("starts");
    let (cameras, mut picture) = (capture.cameras(), capture.picture());
    wait_for_luma(&mut picture, WHITE).await;

    let began = std::time::Instant::now();
    let switch = tokio::spawn({
        let cameras = cameras.clone();
        async move { cameras.switch("desk").await }
    });
    // `shown` demands a picture every half second: there is no gap.
    wait_for_luma(&mut picture, RED).await;
    let took = began.elapsed();
    switch.await.expect("no panic").expect("switches");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(cameras.status().live.as_deref(), Some("desk"));
    assert_eq!(cameras.status().wanted, "desk");

    // One that cannot be used leaves everything as it is, and says why.
    let error = cameras.switch("broken").await.expect_err("it is none");
    assert!(error.to_string().contains("/dev/no-such-camera"), "{error}");
    let error = cameras.switch("hall").await.expect_err("not configured");
    assert!(error.to_string().contains("face, desk, broken"), "{error}");
    let status = cameras.status();
    assert_eq!(
        (status.live.as_deref(), &*status.wanted),
        (Some("desk"), "desk")
    );
    assert!(
        status.faults["broken"].contains("/dev/no-such-camera"),
        "{status:?}"
    );
    wait_for_luma(&mut picture, RED).await;
    // Never a frame of the former camera.
    for _ in 0..10 {
        shown(&mut picture).await;
        let seen = picture.borrow().as_ref().map(luma).expect("a picture");
        assert!(RED.contains(&seen), "{seen}");
    }
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_camera_stands_in_and_the_wanted_one_comes_back() {
    let (sender, mut events) = mpsc::channel(64);
    let short = Camera {
        name: "face".to_owned(),
        ..Camera::only(gst(SHORT_CAMERA))
    };
    let config = CaptureConfig {
        cameras: vec![short, colour("desk", "red")],
        ..config(VideoSource::Test, TONE)
    };
    let capture = Capture::start(config, sender).await.expect("starts");
    let mut reported = Vec::new();
    while reported.len() < 5 {
        let event = next(&mut events).await;
        reported.push((
            event.code,
            event.message.split(' ').nth(1).map(str::to_owned),
        ));
    }
    let of = |name: &str| Some(name.to_owned());
    assert_eq!(
        reported,
        [
            (PushCode::OpenCameraSucc, of("face")),
            (PushCode::FirstFrameAvailable, of("face")),
            (PushCode::CameraRemoved, of("face")),
            (PushCode::CameraAvailable, of("desk")),
            (PushCode::CameraAvailable, of("face")),
        ]
    );
    let status = capture.cameras().status();
    assert_eq!(
        (status.live.as_deref(), &*status.wanted),
        (Some("face"), "face")
    );
    capture.stop().await;
}

/// Width and height of a JPEG file, and its middle pixel's luma.
fn decoded(path: &std::path::Path) -> (u32, u32, u8) {
    let description = format!(
        "filesrc location={} ! jpegdec ! videoconvert ! video/x-raw,format=I420 ! appsink name=out",
        path.display()
    );
    let pipeline = gstreamer::parse::launch(&description).expect("a pipeline");
    let pipeline = pipeline
        .downcast::<gstreamer::Pipeline>()
        .expect("a pipeline");
    use gstreamer::prelude::*;
    let sink = pipeline.by_name("out").expect("there");
    let sink = sink
        .downcast::<gstreamer_app::AppSink>()
        .expect("an app sink");
    pipeline
        .set_state(gstreamer::State::Playing)
        .expect("plays");
    let sample = sink.pull_sample().expect("a JPEG picture");
    pipeline.set_state(gstreamer::State::Null).expect("stops");
    let info = gstreamer_video::VideoInfo::from_caps(sample.caps().expect("caps"));
    let info = info.expect("raw video");
    (info.width(), info.height(), luma(&sample))
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_as_large_as_the_camera_makes_them_and_disturb_nothing() {
    let (sender, mut events) = mpsc::channel(64);
    let lying = Camera {
        rotation: Rotation::Right,
        ..colour("desk", "red")
    };
    let config = CaptureConfig {
        cameras: vec![colour("face", "white"), lying],
        ..config(VideoSource::Test, TONE)
    };
    let capture = Capture::start(config, sender).await.expect("starts");
    let (cameras, mut picture) = (capture.cameras(), capture.picture());
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for (camera, file, expected, light) in [
        (None, "live.jpg", (640, 360), WHITE),
        (Some("face"), "face.jpg", (640, 360), WHITE),
        // Opened for it, and turned upright.
        (Some("desk"), "desk.jpg", (360, 640), RED),
    ] {
        cameras
            .snapshot(camera, &path(file))
            .await
            .expect("a picture");
        let (width, height, luma) = decoded(&path(file));
        assert_eq!((width, height), expected, "{file}");
        assert!(light.contains(&luma), "{file}: {luma}");
        assert_eq!(shown(&mut picture).await, (320, 240));
        assert_eq!(cameras.status().live.as_deref(), Some("face"));
    }
    for (camera, file, code) in [
        (None, "live.jpg", -3),
        (None, "none/live.jpg", -2),
        (Some("hall"), "hall.jpg", -1),
    ] {
        let error = cameras.snapshot(camera, &path(file)).await.expect_err(file);
        assert_eq!(error.code(), code, "{error}");
    }
    let mut results = Vec::new();
    while let Ok(event) = events.try_recv() {
        if event.code == PushCode::SnapshotResult {
            results.push(event.params[0]);
        }
    }
    assert_eq!(results, [0, 0, 0, -3, -2, -1].map(Some));
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_lies_is_turned_upright() {
    // Its left half is white: turned to the right, that is the upper half.
    let halves = gst(
        "videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,framerate=30/1,         width=320,height=240 ! videobox right=-320 ! video/x-raw,width=640,height=240",
    );
    for (rotation, size, bright) in [
        (Rotation::None, (640, 240), "left"),
        (Rotation::Right, (240, 640), "top"),
        (Rotation::Half, (640, 240), "right"),
        (Rotation::Left, (240, 640), "bottom"),
    ] {
        let (sender, _events) = mpsc::channel(64);
        let camera = Camera {
            rotation,
            ..Camera::only(halves.clone())
        };
        let config = CaptureConfig {
            cameras: vec![camera],
            width: size.0,
            height: size.1,
            ..config(VideoSource::Test, TONE)
        };
        let capture = Capture::start(config, sender).await.expect("starts");
        let mut picture = capture.picture();
        assert_eq!(shown(&mut picture).await, (size.0 as i32, size.1 as i32));
        let sample = picture.borrow().clone().expect("a picture");
        let info = gstreamer_video::VideoInfo::from_caps(sample.caps().expect("caps"));
        let stride = usize::try_from(info.expect("raw video").stride()[0]).expect("positive");
        let map = sample
            .buffer()
            .expect("a frame")
            .map_readable()
            .expect("readable");
        let (width, height) = (size.0 as usize, size.1 as usize);
        let at = |x: usize, y: usize| map[y * stride + x] > 128;
        let seen = [
            ("left", at(width / 8, height / 2)),
            ("right", at(width * 7 / 8, height / 2)),
            ("top", at(width / 2, height / 8)),
            ("bottom", at(width / 2, height * 7 / 8)),
        ];
        let along = ["left", "right"].contains(&bright);
        for (side, light) in seen {
            if ["left", "right"].contains(&side) == along {
                assert_eq!(light, side == bright, "{rotation:?} {side}");
            }
        }
        drop(map);
        capture.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_camera_there_is_still_sound_and_a_picture_that_says_so() {
    let (sender, mut events) = mpsc::channel(64);
    let none = VideoSource::Device("/dev/no-such-camera".into());
    let capture = Capture::start(config(none, TONE), sender)
        .await
        .expect("the sound starts");
    let failed = next(&mut events).await;
    assert_eq!(failed.code, PushCode::OpenCameraFail);
    assert!(
        failed.message.contains("/dev/no-such-camera"),
        "{}",
        failed.message
    );
    let mut picture = capture.picture();
    shown(&mut picture).await;
    let drawn = picture.borrow().clone().expect("a picture");
    let light = drawn.buffer().expect("a frame").map_readable();
    let light = light
        .expect("readable")
        .iter()
        .take(320 * 240)
        .filter(|&&luma| luma > 150)
        .count();
    assert!((500..20_000).contains(&light), "{light} light pixels");
    let status = capture.cameras().status();
    assert_eq!(status.live, None);
    assert!(
        status.faults["main"].contains("/dev/no-such-camera"),
        "{status:?}"
    );
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_microphone_there_is_a_picture_and_silence() {
    let (sender, mut events) = mpsc::channel(64);
    let none = AudioSource::Name("no such microphone".to_owned());
    let capture = Capture::start(config(VideoSource::Test, none), sender)
        .await
        .expect("starts");
    let mut reported = [PushCode::NetStatus; 3];
    for code in &mut reported {
        *code = next_code(&mut events).await;
    }
    assert!(reported.contains(&PushCode::OpenMicFail), "{reported:?}");
    let (heard, _attachment) = listen(&capture);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let heard = heard.load(std::sync::atomic::Ordering::Relaxed);
    assert!(
        (40..60).contains(&heard),
        "{heard} pieces of silence in 0.5 s"
    );
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_device_there_is_no_capture() {
    let (sender, _events) = mpsc::channel(64);
    let camera = VideoSource::Name("no such camera".to_owned());
    let microphone = AudioSource::Name("no such microphone".to_owned());
    let error = Capture::start(config(camera, microphone), sender)
        .await
        .expect_err("nothing");
    assert!(matches!(error, MediaError::NoCamera { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_description_that_cannot_work_is_refused_with_the_reason() {
    for (description, reason) in [
        ("videotestsrc ! no_such_element", "no_such_element"),
        (
            "videotestsrc is-live=true ! fakesink",
            "could not link fakesink0",
        ),
        ("videotestsrc is-live=maybe", "maybe"),
    ] {
        let (sender, _events) = mpsc::channel(64);
        let error = Capture::start(config(gst(description), TONE), sender).await;
        let error = error.expect_err(description);
        assert!(matches!(error, MediaError::BadSource { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}
