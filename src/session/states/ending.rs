//! The call is over: the room is left in good order while the screen says why.

use super::decision::{Decision, Entry};
use crate::display::EndReason;
use crate::session::action::Action;
use crate::session::event::Event;
use crate::session::facts::Facts;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::session) struct Ending {
    pub(in crate::session) reason: EndReason,
    left: bool,
}

impl Ending {
    pub(in crate::session) fn enter(reason: EndReason, facts: &Facts) -> (Self, Vec<Action>) {
        let actions = vec![Action::Leave, Action::WakeIn(facts.patience.leave)];
        let left = false;
        (Self { reason, left }, actions)
    }

    pub(in crate::session) fn handle(mut self, event: &Event, facts: &Facts) -> Decision<Self> {
        match event {
            Event::Left if !self.left => {
                self.left = true;
                Decision::Stay(self, vec![Action::WakeIn(facts.patience.goodbye)])
            }
            // Either the goodbye was long enough, or leaving takes too long to wait for.
            Event::Wake => Decision::enter(Entry::Attract),
            _ => Decision::stay(self),
        }
    }
}
