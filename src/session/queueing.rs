//! The customer wants a call; an idle agent is being looked for.

use super::attract::Attract;
use super::connecting::Connecting;
use super::ending::Ending;
use super::out_of_service::OutOfService;
use super::state::{EndReason, Fault, FaultCode, Next};
use super::{Action, Command, Event, Facts, RoomFailure};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queueing;

impl Queueing {
    pub(super) fn enter(_facts: &Facts) -> Next {
        Next::new(Self, vec![Action::FindRoom])
    }

    /// Waits a little before the first look: the room that was found turned out to be taken.
    pub(super) fn enter_later(facts: &Facts) -> Next {
        Next::new(
            Self,
            vec![Action::WakeIn(facts.spread(facts.patience.queue_poll))],
        )
    }

    pub(super) fn handle(self, event: Event, facts: &Facts) -> Next {
        if let Some(fault) = OutOfService::fault_of(&event) {
            return OutOfService::enter(fault);
        }
        match event {
            Event::Command(Command::HangUp) => Attract::enter(facts),
            Event::RoomFound(Ok(Some(room_id))) => Connecting::enter(Some(room_id), facts),
            Event::RoomFound(Err(RoomFailure::Refused(reason))) => Ending::enter(
                EndReason::Failed(Fault::new(FaultCode::RoomRefused, reason)),
                facts,
            ),
            Event::RoomFound(_) => Self::enter_later(facts),
            Event::Wake => Self::enter(facts),
            _ => Next::new(self, vec![]),
        }
    }
}
