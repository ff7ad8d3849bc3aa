//! No call can be made; the screen says why, and the room client goes on trying.

use super::attract::Attract;
use super::state::{Fault, FaultCode, Next};
use super::{Event, Facts};

#[derive(Debug, Clone, PartialEq)]
pub struct OutOfService {
    pub(super) fault: Fault,
}

impl OutOfService {
    pub(super) fn enter(fault: Fault) -> Next {
        Next::new(Self { fault }, vec![])
    }

    /// The fault that an event of the room server means, if it means one.
    pub(super) fn fault_of(event: &Event) -> Option<Fault> {
        match event {
            Event::ServerUnreachable { untrusted, reason } => {
                let code = match untrusted {
                    true => FaultCode::Untrusted,
                    false => FaultCode::NoRoomServer,
                };
                Some(Fault::new(code, reason))
            }
            Event::LoginRefused { reason } => Some(Fault::new(FaultCode::LoginRefused, reason)),
            _ => None,
        }
    }

    pub(super) fn handle(self, event: &Event, facts: &Facts) -> Next {
        if matches!(event, Event::LoggedIn | Event::ServerReachable) {
            return Attract::enter(facts);
        }
        match Self::fault_of(event) {
            Some(fault) => Self::enter(fault),
            None => Next::new(self, vec![]),
        }
    }
}
