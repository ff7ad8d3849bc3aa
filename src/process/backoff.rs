//! Pauses before another try, and the end of trying, for everything that is tried again. Pure:
//! time and random numbers are passed in.

use std::time::Duration;

use tokio::time::Instant;

/// Tencent's pushers and players give up after three tries in a row.
const QUICK_TRIES: u32 = 3;

/// Limits within which a lost stream is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Give up when this much time has passed since the loss and at least three tries failed.
    /// Zero means exactly three tries; `Duration::MAX` never gives up.
    pub window: Duration,
    /// Longest pause before the first try; it doubles with each further try.
    pub min: Duration,
    /// Longest pause before any try.
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

/// Counts failures since the last success.
#[derive(Debug, Clone)]
pub struct Backoff {
    limits: Reconnect,
    failing_since: Option<Instant>,
    failures: u32,
}

impl Backoff {
    #[must_use]
    pub fn new(limits: Reconnect) -> Self {
        Self {
            limits,
            failing_since: None,
            failures: 0,
        }
    }

    /// One that never gives up.
    #[must_use]
    pub fn endless(min: Duration, max: Duration) -> Self {
        Self::new(Reconnect {
            window: Duration::MAX,
            min,
            max,
        })
    }

    /// Failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// To be called after a success: the next failure starts from the shortest pause.
    pub fn reset(&mut self) {
        self.failing_since = None;
        self.failures = 0;
    }

    /// The pause after one more failure, or `None` to give up; `random` as in
    /// [`next_pause`](Self::next_pause).
    pub fn next(&mut self, now: Instant, random: f64) -> Option<Duration> {
        let since = *self.failing_since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if self.failures >= QUICK_TRIES && elapsed >= self.limits.window {
            return None;
        }
        Some(self.next_pause(random))
    }

    /// The pause after one more failure, whatever the window. `random` is in 0..1 and takes up
    /// to half of the pause away, so that kiosks do not come back all at once.
    pub fn next_pause(&mut self, random: f64) -> Duration {
        // 2^16 steps reach any sensible limit.
        let doubled = self.limits.min.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled
            .min(self.limits.max)
            .mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }
}

/// `base` made up to a tenth shorter or longer; `random` in 0..1.
#[must_use]
pub fn jittered(base: Duration, random: f64) -> Duration {
    base.mul_f64(0.9 + 0.2 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_end_with_the_window() {
        let limits = |window, min, max| Reconnect {
            window: Duration::from_millis(window),
            min: Duration::from_millis(min),
            max: Duration::from_millis(max),
        };
        let usual = Reconnect::default();
        let three_tries = limits(0, 300, 2000);
        // Limits, random number, milliseconds between tries, pauses in milliseconds.
        let table: [(Reconnect, f64, u64, &[u128]); 6] = [
            (usual, 0.0, 5_000, &[300, 600, 1200, 2000, 2000, 2000]),
            (usual, 1.0, 20_000, &[150, 300, 600]),
            (usual, 0.5, 20_000, &[225, 450, 900]),
            (three_tries, 0.0, 0, &[300, 600, 1200]),
            (limits(1, 5_000, 2_000), 0.0, 1, &[2000, 2000, 2000]),
            (limits(10, 1, 3), 0.0, 4, &[1, 2, 3]),
        ];
        for (limits, random, step, expected) in table {
            let mut backoff = Backoff::new(limits);
            let start = Instant::now();
            let step = Duration::from_millis(step);
            let pauses = (0..100).map_while(|i| backoff.next(start + step * i, random));
            let pauses: Vec<_> = pauses.map(|pause| pause.as_millis()).collect();
            assert_eq!(pauses, expected, "{limits:?} {random}");
            assert_eq!(backoff.failures() as usize, expected.len());
            backoff.reset();
            let later = start + Duration::from_secs(1000);
            assert_eq!(
                backoff.next(later, random).map(|pause| pause.as_millis()),
                expected.first().copied(),
                "after a success"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn an_endless_one_stays_between_the_limits(failures in 0_u32..100, random in 0.0_f64..1.0) {
            let (min, max) = (Duration::from_millis(500), Duration::from_secs(10));
            let mut backoff = Backoff::endless(min, max);
            let start = Instant::now();
            for hour in 0..failures {
                let now = start + Duration::from_secs(3600) * hour;
                proptest::prop_assert!(backoff.next(now, random).is_some());
            }
            let pause = backoff.next_pause(random);
            proptest::prop_assert!((min / 2..=max).contains(&pause), "{pause:?}");
        }
    }
}
