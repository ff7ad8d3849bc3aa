//! Decides which of several devices is to be opened, and when. Pure.
//!
//! One device is wanted. While it cannot be used, the others stand in for it in the order of the
//! configuration, and it is tried again beside them. Without any device all are tried.

use std::time::Duration;

use tokio::time::Instant;

use crate::process::backoff::{Backoff, Reconnect};

/// Waits between tries of one device; it may come back any time, so they never end.
const AGAIN: Reconnect = Reconnect {
    window: Duration::MAX,
    min: Duration::from_millis(500),
    max: Duration::from_secs(30),
};
/// The longest wait while nothing delivers.
const NOTHING_DELIVERS: Duration = Duration::from_millis(2500);
/// Minimum time between two tries, whatever the kernel announces: our choice.
const BREATH: Duration = Duration::from_millis(200);

/// The wanted device, and the health of each.
#[derive(Debug)]
pub(super) struct DeviceChoice {
    wanted: usize,
    health: Vec<Health>,
}

#[derive(Debug)]
struct Health {
    backoff: Backoff,
    failed: Option<Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    at: Instant,
    wait: Duration,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Open this device now.
    Open(usize),
    /// Look again then.
    At(Instant),
    /// Do nothing: the wanted device delivers.
    Stay,
}

impl DeviceChoice {
    /// A choice of so many devices, at least one; the first is wanted.
    pub(super) fn new(devices: usize) -> Self {
        let health = || Health {
            backoff: Backoff::new(AGAIN),
            failed: None,
        };
        Self {
            wanted: 0,
            health: std::iter::repeat_with(health).take(devices).collect(),
        }
    }

    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Notes that somebody asked for this device, and that it delivers.
    pub(super) fn want(&mut self, device: usize) {
        self.wanted = device;
    }

    /// Failures of the device since it was last well.
    pub(super) fn tries(&self, device: usize) -> u32 {
        self.health.get(device).map_or(0, |h| h.backoff.failures())
    }

    /// Notes that the device cannot be opened, or worked and is gone. `random` is in 0..1. Returns
    /// how long it is left alone.
    pub(super) fn failed(&mut self, device: usize, now: Instant, random: f64) -> Duration {
        let Some(health) = self.health.get_mut(device) else {
            return AGAIN.max;
        };
        let wait = health.backoff.next(now, random).unwrap_or(AGAIN.max);
        health.failed = Some(Failed { at: now, wait });
        wait
    }

    /// Notes that the device has delivered for a while.
    pub(super) fn well(&mut self, device: usize) {
        if let Some(health) = self.health.get_mut(device) {
            health.backoff.reset();
            health.failed = None;
        }
    }

    /// Notes that the kernel announced devices: each may work now.
    pub(super) fn announced(&mut self) {
        for health in &mut self.health {
            health.backoff.reset();
            if let Some(failed) = &mut health.failed {
                failed.wait = Duration::ZERO;
            }
        }
    }

    /// Decides what follows while `live` delivers, or nothing does.
    pub(super) fn next(&self, now: Instant, live: Option<usize>) -> Next {
        let order = (0..self.health.len()).map(|n| (self.wanted + n) % self.health.len());
        let candidates = match live {
            Some(live) if live == self.wanted => return Next::Stay,
            Some(_) => order.take(1),
            None => order.take(self.health.len()),
        };
        let due = candidates.map(|device| (device, self.due(device, now, live.is_some())));
        // The first of those that are due soonest: all of the past are due now.
        let first = due.min_by_key(|(_, at)| (*at).max(now));
        match first {
            Some((device, at)) if at <= now => Next::Open(device),
            Some((_, at)) => Next::At(at),
            None => Next::Stay,
        }
    }

