//! The kiosk on bad networks: two network namespaces, the kernel's token bucket, and a link that
//! delays, loses and vanishes, with a real relay on the far side. Skipped, with the reason, where
//! namespaces cannot be made; but in CI (`CI=true`) that is a failure.
#![cfg(feature = "kiosk")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod call;
mod compare;
mod control;
mod dead;
mod far;
mod gone;
mod judge;
mod lab;
mod narrow;
mod near;
#[path = "../wire/nginx.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod nginx;
mod other;
mod plot;
mod unsteady;
mod wire;

use std::time::{Duration, Instant};

use self::lab::Lab;
use self::near::Said;

/// A picture that takes as many bits as it gets: coarse noise.
const CAMERA: &str = "videotestsrc is-live=true pattern=snow ! \
    video/x-raw,format=I420,width=128,height=72,framerate=30/1 ! videoscale";
const SIZE: (u32, u32) = (640, 360);
const FPS: u32 = 30;
const STREAM: &str = "kiosk";
const AGENT: &str = "agent";

/// Runs the near side; not a test by itself.
#[test]
#[ignore = "the other tests start it in a network namespace"]
fn near_side() {
    near::run();
}

fn sleep(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

/// Takes what the near side says until it has said what is waited for.
fn until(lab: &Lab, what: &str, patience: Duration, found: impl Fn(&Said) -> bool) -> Vec<Said> {
    let begun = Instant::now();
    let mut said = Vec::new();
    loop {
        let news = lab.said();
        let done = news.iter().any(&found);
        said.extend(news);
        if done {
            return said;
        }
        assert!(
            begun.elapsed() < patience,
            "not within {patience:?}: {what}"
        );
        sleep(0.05);
    }
}

/// The events that the near side told, with their times.
fn told(said: &[Said]) -> impl Iterator<Item = (u64, i32, &str)> {
    said.iter().filter_map(|said| match said {
        Said::Told { at, code, message } => Some((*at, *code, message.as_str())),
        _ => None,
    })
}
