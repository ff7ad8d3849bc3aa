//! The daemon runs, and the room server has not accepted it yet.

use super::attract::Attract;
use super::out_of_service::OutOfService;
use super::state::Next;
use super::{Event, Facts};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Starting;

impl Starting {
    pub(super) fn handle(self, event: &Event, facts: &Facts) -> Next {
        if matches!(event, Event::LoggedIn) {
            return Attract::enter(facts);
        }
        match OutOfService::fault_of(event) {
            Some(fault) => OutOfService::enter(fault),
            None => Next::new(self, vec![]),
        }
    }
}
