//! Delays of pictures and their percentiles.

use serde::Serialize;

/// Milliseconds from leaving the source to being shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// Pictures measured.
    pub(crate) n: usize,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

impl Latency {
    /// Percentiles of delays in milliseconds, by nearest rank.
    pub(super) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self {
            n: samples.len(),
            p50: nearest_rank(&samples, 50),
            p95: nearest_rank(&samples, 95),
        }
    }
}

/// The percentile of sorted samples; 0 without a sample.
pub(crate) fn nearest_rank(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples = (1..=100).rev().map(f64::from).collect();
        assert_eq!(
            Latency::of(samples),
            Latency {
                n: 100,
                p50: 50.0,
                p95: 95.0
            }
        );
        assert_eq!(
            Latency::of(vec![7.0]),
            Latency {
                n: 1,
                p50: 7.0,
                p95: 7.0
            }
        );
        assert_eq!(Latency::of(vec![]), Latency::default());
    }
}
