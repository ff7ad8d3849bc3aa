//! The server's two clocks in one place: a steady one for lifetimes, the calendar for signatures.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::rooms::Now;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(super) fn now(self) -> Now {
        Now {
            steady: self.start.elapsed(),
            unix: unix_now(),
        }
    }
}

/// Unix seconds; 0 before 1970, when nothing is valid yet.
pub(super) fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
