//! Encoders that fail: 1103, and the stream goes on with software.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rtckiosk::config::kiosk::EncoderChoice;
use rtckiosk::media::LossCause;
use rtckiosk::protocol::events::PushCode;

use crate::double::{Double, Fails, REASON};
use crate::nginx::Nginx;
use crate::uplink_rig::{Push, watch};
use crate::{PATIENCE, expect_no_pause, with_double};

/// Pictures of a call until the double fails: more than the trial makes.
const AFTER: i32 = 100;
/// Pause of a player before it joins again.
const REJOIN: Duration = Duration::from_millis(100);
/// Whoever looks sees no longer pause when hardware reports an error: reconnecting and a new
/// encoder, measured 0.5 to 0.6 s.
const PAUSE: Duration = Duration::from_secs(2);
/// The same when it falls silent, which must be noticed first: measured 2.8 s.
const PAUSE_OF_SILENCE: Duration = Duration::from_secs(5);

/// An encoder of Intel's and AMD's graphics.
const VA: Double = Double {
    element: "vah264enc",
    software: "x264enc",
    fixed: &[("tune", "zerolatency"), ("speed-preset", "ultrafast")],
    numbers: &[
        ("bitrate", Some("bitrate")),
        ("key-int-max", Some("key-int-max")),
        ("b-frames", Some("bframes")),
        ("target-usage", None),
    ],
    words: &[("rate-control", "pass")],
    after: AFTER,
    fails: Fails::WithError,
};

/// A push with `encoder`, and when a player, that joins again when the stream has ended, sees its
/// pictures.
async fn push(nginx: &Nginx, encoder: EncoderChoice) -> (Push, mpsc::Receiver<Instant>) {
    let url = nginx.url("live", "call");
    let mut push = Push::with(&url, |config| config.encoder = encoder).await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    let (tell, seen) = mpsc::channel();
    std::thread::spawn(move || {
        let mut listens = true;
        while listens {
            watch(&url, |_| {
                listens = tell.send(Instant::now()).is_ok();
                listens
            });
            std::thread::sleep(REJOIN);
        }
    });
    (push, seen)
}

/// The encoder of now.
fn encoder(push: &Push) -> String {
    push.uplink.stats().borrow().encoder.clone()
}

async fn replaced(double: Double, reason: &str, pause: Duration) {
    let nginx = Nginx::start();
    let (mut push, seen) = push(&nginx, EncoderChoice::Auto).await;
    assert_eq!(encoder(&push), double.element);
    let loss = push.until(PushCode::VideoEncodeWarning, PATIENCE).await;
    assert_eq!(loss.cause(), Some(LossCause::Encoder), "{loss:?}");
    let failed = Instant::now();
    let told = push.until(PushCode::HwAccelerationFail, PATIENCE).await;
    let names = format!("x264enc in place of {}", double.element);
    assert!(told.message.starts_with(&names), "{told:?}");
    assert!(told.message.contains(reason), "{told:?}");
    push.until(PushCode::PushBegin, PATIENCE).await;
    // Longer than the double works: it must not be used again.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(encoder(&push), "x264enc");
    assert_eq!(
        push.uplink.stats().borrow().reconnects,
        1,
        "{:#?}",
        push.seen
    );
    let seen: Vec<Instant> = seen.try_iter().collect();
    expect_no_pause(&seen, pause);
    let after = seen.iter().filter(|at| **at > failed).count();
    assert!(after > 100, "{after} pictures after the failure");
    push.end().await;
}

#[test]
fn hardware_that_fails_in_a_call_is_replaced_by_software() {
    let name = "encoders::hardware_that_fails_in_a_call_is_replaced_by_software";
    with_double(name, VA, || replaced(VA, REASON, PAUSE));
}

#[test]
fn hardware_that_falls_silent_in_a_call_is_replaced_by_software() {
    let name = "encoders::hardware_that_falls_silent_in_a_call_is_replaced_by_software";
    with_double(name, VA.silent(), || {
        replaced(VA.silent(), "gave no picture", PAUSE_OF_SILENCE)
    });
}

/// The only encoder that may be used begins anew each time.
async fn begins_anew(double: Double) {
    let nginx = Nginx::start();
    let named = EncoderChoice::Named(double.element.to_owned());
    let (mut push, seen) = push(&nginx, named).await;
    for _ in 0..2 {
        let loss = push.until(PushCode::VideoEncodeWarning, PATIENCE).await;
        assert_eq!(loss.cause(), Some(LossCause::Encoder), "{loss:?}");
        assert!(loss.message.contains(REASON), "{loss:?}");
        push.until(PushCode::Reconnect, PATIENCE).await;
        push.until(PushCode::PushBegin, PATIENCE).await;
        assert_eq!(encoder(&push), double.element);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let nothing = |event: &rtckiosk::media::PushEvent| event.code != PushCode::HwAccelerationFail;
    assert!(push.seen.iter().all(nothing), "{:#?}", push.seen);
    let seen: Vec<Instant> = seen.try_iter().collect();
    expect_no_pause(&seen, PAUSE);
    push.end().await;
}

#[test]
fn software_by_name_that_fails_in_a_call_begins_anew() {
    let name = "encoders::software_by_name_that_fails_in_a_call_begins_anew";
    let software = Double {
        element: "openh264enc",
        numbers: &[("bitrate", None), ("gop-size", Some("key-int-max"))],
        words: &[],
        ..VA
    };
    with_double(name, software, || begins_anew(software));
}

#[test]
fn hardware_by_name_that_fails_in_a_call_begins_anew() {
    let name = "encoders::hardware_by_name_that_fails_in_a_call_begins_anew";
    with_double(name, VA, || begins_anew(VA));
}
