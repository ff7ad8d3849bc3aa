//! Silence is a failure: tells when a counter has stood still for too long.

use std::time::Duration;

use tokio::time::Instant;

/// Watches one counter that must grow while all is well.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    limit: Duration,
    count: u64,
    since: Instant,
}

impl Progress {
    pub(crate) fn new(limit: Duration, now: Instant) -> Self {
        Self {
            limit,
            count: 0,
            since: now,
        }
    }

    /// Time for which the counter has not grown, if that is `limit` or more. What it reached once
    /// counts: one that goes back and forth stands still.
    pub(crate) fn stalled(&mut self, now: Instant, count: u64) -> Option<Duration> {
        if count > self.count {
            self.count = count;
            self.since = now;
        }
        let still = now.saturating_duration_since(self.since);
        (still >= self.limit).then_some(still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_standing_still_from_moving() {
        let start = Instant::now();
        let mut progress = Progress::new(Duration::from_secs(2), start);
        for (seconds, count, stalled) in [
            (0.0, 0, None),
            (1.9, 0, None),
            (2.0, 0, Some(2.0)),
            (2.1, 1, None),
            (4.0, 1, None),
            (4.1, 1, Some(2.0)),
            (4.2, 0, Some(2.1)),
            (4.3, 1, Some(2.2)),
            (5.0, 7, None),
        ] {
            assert_eq!(
                progress.stalled(start + Duration::from_secs_f64(seconds), count),
                stalled.map(Duration::from_secs_f64),
                "{count} at {seconds} s"
            );
        }
    }
}
