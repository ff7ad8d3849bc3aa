//! Nobody is in a call; the screen invites the customer.

use super::decision::{Decision, Destination, Entry, FirstLook};
use crate::config::kiosk::Role;
use crate::session::action::Action;
use crate::session::event::Event;
use crate::session::facts::Facts;
use crate::session::request::Request;

#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::session) struct Attract {
    /// The camera is open for the self-view, by command and for a while.
    pub(in crate::session) preview: bool,
}

impl Attract {
    pub(in crate::session) fn enter(facts: &Facts) -> (Self, Vec<Action>) {
        let actions = if facts.auto_call {
            vec![Action::WakeIn(facts.before_auto_call())]
        } else {
            vec![]
        };
        (Self::default(), actions)
    }

    pub(in crate::session) fn handle(self, event: &Event, facts: &Facts) -> Decision<Self> {
        if let Some(fault) = event.server_fault() {
            return Decision::Enter(Entry::OutOfService(fault), self.close_camera());
        }
        match event {
            Event::Request(Request::Preview { on: true }) if !self.preview => {
                Self::open_camera(facts)
            }
            Event::Request(Request::Preview { on: false }) | Event::CaptureReady(Err(_)) => {
                Decision::Stay(Self::default(), self.close_camera())
            }
            Event::Wake if self.preview && !facts.auto_call => {
                Decision::Stay(Self::default(), self.close_camera())
            }
            Event::Request(Request::Enter { room }) => {
                let destination = Destination::Chosen(room.clone());
                Decision::enter(Entry::Connecting(destination))
            }
            Event::Request(Request::Call | Request::Host) | Event::Wake => match facts.role {
                // Nobody is looked at while they wait.
                Role::Guest => {
                    Decision::Enter(Entry::Queueing(FirstLook::Now), self.close_camera())
                }
                Role::Host => Decision::enter(Entry::Connecting(Destination::OwnRoom)),
            },
            _ => Decision::stay(self),
        }
    }

    fn open_camera(facts: &Facts) -> Decision<Self> {
        let mut actions = vec![Action::StartCapture];
        // With calls that start by themselves it is soon needed in one.
        if !facts.auto_call {
            actions.push(Action::WakeIn(facts.patience.preview));
        }
        Decision::Stay(Self { preview: true }, actions)
    }

    fn close_camera(&self) -> Vec<Action> {
        if self.preview {
            vec![Action::Leave]
        } else {
            vec![]
        }
    }
}