    fn due(&self, device: usize, now: Instant, delivers: bool) -> Instant {
        let Some(Failed { at, wait }) = self.health[device].failed else {
            return now;
        };
        let most = if delivers {
            AGAIN.max
        } else {
            NOTHING_DELIVERS
        };
        at + wait.clamp(BREATH, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fact of the story that a test tells.
    enum Fact {
        Failed(usize),
        Well(usize),
        Announced,
        Want(usize),
    }
    use Fact::{Announced, Failed, Want, Well};

    /// The step at `at` ms with `live` delivering, after facts with their times in ms.
    fn next(devices: usize, facts: &[(u64, Fact)], at: u64, live: Option<usize>) -> String {
        let start = Instant::now();
        let time = |ms| start + Duration::from_millis(ms);
        let mut choice = DeviceChoice::new(devices);
        for (ms, fact) in facts {
            match fact {
                Failed(device) => drop(choice.failed(*device, time(*ms), 0.0)),
                Well(device) => choice.well(*device),
                Announced => choice.announced(),
                Want(device) => choice.want(*device),
            }
        }
        match choice.next(time(at), live) {
            Next::Open(device) => format!("open {device}"),
            Next::At(due) => format!("at {}", (due - start).as_millis()),
            Next::Stay => "stay".to_owned(),
        }
    }

    #[test]
    fn one_device_is_opened_watched_and_tried_again() {
        for (facts, at, live, expected) in [
            (&[][..], 0, None, "open 0"),
            (&[], 0, Some(0), "stay"),
            (&[(0, Failed(0))], 0, None, "at 500"),
            (&[(0, Failed(0))], 500, None, "open 0"),
            (&[(0, Failed(0)), (500, Failed(0))], 500, None, "at 1500"),
            // Never more than 2.5 s while nothing delivers, however often it failed.
            (
                &[
                    (0, Failed(0)),
                    (1, Failed(0)),
                    (2, Failed(0)),
                    (3, Failed(0)),
                    (4, Failed(0)),
                    (5, Failed(0)),
                ],
                6,
                None,
                "at 2505",
            ),
            // Well for a while: the next fault is a new one.
            (
                &[
                    (0, Failed(0)),
                    (1, Failed(0)),
                    (2, Well(0)),
                    (9000, Failed(0)),
                ],
                9000,
                None,
                "at 9500",
            ),
            // Announced: now, but not more often than every 200 ms.
            (&[(0, Failed(0)), (300, Announced)], 300, None, "open 0"),
            (&[(0, Failed(0)), (100, Announced)], 100, None, "at 200"),
            // Its permissions came after its node: again soon.
            (
                &[(0, Failed(0)), (300, Announced), (310, Failed(0))],
                310,
                None,
                "at 810",
            ),
            // Announcements that nothing comes of: the back-off goes on from the start.
            (
                &[
                    (0, Failed(0)),
                    (1, Failed(0)),
                    (2, Announced),
                    (300, Failed(0)),
                ],
                300,
                None,
                "at 800",
            ),
        ] {
            assert_eq!(next(1, facts, at, live), expected, "at {at} ms");
        }
    }

    #[test]
    fn others_stand_in_for_the_wanted_one_until_it_is_back() {
        for (facts, at, live, expected) in [
            // It fails: the next, then the one after it.
            (&[(0, Failed(0))][..], 0, None, "open 1"),
            (&[(0, Failed(0)), (10, Failed(1))], 10, None, "open 2"),
            // None works: whichever is due first, in order.
            (
                &[(0, Failed(0)), (10, Failed(1)), (20, Failed(2))],
                20,
                None,
                "at 500",
            ),
            (
                &[(0, Failed(0)), (10, Failed(1)), (20, Failed(2))],
                600,
                None,
                "open 0",
            ),
            // One stands in: only the wanted one is tried beside it.
            (&[(0, Failed(0))], 10, Some(1), "at 500"),
            (&[(0, Failed(0))], 500, Some(1), "open 0"),
            (&[(0, Failed(0)), (1, Failed(1))], 10, Some(2), "at 500"),
            // Beside one that delivers there is more patience.
            (
                &[
                    (0, Failed(0)),
                    (1, Failed(0)),
                    (2, Failed(0)),
                    (3, Failed(0)),
                    (4, Failed(0)),
                ],
                10,
                Some(1),
                "at 8004",
            ),
            (
                &[(0, Failed(0)), (5000, Announced)],
                5000,
                Some(1),
                "open 0",
            ),
            // The stand-in fails too.
            (&[(0, Failed(0)), (100, Failed(1))], 100, None, "open 2"),
            // Another one is wanted: it is where the order begins.
            (&[(0, Want(1))], 0, Some(1), "stay"),
            (&[(0, Want(1)), (10, Failed(1))], 10, None, "open 2"),
            (&[(0, Want(2)), (10, Failed(2))], 10, None, "open 0"),
            (&[(0, Want(1)), (10, Failed(1))], 20, Some(2), "at 510"),
            (&[(0, Want(1)), (10, Failed(1))], 510, Some(0), "open 1"),
            // It is asked for while it stands in: it stays.
            (&[(0, Failed(0)), (10, Want(1))], 9000, Some(1), "stay"),
        ] {
            assert_eq!(
                next(3, facts, at, live),
                expected,
                "at {at} ms, live {live:?}"
            );
        }
    }

    #[test]
    fn counts_tries_since_the_device_was_well() {
        let (mut choice, now) = (DeviceChoice::new(2), Instant::now());
        choice.failed(0, now, 1.0);
        choice.failed(0, now, 1.0);
        assert_eq!((choice.tries(0), choice.tries(1)), (2, 0));
        choice.well(0);
        assert_eq!(choice.tries(0), 0);
        assert_eq!(choice.wanted(), 0);
    }
}
