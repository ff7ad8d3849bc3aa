//! Decoders that fail: 2106, and pictures go on with software.

use std::time::{Duration, Instant};

use rtckiosk::config::kiosk::EncoderChoice;
use rtckiosk::media::downlink::{Downlink, DownlinkConfig, PlayEvent};
use rtckiosk::process::backoff::Reconnect;
use rtckiosk::protocol::events::{PlayCode, PushCode};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::double::{Double, Fails, REASON};
use crate::nginx::Nginx;
use crate::uplink_rig::Push;
use crate::{PATIENCE, expect_no_pause, with_double};

/// The player shows no longer pause when hardware reports an error: reconnecting and a key frame,
/// measured 0.7 s.
const PAUSE: Duration = Duration::from_secs(2);
/// The same when it falls silent, which must be noticed first: measured 3.7 s.
const PAUSE_OF_SILENCE: Duration = Duration::from_secs(6);

/// A decoder of Intel's and AMD's graphics.
const VA: Double = Double {
    element: "vah264dec",
    software: "avdec_h264",
    fixed: &[("thread-type", "slice")],
    numbers: &[],
    words: &[],
    after: 100,
    fails: Fails::WithError,
};

async fn until(events: &mut mpsc::Receiver<PlayEvent>, code: PlayCode) -> PlayEvent {
    let wait = async {
        loop {
            let event = events.recv().await.expect("the player lives");
            if event.code == code {
                return event;
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("the event comes")
}

async fn replaced(double: Double, reason: &str, pause: Duration) {
    let nginx = Nginx::start();
    let url = nginx.url("live", "call");
    let software = EncoderChoice::Named("x264enc".to_owned());
    let mut push = Push::with(&url, |config| config.encoder = software).await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    let config = DownlinkConfig {
        url: url.into(),
        reconnect: Reconnect::default(),
        speaker: None,
        tls: rtckiosk::tls::ClientTls::default(),
        largest_picture: (1920, 1088),
    };
    let (tell, mut events) = mpsc::channel(256);
    let downlink = Downlink::start(config, tell);
    let mut picture = downlink.picture();
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        while picture.changed().await.is_ok() {
            if picture.borrow_and_update().is_some() {
                seen.push(Instant::now());
            }
        }
        seen
    });
    let began = until(&mut events, PlayCode::StartVideoDecoder).await;
    assert_eq!(began.message, double.element);
    let told = until(&mut events, PlayCode::HwAccelerationFail).await;
    let failed = Instant::now();
    assert!(told.message.contains(double.element), "{told:?}");
    assert!(told.message.contains(reason), "{told:?}");
    let began = until(&mut events, PlayCode::StartVideoDecoder).await;
    assert_eq!(began.message, "avdec_h264");
    // Longer than the double works: it must not be used again.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let stats = downlink.stats().borrow().clone();
    assert_eq!(
        (stats.decoder, stats.reconnects),
        ("avdec_h264", 1),
        "{stats:?}"
    );
    downlink.stop().await;
    let seen = timeout(PATIENCE, seen).await.unwrap().unwrap();
    expect_no_pause(&seen, pause);
    let after = seen.iter().filter(|at| **at > failed).count();
    assert!(after > 100, "{after} pictures after the failure");
    push.end().await;
}

#[test]
fn hardware_that_fails_in_a_call_is_replaced_by_software() {
    let name = "decoders::hardware_that_fails_in_a_call_is_replaced_by_software";
    with_double(name, VA, || replaced(VA, REASON, PAUSE));
}

#[test]
fn hardware_that_falls_silent_in_a_call_is_replaced_by_software() {
    let name = "decoders::hardware_that_falls_silent_in_a_call_is_replaced_by_software";
    with_double(name, VA.silent(), || {
        replaced(VA.silent(), "no picture came out", PAUSE_OF_SILENCE)
    });
}
