//! The age of each picture where it would be seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::delay_report::ReceiverFigures;
use crate::bench::tools::Spread;
use crate::media::time_code;

/// Time after its first picture in which a receiver finds its pace, and nothing is measured.
const SETTLING: Duration = Duration::from_secs(2);

/// Ages of the pictures of one receiver; clones share them.
#[derive(Debug, Clone)]
pub(super) struct PictureAges(Arc<Mutex<Notes>>);

#[derive(Debug)]
struct Notes {
    started: Instant,
    first: Option<Instant>,
    /// Time code of the newest picture: a repeated picture is not measured again.
    newest: u64,
    ages: Vec<Duration>,
}

impl PictureAges {
    /// Begins to measure a receiver that starts now.
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

    /// Takes note of a picture with this time code that is seen now.
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

    pub(super) fn figures(&self) -> ReceiverFigures {
        let notes = self.notes();
        let first = notes.first.map(|first| first - notes.started);
        ReceiverFigures {
            age_ms: Spread::of(&notes.ages),
            first_picture_ms: first.map(|first| first.as_secs_f64() * 1e3),
        }
    }
}
