//! The daemon runs, and the room server has not accepted it yet.

use super::decision::{Decision, Entry};
use crate::session::event::Event;

#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::session) struct Starting;

impl Starting {
    pub(in crate::session) fn handle(self, event: &Event) -> Decision<Self> {
        if matches!(event, Event::LoggedIn) {
            return Decision::enter(Entry::Attract);
        }
        match event.server_fault() {
            Some(fault) => Decision::enter(Entry::OutOfService(fault)),
            None => Decision::stay(self),
        }
    }
}
