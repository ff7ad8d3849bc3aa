//! Takes note of how old each picture is where it would be seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bench::spread::Spread;
use crate::media::time_code;

/// Before this a receiver finds its pace.
const SETTLING: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Notes {
    started: Instant,
    first: Option<Instant>,
    /// Time code of the newest picture: a repeated one is not measured again.
    newest: u64,
    ages: Vec<Duration>,
}

/// One receiver; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Gauge(Arc<Mutex<Notes>>);

impl Gauge {
    /// The receiver starts now.
    pub(super) fn start() -> Self {
        Self(Arc::new(Mutex::new(Notes {
            started: Instant::now(),
            first: None,
            newest: 0,
            ages: Vec::new(),
        })))
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A picture with this time code is seen now.
    pub(super) fn seen(&self, code: Option<u64>) {
        let now = time_code::now_micros();
        let mut notes = self.notes();
        let first = *notes.first.get_or_insert_with(Instant::now);
        let Some(code) = code.filter(|&code| code > notes.newest && code <= now) else {
            return;
        };
        notes.newest = code;
        if first.elapsed() >= SETTLING {
            notes.ages.push(Duration::from_micros(now - code));
        }
    }

    pub(super) fn spread(&self) -> Spread {
        Spread::of(&self.notes().ages)
    }

    pub(super) fn first_picture(&self) -> Option<Duration> {
        let notes = self.notes();
        notes.first.map(|first| first - notes.started)
    }
}
