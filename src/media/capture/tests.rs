//! Captures of live sources that end, stall, or were never there.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::protocol::events::PushCode;

const LIMIT: Duration = Duration::from_secs(10);
/// A camera that works for one second.
const SHORT_CAMERA: &str =
    "videotestsrc is-live=true num-buffers=30 ! video/x-raw,framerate=30/1,width=640,height=480";

fn config(video: VideoSource, audio: AudioSource) -> CaptureConfig {
    super::super::init().expect("GStreamer starts");
    CaptureConfig {
        video,
        audio,
        width: 320,
        height: 240,
        fps: 30,
        time_code: false,
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
    let mut told = Vec::new();
    while !told.contains(&PushCode::CameraAvailable) {
        // The picture never stops for long, whatever the camera does.
        assert_eq!(shown(&mut picture).await, (320, 240));
        assert!(begun.elapsed() < LIMIT, "{told:?}");
        while let Ok(event) = events.try_recv() {
            told.push(event.code);
        }
    }
    assert_eq!(
        told[..4],
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

#[tokio::test(flavor = "multi_thread")]
async fn without_a_camera_there_is_still_sound_and_a_dark_picture() {
    let (sender, mut events) = mpsc::channel(64);
    let none = VideoSource::Device(PathBuf::from("/dev/no-such-camera"));
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
    shown(&mut capture.picture()).await;
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_microphone_there_is_a_picture_and_silence() {
    let (sender, mut events) = mpsc::channel(64);
    let none = AudioSource::Name("no such microphone".to_owned());
    let capture = Capture::start(config(VideoSource::Test, none), sender)
        .await
        .expect("starts");
    let mut told = [PushCode::NetStatus; 3];
    for code in &mut told {
        *code = next_code(&mut events).await;
    }
    assert!(told.contains(&PushCode::OpenMicFail), "{told:?}");
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
