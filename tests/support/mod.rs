//! Shared by the tests of whole calls: the real programs as processes, a real nginx, and the
//! words in which they are asked.

#![allow(dead_code, reason = "each test program uses its part of this")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) mod kiosk;
pub(crate) mod locked;
#[path = "../wire/nginx.rs"]
pub(crate) mod nginx;
pub(crate) mod program;
pub(crate) mod secrets;
pub(crate) mod server;

/// For a step that a healthy machine makes in a second or two.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The right to use the processors for a call: calls that run side by side spoil each other's
/// figures on a small machine.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks every 50 ms until there is something to see.
pub(crate) fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            begun.elapsed() < patience,
            "not within {} s: {what}",
            patience.as_secs()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// As [`until`], for a condition.
pub(crate) fn until_true(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    until(what, patience, || holds().then_some(()));
}

/// Waits until a count of frames goes up by `frames`; a player that was replaced counts from 0.
pub(crate) fn until_grown(
    what: &str,
    patience: Duration,
    frames: u64,
    mut count: impl FnMut() -> u64,
) {
    let mut from = count();
    until_true(what, patience, || {
        let now = count();
        from = from.min(now);
        now >= from + frames
    });
}

/// The text at a path of keys such as `session.state`; empty when there is none.
pub(crate) fn text(value: &Value, path: &str) -> String {
    at(value, path).as_str().unwrap_or_default().to_owned()
}

/// The whole number at a path of keys; 0 when there is none.
pub(crate) fn number(value: &Value, path: &str) -> u64 {
    at(value, path).as_u64().unwrap_or_default()
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, key| &value[key])
}
