//! Whether the room server is there, judged by the outcomes of exchanges. Pure.

use tokio::time::Instant;

/// Failures in a row from which on the server counts as unreachable: one may be bad luck.
const FAILURES: u32 = 2;

/// A change of reachability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Lost { since: Instant },
    Found,
}

#[derive(Debug, Default)]
pub(super) struct Reachability {
    failures: u32,
    since: Option<Instant>,
}

impl Reachability {
    /// Counts an exchange that ended at `now`, with an answer or not.
    pub(super) fn record(&mut self, answered: bool, now: Instant) -> Option<Change> {
        if answered {
            let was_lost = self.failures >= FAILURES;
            *self = Self::default();
            return was_lost.then_some(Change::Found);
        }
        let since = *self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        (self.failures == FAILURES).then_some(Change::Lost { since })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tells_each_change_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let lost = Some(Change::Lost { since: at(1) });
        let mut reachability = Reachability::default();
        for (answered, seconds, change) in [
            (true, 0, None),
            (false, 1, None),
            (false, 2, lost),
            (false, 3, None),
            (true, 4, Some(Change::Found)),
            (true, 5, None),
            (false, 6, None),
            (true, 7, None),
        ] {
            assert_eq!(
                reachability.record(answered, at(seconds)),
                change,
                "{seconds}"
            );
        }
    }
}
