//! No call can be made; the screen says why, and the room client goes on trying.

use super::decision::{Decision, Entry};
use crate::display::Fault;
use crate::session::event::Event;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::session) struct OutOfService {
    pub(in crate::session) fault: Fault,
}

impl OutOfService {
    pub(in crate::session) fn handle(self, event: &Event) -> Decision<Self> {
        if matches!(event, Event::LoggedIn | Event::ServerReachable) {
            return Decision::enter(Entry::Attract);
        }
        match event.server_fault() {
            Some(fault) => Decision::enter(Entry::OutOfService(fault)),
            None => Decision::stay(self),
        }
    }
}
