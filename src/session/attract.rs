//! Nobody is in a call; the screen invites the customer.

use super::connecting::Connecting;
use super::out_of_service::OutOfService;
use super::queueing::Queueing;
use super::state::Next;
use super::{Action, Command, Event, Facts, Role};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attract;

impl Attract {
    pub(super) fn enter(facts: &Facts) -> Next {
        if let Err(fault) = &facts.server {
            return OutOfService::enter(fault.clone());
        }
        let actions = if facts.auto_call {
            vec![Action::WakeIn(facts.before_auto_call())]
        } else {
            vec![]
        };
        Next::new(Self, actions)
    }

    pub(super) fn handle(self, event: &Event, facts: &Facts) -> Next {
        if let Some(fault) = OutOfService::fault_of(event) {
            return OutOfService::enter(fault);
        }
        match event {
            Event::Command(Command::Call | Command::Host) | Event::Wake => match facts.role {
                Role::Guest => Queueing::enter(facts),
                Role::Host => Connecting::enter(None, facts),
            },
            _ => Next::new(self, vec![]),
        }
    }
}
