//! The state machine: joins the states, and leads from one to the next.

use super::action::Action;
use super::event::Event;
use super::facts::Facts;
use super::states::{
    Attract, Connecting, Decision, Ending, Entry, InCall, OutOfService, Queueing, Starting,
};
use super::transition::Transition;
use crate::display::Fault;

/// The state with all it remembers; its parts are in one file per state.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Starting(Starting),
    OutOfService(OutOfService),
    Attract(Attract),
    Queueing(Queueing),
    Connecting(Connecting),
    InCall(InCall),
    Ending(Ending),
}

/// The result of an event: a state, and what is to be done in this order.
#[derive(Debug, PartialEq)]
pub(super) struct Next {
    pub state: State,
    pub actions: Vec<Action>,
}

impl State {
    /// Decides on an event. Pure: the clock and the settings are in `facts`.
    #[must_use]
    pub(super) fn handle(self, event: Event, facts: &Facts) -> Next {
        match self {
            Self::Starting(state) => Next::of(state.handle(&event), Self::Starting, facts),
            Self::OutOfService(state) => Next::of(state.handle(&event), Self::OutOfService, facts),
            Self::Attract(state) => Next::of(state.handle(&event, facts), Self::Attract, facts),
            Self::Queueing(state) => Next::of(state.handle(event, facts), Self::Queueing, facts),
            Self::Connecting(state) => {
                Next::of(state.handle(event, facts), Self::Connecting, facts)
            }
            Self::InCall(state) => Next::of(state.handle(event, facts), Self::InCall, facts),
            Self::Ending(state) => Next::of(state.handle(&event, facts), Self::Ending, facts),
        }
    }

    /// The state as everyone outside sees it.
    #[must_use]
    pub(super) fn transition(&self) -> Transition {
        match self {
            Self::Starting(_) => Transition::Starting,
            Self::OutOfService(state) => Transition::OutOfService {
                fault: state.fault.clone(),
            },
            Self::Attract(_) => Transition::Attract,
            Self::Queueing(_) => Transition::Queueing,
            Self::Connecting(state) => state.transition(),
            Self::InCall(state) => state.transition(),
            Self::Ending(state) => Transition::Ending {
                reason: state.reason.clone(),
            },
        }
    }
}

impl Next {
    fn of<S>(decision: Decision<S>, stay: impl FnOnce(S) -> State, facts: &Facts) -> Self {
        match decision {
            Decision::Stay(state, actions) => Self::entered((state, actions), stay),
            Decision::Enter(entry, mut actions) => {
                let Self {
                    state,
                    actions: more,
                } = Self::enter(entry, facts);
                actions.extend(more);
                Self { state, actions }
            }
        }
    }

    /// Enters a state, whatever was before.
    pub(super) fn enter(entry: Entry, facts: &Facts) -> Self {
        match entry {
            Entry::OutOfService(fault) => Self::out_of_service(fault),
            Entry::Attract => match &facts.server {
                Err(fault) => Self::out_of_service(fault.clone()),
                Ok(()) => Self::entered(Attract::enter(facts), State::Attract),
            },
            Entry::Queueing(first_look) => {
                Self::entered(Queueing::enter(first_look, facts), State::Queueing)
            }
            Entry::Connecting(destination) => {
                Self::entered(Connecting::enter(destination, facts), State::Connecting)
            }
            Entry::InCall {
                room_id,
                muted,
                members,
                agent,
            } => {
                let entered = InCall::enter(room_id, muted, members, agent, facts);
                Self::entered(entered, State::InCall)
            }
            Entry::Ending(reason) => Self::entered(Ending::enter(reason, facts), State::Ending),
        }
    }

    fn out_of_service(fault: Fault) -> Self {
        Self::entered((OutOfService { fault }, vec![]), State::OutOfService)
    }

    fn entered<S>((state, actions): (S, Vec<Action>), variant: impl FnOnce(S) -> State) -> Self {
        let state = variant(state);
        Self { state, actions }
    }
}
