//! What the members of a load measure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Failures that are kept word by word.
const KEPT: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Requests of all kinds that were answered.
    pub(super) answered: u64,
    /// From when a heartbeat was due to its answer: whatever keeps it waiting counts.
    pub(super) beats: Vec<Duration>,
    /// From sending it.
    pub(super) answers: Vec<Duration>,
    /// The same of the peer.
    pub(super) peer_answers: Vec<Duration>,
    /// By how much beats left later than planned: the clients' own delay.
    pub(super) late: Vec<Duration>,
    pub(super) beats_failed: u64,
    pub(super) polls: u64,
    pub(super) polls_failed: u64,
    /// Messages that polls brought.
    pub(super) messages: usize,
    /// The first failures in words.
    pub(super) failures: Vec<String>,
}

impl Tally {
    pub(super) fn answered(&self) {
        self.counts().answered += 1;
    }

    /// A heartbeat that left `late`, and how long its answer then took.
    pub(super) fn beaten(&self, beaten: anyhow::Result<Duration>, late: Duration) {
        let mut counts = self.counts();
        counts.late.push(late);
        match beaten {
            Ok(took) => {
                counts.answered += 1;
                counts.beats.push(late + took);
                counts.answers.push(took);
            }
            Err(error) => {
                counts.beats_failed += 1;
                counts.failed("a heartbeat", &error);
            }
        }
    }

    /// What the peer was asked at the same time.
    pub(super) fn peer_answered(&self, answered: anyhow::Result<Duration>) {
        let mut counts = self.counts();
        match answered {
            Ok(took) => counts.peer_answers.push(took),
            Err(error) => counts.failed("a request to the peer", &error),
        }
    }

    pub(super) fn polled(&self, messages: anyhow::Result<usize>) {
        let mut counts = self.counts();
        match messages {
            Ok(messages) => {
                counts.answered += 1;
                counts.polls += 1;
                counts.messages += messages;
            }
            Err(error) => {
                counts.polls_failed += 1;
                counts.failed("a poll", &error);
            }
        }
    }

    /// What was counted since the last call. Failures stay: each counts for the whole.
    pub(super) fn take(&self) -> Counts {
        let mut counts = self.counts();
        let rest = Counts {
            beats_failed: counts.beats_failed,
            polls_failed: counts.polls_failed,
            failures: counts.failures.clone(),
            ..Counts::default()
        };
        std::mem::replace(&mut *counts, rest)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts cannot be left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn failed(&mut self, what: &str, error: &anyhow::Error) {
        if self.failures.len() < KEPT {
            self.failures.push(format!("{what} failed: {error:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_before_the_measurement_is_not_forgotten() {
        let (tally, took) = (Tally::default(), Duration::from_millis(1));
        tally.beaten(Ok(took), took);
        tally.beaten(Err(anyhow::anyhow!("broken")), took);
        let counts = tally.take();
        assert_eq!((counts.beats, counts.answers), (vec![2 * took], vec![took]));
        let counts = tally.take();
        assert_eq!((counts.beats.len(), counts.beats_failed), (0, 1));
        assert_eq!(counts.failures, ["a heartbeat failed: broken"]);
    }
}
