//! Frames and kbit per second from counters that only grow.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Time over which rates are averages.
const WINDOW: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
struct Point {
    at: Instant,
    frames: u64,
    bytes: u64,
}

/// The counters of the last two seconds.
#[derive(Debug, Default)]
pub(super) struct Rates {
    points: VecDeque<Point>,
}

impl Rates {
    /// Takes the counters at `now`; gives frames and kbit per second since the oldest point of
    /// the window.
    pub(super) fn update(&mut self, frames: u64, bytes: u64, now: Instant) -> (f64, f64) {
        self.points.push_back(Point {
            at: now,
            frames,
            bytes,
        });
        while let Some(second) = self.points.get(1)
            && now.saturating_duration_since(second.at) >= WINDOW
        {
            self.points.pop_front();
        }
        let Some(first) = self.points.front() else {
            return (0.0, 0.0);
        };
        let seconds = now.saturating_duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        let per_second = |new: u64, old: u64| new.saturating_sub(old) as f64 / seconds;
        (
            per_second(frames, first.frames),
            per_second(bytes, first.bytes) * 8.0 / 1000.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_over_the_window() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        assert_eq!(rates.update(0, 0, start), (0.0, 0.0));
        let mut last = (0.0, 0.0);
        for tick in 1..=20u32 {
            let now = start + Duration::from_millis(500) * tick;
            last = rates.update(u64::from(tick) * 15, u64::from(tick) * 50_000, now);
            assert!(rates.points.len() <= 6);
        }
        assert_eq!(last, (30.0, 800.0));
        for tick in 21..=25u32 {
            let now = start + Duration::from_millis(500) * tick;
            last = rates.update(300, 1_000_000, now);
        }
        assert_eq!(last, (0.0, 0.0), "a stream that stopped has no rate");
    }
}
