//! Hardware that fails in the middle of a call, and what the call makes of it.
//!
//! No machine that runs these tests has such hardware, and none of it fails at will. So a double
//! stands for it: under the name of a hardware element it encodes or decodes in software, passes
//! the trials, and after some seconds of a call reports an error, or falls silent as a driver that
//! hangs. Everything else is real: the choice, the push, the relay and the players. Each test runs
//! in a process of its own, because GStreamer's registry is one for the whole process.
#![cfg(feature = "kiosk")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod decoders;
mod double;
mod encoders;
#[path = "../wire/nginx.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod nginx;
#[path = "../wire/uplink_rig.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod uplink_rig;

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtckiosk::media::codecs::{self, Kind, Shape};

use self::double::Double;

/// A step that takes a second or less on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// Set in a process of its own.
const INSIDE: &str = "RTK_HARDWARE_INSIDE";

/// Runs `test`, the test of this name, in a process in which `double` is an element.
fn with_double<T: Future<Output = ()>>(name: &str, double: Double, test: impl FnOnce() -> T) {
    if std::env::var_os(INSIDE).is_none() {
        // These tests measure: several at once would measure each other.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let status = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(INSIDE, "1")
            .status();
        assert!(status.unwrap().success(), "{name} failed");
        return;
    }
    double::register(double);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // A call takes what is known to work when it begins.
        let report = codecs::finished(Shape::default()).await;
        let kinds = [Kind::H264Encoder, Kind::H264Decoder];
        let mut working = kinds.into_iter().flat_map(|kind| report.working(kind));
        let passed = working.any(|element| element == double.element);
        assert!(passed, "the double does not pass its trial: {report:#?}");
        test().await;
    });
}

/// Pictures that were seen at these moments, in order, never stood still for so long.
fn expect_no_pause(seen: &[Instant], longest: Duration) {
    let gaps = seen.windows(2).map(|pair| pair[1] - pair[0]);
    let gap = gaps.max().unwrap_or(Duration::MAX);
    let count = seen.len();
    println!("{count} pictures were seen, the longest pause is {gap:?}");
    assert!(gap < longest, "{gap:?} without a picture");
}
