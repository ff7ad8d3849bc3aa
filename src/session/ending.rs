//! The call is over: the room is left in good order while the screen says why.

use super::attract::Attract;
use super::state::{EndReason, Next};
use super::{Action, Event, Facts};

#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    pub(super) reason: EndReason,
    left: bool,
}

impl Ending {
    pub(super) fn enter(reason: EndReason, facts: &Facts) -> Next {
        let actions = vec![Action::Leave, Action::WakeIn(facts.patience.leave)];
        Next::new(
            Self {
                reason,
                left: false,
            },
            actions,
        )
    }

    pub(super) fn handle(mut self, event: &Event, facts: &Facts) -> Next {
        match event {
            Event::Left if !self.left => {
                self.left = true;
                Next::new(self, vec![Action::WakeIn(facts.patience.goodbye)])
            }
            // Either the goodbye was long enough, or leaving takes too long to wait for.
            Event::Wake => Attract::enter(facts),
            _ => Next::new(self, vec![]),
        }
    }
}
