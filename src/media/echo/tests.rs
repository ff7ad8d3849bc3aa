//! Our loudspeaker and our microphone with a simulated room between them, in real time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::level::erle_db;
use crate::config::kiosk::{
    AudioSink, AudioSource, Camera, EchoControl, EncoderChoice, VideoSource, VoiceConfig,
};
use crate::media::capture::{AwayText, Capture, CaptureConfig};
use crate::media::elements;
use crate::media::format::{BLOCK, samples};
use crate::media::lock::lock;
use crate::media::speaker::{Speaker, Timing};
use crate::media::time_code::now_micros;

#[path = "../../../tests/echo/room.rs"]
mod room;
#[path = "../../../tests/echo/speech.rs"]
mod speech;

use self::room::Room;
use self::speech::{Path, speech};

/// Plays `far` at its pace, and its echo.
async fn play(speaker: &Speaker, far: &[i16]) {
    let input = speaker.input("agent");
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    // Heard a tenth of a second after it came.
    let lag = now_micros() as i64 + 100_000;
    for (block, media) in far.chunks_exact(BLOCK).zip((0..).step_by(10_000)) {
        tick.tick().await;
        input.push(block, Timing { media, lag });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_loudspeaker_plays_is_not_sent() {
    elements::init().expect("GStreamer starts");
    let room = Room::open(Path::new(60, -8.0));
    let (sender, _events) = mpsc::channel(64);
    let config = CaptureConfig {
        cameras: vec![Camera::only(VideoSource::Test)],
        microphone_level: None,
        audio: AudioSource::Gst(room.microphone()),
        width: 160,
        height: 120,
        fps: 5,
        encoder: EncoderChoice::Auto,
        time_code: false,
        away: AwayText::default(),
        voice: VoiceConfig {
            echo: EchoControl::Cancel,
            noise_suppression: true,
            gain_control: true,
        },
    };
    let sink = AudioSink::Gst(room.speaker());
    let speaker = Speaker::start(sink).await.expect("plays");
    let capture = Capture::start(config, sender).await.expect("opens");
    speaker.report_to(capture.echo());
    let sent: Arc<Mutex<Vec<i16>>> = Arc::default();
    let tap = Arc::clone(&sent);
    let _attachment = capture.sound.attach(move |frame| {
        let buffer = frame.sample.buffer().expect("sound");
        let bytes = buffer.map_readable().expect("readable");
        lock(&tap).extend(samples(&bytes));
    });
    play(&speaker, &speech(1, 2.5)).await;
    lock(&sent).clear();
    room.heard();
    play(&speaker, &speech(3, 3.0)).await;
    let erle = erle_db(&room.heard(), &lock(&sent));
    let status = capture.echo().status();
    println!("{erle:.1} dB, {status:?}");
    assert!(erle >= 20.0, "{erle} dB, {status:?}");
    assert_eq!(status.mode, EchoControl::Cancel);
    let (heard, after) = (status.heard_db, status.sent_db);
    assert!(heard.zip(after).is_some_and(|(h, a)| h - a >= 20.0));
    assert!(heard.is_some_and(|db| (db + 8.0).abs() < 3.0), "{status:?}");
    speaker.stop().await;
    capture.stop().await;
}
