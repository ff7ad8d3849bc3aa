//! A figure that follows its newest values without jumping.

use std::time::Duration;

/// Weight of the newest value: half of it comes from the last ten or so.
const NEWEST: f64 = 1.0 / 16.0;

/// A smoothed time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Smooth(Option<f64>);

impl Smooth {
    pub(crate) fn note(&mut self, time: Duration) {
        let ms = time.as_secs_f64() * 1e3;
        self.0 = Some(self.0.map_or(ms, |before| before + (ms - before) * NEWEST));
    }

    /// Value in ms, to a tenth; `None` before the first one.
    pub(crate) fn ms(self) -> Option<f64> {
        self.0.map(tenths)
    }
}

/// Rounded to what a person reads.
pub(crate) fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_and_forgets() {
        let mut smooth = Smooth::default();
        assert_eq!(smooth.ms(), None);
        smooth.note(Duration::from_micros(10_040));
        assert_eq!(smooth.ms(), Some(10.0));
        smooth.note(Duration::from_millis(26));
        assert_eq!(smooth.ms(), Some(11.0));
        for _ in 0..100 {
            smooth.note(Duration::from_millis(3));
        }
        assert_eq!(smooth.ms(), Some(3.0));
    }
}
