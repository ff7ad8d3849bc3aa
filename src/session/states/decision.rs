//! The answer of a state to an event.

use crate::display::{EndReason, Fault};
use crate::session::action::Action;
use crate::session::event::{Found, Peer};

/// The state that follows, and what is to be done, in this order.
#[derive(Debug)]
pub(in crate::session) enum Decision<S> {
    /// The same state goes on, with what it remembers now.
    Stay(S, Vec<Action>),
    /// Another state is entered, after these actions and before those of its entry.
    Enter(Entry, Vec<Action>),
}

/// A state to be entered, with what it needs.
#[derive(Debug)]
pub(in crate::session) enum Entry {
    OutOfService(Fault),
    /// Out of service instead, while the room server does not answer.
    Attract,
    Queueing(FirstLook),
    Connecting(Destination),
    InCall {
        room_id: String,
        muted: bool,
        /// Those who are known to be there.
        members: Vec<Peer>,
        /// The agent that was found, in whose place another will do.
        agent: Option<String>,
    },
    Ending(EndReason),
}

/// The moment of the first look for an idle agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum FirstLook {
    Now,
    /// After a while: the room that was found turned out to be taken.
    Later,
}

/// The room to go for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::session) enum Destination {
    /// A new room, opened by us as host.
    OwnRoom,
    /// The room of an idle agent; another will do as well.
    Found(Found),
    /// A room that was asked for by its id: no other will do.
    Chosen(String),
}

impl<S> Decision<S> {
    /// Stays with nothing to be done.
    pub(super) fn stay(state: S) -> Self {
        Self::Stay(state, vec![])
    }

    /// Enters another state at once.
    pub(super) fn enter(entry: Entry) -> Self {
        Self::Enter(entry, vec![])
    }

    /// Ends the call.
    pub(super) fn end(reason: EndReason) -> Self {
        Self::enter(Entry::Ending(reason))
    }
}
