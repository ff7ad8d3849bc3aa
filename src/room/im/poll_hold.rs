//! The time for which a group poll is to be held, and after which its silence is suspicious.
//! Pure.
//!
//! The service holds a poll for up to half a minute, and a service that hangs looks just the
//! same. So a short hold is asked for: when no answer has come a little after it, the member
//! list is polled. A service that holds for as long as it likes is soon found out, and is then
//! believed.

use std::time::Duration;

use super::client::POLL_MARGIN;

/// First hold that the official client asks for.
const FIRST: Duration = Duration::from_secs(90);
/// Hold that we ask for: members must be noticed within 3 s.
const SHORT: Duration = Duration::from_secs(2);
/// Time for the way there and back, by which a punctual answer may be late.
const LATE: Duration = Duration::from_millis(500);

/// The service's habit with holds, for one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Unknown,
    /// Holds no longer than asked.
    Obeys,
    /// Holds as long as it says itself.
    Decides,
}

#[derive(Debug)]
pub(super) struct PollHold {
    /// The service's own hold time.
    given: Duration,
    habit: Habit,
}

impl Default for PollHold {
    fn default() -> Self {
        Self {
            given: FIRST,
            habit: Habit::Unknown,
        }
    }
}

impl PollHold {
    /// Returns the hold to ask for.
    pub(super) fn asked(&self) -> Duration {
        match self.habit {
            Habit::Unknown | Habit::Obeys => self.given.min(SHORT),
            Habit::Decides => self.given,
        }
    }

    /// Returns the silence after which the service may be hanging.
    pub(super) fn doubt_after(&self) -> Duration {
        self.asked() + LATE
    }

    /// Returns the silence after which the poll has failed.
    pub(super) fn deadline(&self) -> Duration {
        match self.habit {
            Habit::Obeys => self.asked() + POLL_MARGIN,
            Habit::Unknown | Habit::Decides => self.given + POLL_MARGIN,
        }
    }

    /// Learns from an answer that came after `took` and names `seconds` as hold time.
    pub(super) fn answered(&mut self, took: Duration, seconds: u64, empty: bool) {
        let asked = self.asked();
        if seconds > 0 {
            self.given = Duration::from_secs(seconds.min(FIRST.as_secs()));
        }
        let punctual = took <= asked + LATE;
        if self.habit == Habit::Unknown && empty && punctual && took >= asked / 2 {
            self.habit = Habit::Obeys;
        } else if self.habit == Habit::Unknown && !punctual {
            self.habit = Habit::Decides;
        }
    }

    /// Returns the pause before the next poll, after an answer that took so long and was `idle`:
    /// a service that does not hold is not asked in a busy loop.
    pub(super) fn pause_after(took: Duration, idle: bool) -> Duration {
        if idle && took < LATE {
            LATE
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_service_that_obeys_is_caught_hanging_within_three_seconds() {
        let mut hold = PollHold::default();
        assert_eq!((hold.asked(), hold.deadline()), (S(2), S(95)));
        hold.answered(Duration::from_millis(20), 25, false);
        assert_eq!(hold.deadline(), S(30), "a message proves nothing");
        hold.answered(S(2), 25, true);
        assert_eq!((hold.asked(), hold.deadline()), (S(2), S(7)));
        assert!(hold.doubt_after() < S(3));
        // A hang that passed does not change what is known.
        hold.answered(S(6), 25, true);
        assert_eq!(hold.deadline(), S(7));
    }

    #[test]
    fn a_service_that_decides_itself_is_believed() {
        let mut hold = PollHold::default();
        hold.answered(S(25), 25, true);
        assert_eq!((hold.asked(), hold.deadline()), (S(25), S(30)));
        assert!(hold.doubt_after() > S(25));
    }

    #[test]
    fn a_service_that_does_not_hold_is_not_asked_in_a_loop() {
        let quick = Duration::from_millis(3);
        assert!(PollHold::pause_after(quick, true) > Duration::ZERO);
        assert_eq!(PollHold::pause_after(quick, false), Duration::ZERO);
        assert_eq!(PollHold::pause_after(S(2), true), Duration::ZERO);
        let mut hold = PollHold::default();
        hold.answered(quick, 1_000_000, true);
        assert_eq!(hold.given, FIRST);
        assert_eq!(hold.habit, Habit::Unknown);
    }
}
