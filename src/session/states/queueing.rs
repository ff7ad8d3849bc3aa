//! The customer wants a call; an idle agent is being looked for.

use super::decision::{Decision, Destination, Entry, FirstLook};
use crate::display::{EndReason, Fault, FaultCode};
use crate::session::action::Action;
use crate::session::event::{Event, RoomFailure};
use crate::session::facts::Facts;
use crate::session::request::Request;

#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::session) struct Queueing;

impl Queueing {
    pub(in crate::session) fn enter(first_look: FirstLook, facts: &Facts) -> (Self, Vec<Action>) {
        let action = match first_look {
            FirstLook::Now => Action::FindRoom,
            FirstLook::Later => Self::look_later(facts),
        };
        (Self, vec![action])
    }

    pub(in crate::session) fn handle(self, event: Event, facts: &Facts) -> Decision<Self> {
        if let Some(fault) = event.server_fault() {
            return Decision::enter(Entry::OutOfService(fault));
        }
        match event {
            Event::Request(Request::HangUp) => Decision::enter(Entry::Attract),
            Event::RoomFound(Ok(Some(found))) => {
                Decision::enter(Entry::Connecting(Destination::Found(found)))
            }
            Event::RoomFound(Err(RoomFailure::Refused(reason))) => {
                let fault = Fault::new(FaultCode::RoomRefused, reason);
                Decision::end(EndReason::Failed(fault))
            }
            Event::RoomFound(_) => Decision::Stay(self, vec![Self::look_later(facts)]),
            Event::Wake if facts.before_unanswered().is_zero() => {
                Decision::end(EndReason::NobodyAnswered)
            }
            Event::Wake => Decision::Stay(self, vec![Action::FindRoom]),
            _ => Decision::stay(self),
        }
    }

    fn look_later(facts: &Facts) -> Action {
        let poll = facts.spread(facts.patience.queue_poll);
        Action::WakeIn(poll.min(facts.before_unanswered()))
    }
}
