//! Decides what to do when the server does not know us as a member any more. Pure.
//!
//! The servers keep rooms and tokens in memory only, so the usual cause is a restart: the
//! token is refused too, and everybody has to come back. The second is our own silence: the
//! reaper drops a member that was silent for 20 s. Both are explained, and we come back as
//! often as needed: a room server never ends a call, the media flow without it.
//!
//! Without such an explanation somebody did it on purpose. Once may still be a restart of a
//! server that keeps its tokens, so we come back once; when it happens again soon, we accept it
//! (at once when the message channel announced it). A guest takes a room that vanished from
//! under a running call as closed, a host insists a little longer because it made the room, and
//! a member that is removed again and again is kicked.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::kiosk::Role;

/// Our place in the answer to `get_pushers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    RoomGone,
    NotListed,
    /// Listed after all, so the heartbeat was refused in error: entering again settles it.
    Listed,
}

/// A word of the message channel on the room's end; believed only when the room server's own
/// list fits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndNotice {
    /// The room's group was dissolved, or taken back as unused.
    Dissolved,
    /// We were thrown out of it.
    Removed,
}

/// The circumstances of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub role: Role,
    /// Whether the login had to be renewed since the server last knew us.
    pub relogged_in: bool,
    /// Time since the server last knew us.
    pub silent: Duration,
    /// Whether others have been in the room with us.
    pub had_company: bool,
    /// Times the room vanished unexplained within [`STRIKE_WINDOW`], before this one.
    pub vanished: usize,
    /// The message channel's word on it.
    pub notice: Option<EndNotice>,
    /// Times we were removed unexplained within [`STRIKE_WINDOW`], before this one.
    pub removed: usize,
}

/// The way out of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Add,
    CreateAndAdd,
    /// The room was destroyed.
    Close,
    /// We were removed on purpose.
    Kicked,
}

/// An unexplained loss, to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    Vanished,
    Removed,
}

/// Silence after which both official servers drop a member, as their sources have it.
pub(super) const REAPER_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time between losses that have to do with each other: a minute.
pub(super) const STRIKE_WINDOW: Duration = Duration::from_secs(60);
/// Unexplained losses after which a host, a guest who is alone, or a removed member gives up.
const PATIENCE: usize = 3;

/// Returns the next step, and the strike to count.
#[must_use]
pub(super) fn next_step(facts: &Facts, presence: Presence) -> (Step, Option<Strike>) {
    let explained = facts.relogged_in || facts.silent >= REAPER_TIMEOUT;
    match presence {
        Presence::Listed => (Step::Add, None),
        Presence::NotListed if explained => (Step::Add, None),
        Presence::RoomGone if explained => (Step::CreateAndAdd, None),
        Presence::NotListed => {
            let notice = facts.notice == Some(EndNotice::Removed);
            let kicked = notice || facts.removed + 1 >= PATIENCE;
            let step = if kicked { Step::Kicked } else { Step::Add };
            (step, Some(Strike::Removed))
        }
        Presence::RoomGone => {
            let patience = match facts.role {
                Role::Guest if facts.had_company => 2,
                Role::Guest | Role::Host => PATIENCE,
            };
            let notice = facts.notice == Some(EndNotice::Dissolved);
            let close = notice || facts.vanished + 1 >= patience;
            let step = if close {
                Step::Close
            } else {
                Step::CreateAndAdd
            };
            (step, Some(Strike::Vanished))
        }
    }
}

/// A count of what happened within a window of time.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    times: VecDeque<Instant>,
}

impl Window {
    #[must_use]
    pub(super) fn new(length: Duration) -> Self {
        Self {
            length,
            times: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, now: Instant) {
        self.forget_old(now);
        self.times.push_back(now);
    }

    pub(super) fn count(&mut self, now: Instant) -> usize {
        self.forget_old(now);
        self.times.len()
    }

    fn forget_old(&mut self, now: Instant) {
        while self
            .times
            .front()
            .is_some_and(|time| now.duration_since(*time) > self.length)
        {
            self.times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Facts = Facts {
        role: Role::Guest,
        relogged_in: false,
        silent: Duration::from_secs(7),
        had_company: true,
        vanished: 0,
        notice: None,
        removed: 0,
    };
    const HOST: Facts = Facts {
        role: Role::Host,
        ..CALM
    };

    #[test]
    fn table() {
        use Presence::{Listed, NotListed, RoomGone};
        use Step::{Add, Close, CreateAndAdd, Kicked};
        let relogged = |facts| Facts {
            relogged_in: true,
            vanished: 9,
            removed: 9,
            ..facts
        };
        let silent = |facts| Facts {
            silent: REAPER_TIMEOUT,
            vanished: 9,
            removed: 9,
            ..facts
        };
        let vanished = |facts, vanished| Facts { vanished, ..facts };
        let removed = |facts, removed| Facts { removed, ..facts };
        let notice = |facts, notice| Facts {
            notice: Some(notice),
            ..facts
        };
        let alone = Facts {
            had_company: false,
            ..CALM
        };
        let (gone, out) = (Some(Strike::Vanished), Some(Strike::Removed));
        for (facts, presence, expected) in [
            // A restart or our silence explains everything, however often.
            (relogged(CALM), RoomGone, (CreateAndAdd, None)),
            (relogged(HOST), RoomGone, (CreateAndAdd, None)),
            (relogged(CALM), NotListed, (Add, None)),
            (silent(CALM), RoomGone, (CreateAndAdd, None)),
            (silent(CALM), NotListed, (Add, None)),
            // A heartbeat refused in error.
            (CALM, Listed, (Add, None)),
            // The room vanishes under a running call.
            (CALM, RoomGone, (CreateAndAdd, gone)),
            (vanished(CALM, 1), RoomGone, (Close, gone)),
            (vanished(alone, 1), RoomGone, (CreateAndAdd, gone)),
            (vanished(alone, 2), RoomGone, (Close, gone)),
            (vanished(HOST, 1), RoomGone, (CreateAndAdd, gone)),
            (vanished(HOST, 2), RoomGone, (Close, gone)),
            // The message channel tells that it was on purpose.
            (notice(CALM, EndNotice::Dissolved), RoomGone, (Close, gone)),
            (notice(HOST, EndNotice::Dissolved), RoomGone, (Close, gone)),
            (notice(CALM, EndNotice::Removed), NotListed, (Kicked, out)),
            (notice(CALM, EndNotice::Dissolved), NotListed, (Add, out)),
            (notice(CALM, EndNotice::Dissolved), Listed, (Add, None)),
            (
                notice(silent(HOST), EndNotice::Dissolved),
                RoomGone,
                (CreateAndAdd, None),
            ),
            // Somebody removes us.
            (CALM, NotListed, (Add, out)),
            (removed(CALM, 1), NotListed, (Add, out)),
            (removed(CALM, 2), NotListed, (Kicked, out)),
            (removed(HOST, 2), NotListed, (Kicked, out)),
        ] {
            assert_eq!(
                next_step(&facts, presence),
                expected,
                "{facts:?} {presence:?}"
            );
        }
    }

    #[test]
    fn a_window_forgets() {
        let start = Instant::now();
        let mut window = Window::new(STRIKE_WINDOW);
        for seconds in [0, 10, 59] {
            window.add(start + Duration::from_secs(seconds));
        }
        assert_eq!(window.count(start + Duration::from_secs(60)), 3);
        assert_eq!(window.count(start + Duration::from_secs(65)), 2);
        assert_eq!(window.count(start + Duration::from_secs(200)), 0);
    }
}
