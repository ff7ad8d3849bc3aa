//! When to try again, and when to give up: shared by uplink, downlink and capture.

use std::time::Duration;

use tokio::time::Instant;

/// Tencent's pushers and players give up after three tries in a row.
const QUICK_TRIES: u32 = 3;

/// How long and how often a lost stream is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Give up when this much time has passed since the loss and at least three tries failed.
    /// Zero means exactly three tries; `Duration::MAX` never gives up.
    pub window: Duration,
    /// Longest wait before the first try; it doubles with each further try.
    pub min: Duration,
    /// Longest wait before any try.
    pub max: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            min: Duration::from_millis(300),
            max: Duration::from_secs(2),
        }
    }
}

/// Counts failed tries since the last success. The caller passes time and randomness.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    config: Reconnect,
    lost_at: Option<Instant>,
    tries: u32,
}

impl Backoff {
    pub(crate) fn new(config: Reconnect) -> Self {
        Self {
            config,
            lost_at: None,
            tries: 0,
        }
    }

    /// The stream works: the next loss starts from the shortest wait.
    pub(crate) fn succeeded(&mut self) {
        self.lost_at = None;
        self.tries = 0;
    }

    /// Tries made since the loss.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// How long to wait before the next try, or `None` to give up. `random` is in 0..1 and
    /// takes up to half of the wait away, so that kiosks do not come back all at once.
    pub(crate) fn next(&mut self, now: Instant, random: f64) -> Option<Duration> {
        let lost_at = *self.lost_at.get_or_insert(now);
        let elapsed = now.saturating_duration_since(lost_at);
        if self.tries >= QUICK_TRIES && elapsed >= self.config.window {
            return None;
        }
        let doublings = self.tries.min(16);
        let ceiling = self
            .config
            .min
            .saturating_mul(1 << doublings)
            .min(self.config.max);
        self.tries = self.tries.saturating_add(1);
        Some(ceiling.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(config: Reconnect, random: f64, step: Duration) -> Vec<u128> {
        let mut backoff = Backoff::new(config);
        let start = Instant::now();
        let waits = (0..100).map_while(|i| backoff.next(start + step * i, random));
        waits.map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_end_with_the_window() {
        let config = Reconnect::default();
        let waits = millis(config, 0.0, Duration::from_secs(5));
        assert_eq!(waits, [300, 600, 1200, 2000, 2000, 2000]);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        let config = Reconnect::default();
        assert_eq!(
            millis(config, 1.0, Duration::from_secs(20)),
            [150, 300, 600]
        );
    }

    #[test]
    fn no_window_means_three_quick_tries() {
        let config = Reconnect {
            window: Duration::ZERO,
            ..Reconnect::default()
        };
        assert_eq!(millis(config, 0.0, Duration::ZERO).len(), 3);
    }

    #[test]
    fn an_endless_window_never_gives_up() {
        let config = Reconnect {
            window: Duration::MAX,
            ..Reconnect::default()
        };
        assert_eq!(millis(config, 0.0, Duration::from_secs(3600)).len(), 100);
    }

    #[test]
    fn success_starts_over() {
        let mut backoff = Backoff::new(Reconnect::default());
        let now = Instant::now();
        for _ in 0..3 {
            backoff.next(now, 0.0);
        }
        assert_eq!(backoff.tries(), 3);
        backoff.succeeded();
        let later = now + Duration::from_secs(100);
        assert_eq!(backoff.next(later, 0.0), Some(Duration::from_millis(300)));
    }
}
