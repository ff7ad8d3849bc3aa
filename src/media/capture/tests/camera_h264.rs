//! Cameras that make H.264 themselves, as sources of the configuration with an encoder in them.

use std::sync::Mutex;

use gstreamer::prelude::ClockExt as _;

use super::*;

const ENCODER: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=600";
/// Size of the pictures in `config`.
const SIZE: &str = "width=320,height=240";

/// A camera of a white picture; its `name` makes it one that no other test knows.
fn camera(name: &str, size: &str, encoder: &str) -> VideoSource {
    gst(&format!(
        "videotestsrc name={name} is-live=true pattern=white ! \
         video/x-raw,format=I420,framerate=30/1,{size} ! {encoder}"
    ))
}

/// The decision for the only camera.
fn decided(capture: &Capture) -> String {
    let status = capture.cameras().status();
    status.own_h264.get("main").cloned().unwrap_or_default()
}

/// Access units as they come: whether each is a key frame, and when it was captured.
type Units = Arc<Mutex<Vec<(bool, gstreamer::ClockTime)>>>;

fn collect(capture: &Capture) -> (Units, feed::Attachment) {
    let units = Units::default();
    let seen = Arc::clone(&units);
    let attachment = capture.video.attach_encoded(move |unit| {
        seen.lock()
            .expect("no panic")
            .push((unit.key, unit.captured));
    });
    (units, attachment)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_camera_encodes_comes_beside_the_picture_and_obeys() {
    let (sender, _events) = mpsc::channel(64);
    let source = camera("obeys", SIZE, ENCODER);
    let begun = std::time::Instant::now();
    let capture = Capture::start(config(source.clone(), TONE), sender)
        .await
        .expect("starts");
    println!("open {:?} after the start, with its trial", begun.elapsed());
    assert_eq!(decided(&capture), "usable: camera (x264enc)");
    let mut picture = capture.picture();
    wait_for_luma(&mut picture, WHITE).await;
    let (units, _attached) = collect(&capture);
    let encoder = capture.video.camera().expect("its encoder");
    let begun = std::time::Instant::now();
    encoder.request_key();
    let asked = gstreamer::SystemClock::obtain().time();
    let key = loop {
        let seen = units.lock().expect("no panic").clone();
        if let Some((_, captured)) = seen.iter().find(|(key, _)| *key) {
            break *captured;
        }
        assert!(begun.elapsed() < LIMIT, "no key frame among {}", seen.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(key + gstreamer::ClockTime::from_mseconds(500) > asked);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let units = units.lock().expect("no panic").clone();
    assert!(units.len() > 10, "{} pictures", units.len());
    assert!(
        units.windows(2).all(|pair| pair[0].1 < pair[1].1),
        "times grow"
    );
    // A still is what the camera shows, decoded.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("still.jpg");
    let still = capture.cameras().snapshot(None, &file).await;
    still.expect("a picture");
    let (width, height, luma) = decoded(&file);
    assert!((width, height) == (320, 240) && WHITE.contains(&luma));
    capture.stop().await;

    // It is known now.
    let (sender, _events) = mpsc::channel(64);
    let begun = std::time::Instant::now();
    let capture = Capture::start(config(source, TONE), sender).await;
    println!("open {:?} after the start, known", begun.elapsed());
    capture.expect("starts").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_its_promise_is_decoded_only_and_not_tried_again() {
    for (name, size, encoder, reason) in [
        (
            "wide",
            "width=640,height=360",
            ENCODER.to_owned(),
            "its pictures are 640x360, not 320x240",
        ),
        (
            "keyless",
            SIZE,
            // Refreshes line by line, and never makes an IDR picture but the first.
            format!("{ENCODER} intra-refresh=true"),
            "no key frame came within 2 s",
        ),
        (
            "reordered",
            SIZE,
            "x264enc speed-preset=ultrafast bframes=2 b-adapt=false rc-lookahead=2 \
             sync-lookahead=0 key-int-max=600 ! video/x-h264,profile=main"
                .to_owned(),
            "B-frames",
        ),
    ] {
        let source = camera(name, size, &encoder);
        // The second time it is known, which saves its trial.
        for known in [false, true] {
            let (sender, _events) = mpsc::channel(64);
            let begun = std::time::Instant::now();
            let capture = Capture::start(config(source.clone(), TONE), sender)
                .await
                .expect(name);
            let took = begun.elapsed();
            let text = decided(&capture);
            assert!(
                text.starts_with("refused: ") && text.contains(reason),
                "{name}: {text}"
            );
            if known && name == "keyless" {
                assert!(took < Duration::from_millis(1500), "{took:?}");
            }
            assert!(capture.video.camera().is_none(), "{name}");
            let (units, _attached) = collect(&capture);
            let mut picture = capture.picture();
            wait_for_luma(&mut picture, WHITE).await;
            assert!(units.lock().expect("no panic").is_empty(), "{name}");
            capture.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_forbids_is_decoded_only() {
    let named = EncoderChoice::Named("x264enc".to_owned());
    for (name, encoder, rotation, reason) in [
        (
            "named",
            named,
            Rotation::None,
            "the configuration wants x264enc",
        ),
        (
            "turned",
            EncoderChoice::Camera,
            Rotation::Half,
            "the picture is to be turned",
        ),
    ] {
        let (sender, _events) = mpsc::channel(64);
        let mut config = config(camera(name, SIZE, ENCODER), TONE);
        config.encoder = encoder;
        config.cameras[0].rotation = rotation;
        let capture = Capture::start(config, sender).await.expect(name);
        assert_eq!(decided(&capture), format!("refused: {reason}"));
        let mut picture = capture.picture();
        wait_for_luma(&mut picture, WHITE).await;
        capture.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_a_camera_that_fails_and_the_picture_says_so() {
    let (sender, mut events) = mpsc::channel(64);
    let rubbish = format!(
        "videotestsrc is-live=true ! {ENCODER} ! fakesink \
         fakesrc is-live=true format=time do-timestamp=true filltype=random sizetype=fixed \
         sizemax=2000 datarate=60000 ! \
         capssetter caps=video/x-h264,stream-format=byte-stream,alignment=au"
    );
    let capture = Capture::start(config(gst(&rubbish), TONE), sender)
        .await
        .expect("there is sound");
    let failed = next(&mut events).await;
    assert_eq!(failed.code, PushCode::OpenCameraFail, "{failed:?}");
    let mut picture = capture.picture();
    assert_eq!(shown(&mut picture).await, (320, 240));
    assert_eq!(capture.cameras().status().live, None);
    capture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_that_nobody_can_control_is_refused_with_what_would_be_right() {
    let (sender, _events) = mpsc::channel(64);
    let source = gst("fakesrc is-live=true ! video/x-h264 ! h264parse");
    let error = Capture::start(config(source, TONE), sender)
        .await
        .expect_err("nothing to control");
    assert!(matches!(error, MediaError::BadSource { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("one encoder whose bitrate and key frames can be set (v4l2h264enc,")
            && text.contains("or else end in raw video"),
        "{text}"
    );
}
