//! The server's two clocks in one place: a steady one for lifetimes, the calendar for signatures.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The moment of a change, on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the server's start; never steps, so that setting the clock drops nobody.
    pub steady: Duration,
    /// Unix seconds; stream URLs are signed with it.
    pub unix: u64,
}

/// Both clocks, from the server's start on.
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

/// A calendar of unix seconds; injected, so that tests choose when a signature expires.
#[derive(Clone)]
pub(super) struct Calendar(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Calendar {
    pub(super) fn new(unix_now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(unix_now))
    }

    pub(super) fn unix_now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calendar")
    }
}
