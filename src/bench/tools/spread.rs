//! The spread of measured times.

use std::time::Duration;

use serde::Serialize;

use crate::demo::latency::nearest_rank;

/// Percentiles in milliseconds, by nearest rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) n: usize,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(times: &[Duration]) -> Self {
        let mut sorted: Vec<_> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            n: sorted.len(),
            p50: nearest_rank(&sorted, 50),
            p95: nearest_rank(&sorted, 95),
            p99: nearest_rank(&sorted, 99),
            max: sorted.last().copied().unwrap_or(0.0),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            n,
            p50,
            p95,
            p99,
            max,
        } = self;
        write!(
            f,
            "{n} in ms: p50 {p50:.2}, p95 {p95:.2}, p99 {p99:.2}, max {max:.2}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_milliseconds_by_nearest_rank() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let spread = Spread::of(&times);
        assert_eq!(
            spread.to_string(),
            "200 in ms: p50 100.00, p95 190.00, p99 198.00, max 200.00"
        );
        assert_eq!(Spread::of(&[]), Spread::default());
    }
}
