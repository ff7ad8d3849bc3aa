//! Nobody is in a call; the screen invites the customer.

use super::connecting::Connecting;
use super::out_of_service::OutOfService;
use super::queueing::Queueing;
use super::state::Next;
use super::{Action, Command, Event, Facts};
use crate::config::kiosk::Role;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attract {
    /// The camera is open for the own picture, by command and for a while.
    pub(super) preview: bool,
}

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
        Next::new(Self::default(), actions)
    }

    pub(super) fn handle(self, event: &Event, facts: &Facts) -> Next {
        if let Some(fault) = OutOfService::fault_of(event) {
            return self.closed(OutOfService::enter(fault));
        }
        match event {
            Event::Command(Command::Preview(true)) if !self.preview => {
                let mut actions = vec![Action::StartCapture];
                // Who calls by himself is soon in a call.
                if !facts.auto_call {
                    actions.push(Action::WakeIn(facts.patience.preview));
                }
                Next::new(Self { preview: true }, actions)
            }
            Event::Command(Command::Preview(false)) | Event::CaptureReady(Err(_)) => {
                self.closed(Next::new(Self::default(), vec![]))
            }
            Event::Wake if self.preview && !facts.auto_call => {
                self.closed(Next::new(Self::default(), vec![]))
            }
            Event::Command(Command::Enter(room_id)) => Connecting::enter_chosen(room_id, facts),
            Event::Command(Command::Call | Command::Host) | Event::Wake => match facts.role {
                // Nobody is looked at while he waits.
                Role::Guest => self.closed(Queueing::enter(facts)),
                Role::Host => Connecting::enter(None, facts),
            },
            _ => Next::new(self, vec![]),
        }
    }

    /// The same with the camera closed first.
    fn closed(self, next: Next) -> Next {
        if self.preview {
            next.after(Action::Leave)
        } else {
            next
        }
    }
}
