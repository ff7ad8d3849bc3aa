//! How long to wait before trying again. Pure: the random number is passed in.

use std::time::Duration;

/// Doubles the pause with every failure, up to a limit, and spreads it so that a thousand
/// kiosks do not come back in the same instant.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses between `min` and `max`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max: max.max(min),
            failures: 0,
        }
    }

    /// The pause after one more failure; `random` in 0..1 picks from its upper half.
    pub fn next_pause(&mut self, random: f64) -> Duration {
        // 2^16 steps reach any sensible limit.
        let doubled = self.min.saturating_mul(1 << (self.failures + 1).min(16));
        self.failures = self.failures.saturating_add(1);
        doubled
            .min(self.max)
            .mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
            .clamp(self.min, self.max)
    }

    /// Failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// To be called after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
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

    const MIN: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(10);

    #[test]
    fn doubles_up_to_the_limit_and_starts_anew() {
        let mut backoff = Backoff::new(MIN, MAX);
        let pauses: Vec<_> = (0..7)
            .map(|_| backoff.next_pause(1.0).as_millis())
            .collect();
        assert_eq!(pauses, [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
        assert_eq!(backoff.failures(), 7);
        backoff.reset();
        assert_eq!(backoff.next_pause(0.0), MIN);
    }

    proptest::proptest! {
        #[test]
        fn stays_between_the_limits(failures in 0_u32..100, random in 0.0_f64..1.0) {
            let mut backoff = Backoff::new(MIN, MAX);
            for _ in 0..failures {
                backoff.next_pause(random);
            }
            let pause = backoff.next_pause(random);
            assert!((MIN..=MAX).contains(&pause), "{pause:?}");
        }
    }
}
