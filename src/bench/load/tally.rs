//! The counts and times that the members of a load measure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most failures that are kept in words: the first ones say enough.
const KEPT: usize = 5;

/// Counts that all members add to.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Requests of all kinds that were answered.
    pub(super) answered: u64,
    /// Times from when a heartbeat was due to its answer: whatever keeps it waiting counts.
    pub(super) heartbeats: Vec<Duration>,
    /// Times from sending it to its answer.
    pub(super) answers: Vec<Duration>,
    /// The same of the baseline.
    pub(super) baseline_answers: Vec<Duration>,
    /// Delays with which heartbeats left: the clients' own.
    pub(super) late: Vec<Duration>,
    pub(super) heartbeats_failed: u64,
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

    /// Counts a heartbeat that left `late`, and the time that its answer then took.
    pub(super) fn heartbeat_answered(&self, answered: anyhow::Result<Duration>, late: Duration) {
        let mut counts = self.counts();
        counts.late.push(late);
        match answered {
            Ok(took) => {
                counts.answered += 1;
                counts.heartbeats.push(late + took);
                counts.answers.push(took);
            }
            Err(error) => {
                counts.heartbeats_failed += 1;
                counts.failed("a heartbeat", &error);
            }
        }
    }

    /// Counts a request to the baseline.
    pub(super) fn baseline_answered(&self, answered: anyhow::Result<Duration>) {
        let mut counts = self.counts();
        match answered {
            Ok(took) => counts.baseline_answers.push(took),
            Err(error) => counts.failed("a request to nginx", &error),
        }
    }

    /// Counts a poll, and the messages that it brought.
    pub(super) fn poll_answered(&self, messages: anyhow::Result<usize>) {
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

    /// The counts since the last call. Failures stay: each counts for the whole.
    pub(super) fn take(&self) -> Counts {
        let mut counts = self.counts();
        let rest = Counts {
            heartbeats_failed: counts.heartbeats_failed,
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
        tally.heartbeat_answered(Ok(took), took);
        tally.heartbeat_answered(Err(anyhow::anyhow!("broken")), took);
        let counts = tally.take();
        assert_eq!(
            (counts.heartbeats, counts.answers),
            (vec![2 * took], vec![took])
        );
        let counts = tally.take();
        assert_eq!((counts.heartbeats.len(), counts.heartbeats_failed), (0, 1));
        assert_eq!(counts.failures, ["a heartbeat failed: broken"]);
    }
}
