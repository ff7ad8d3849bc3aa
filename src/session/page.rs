//! The page of the screen that belongs to a state of the session.

use super::fault::{EndReason, Fault};
use super::transition::{Link, Transition};
use crate::display::{CallEnd, CallPage, Page, ShownFault};

/// The page for a state: facts, which the display puts into words.
#[must_use]
pub fn page(transition: &Transition) -> Page {
    match transition {
        Transition::Starting => Page::Starting,
        Transition::OutOfService { fault } => Page::OutOfService(shown(fault)),
        Transition::Attract => Page::Attract,
        Transition::Queueing => Page::Queueing,
        Transition::Connecting { step, .. } => Page::Connecting(*step),
        Transition::InCall {
            uplink,
            members,
            muted,
            said,
            ..
        } => Page::InCall(CallPage {
            members: members.values().map(|member| member.name.clone()).collect(),
            disturbed: *uplink != Link::Up,
            muted: *muted,
            message: said.clone(),
        }),
        Transition::Ending { reason } => Page::Ending(end(reason)),
    }
}

fn end(reason: &EndReason) -> CallEnd {
    match reason {
        EndReason::HungUp => CallEnd::HungUp,
        EndReason::PeerLeft => CallEnd::PeerLeft,
        EndReason::RoomClosed { reason } => CallEnd::RoomClosed {
            detail: reason.clone(),
        },
        EndReason::Kicked { reason } => CallEnd::Removed {
            detail: reason.clone(),
        },
        EndReason::Failed(fault) => CallEnd::Failed(shown(fault)),
    }
}

fn shown(fault: &Fault) -> ShownFault {
    ShownFault {
        code: fault.code.as_str(),
        detail: fault.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::display::ShownMessage;
    use crate::session::fault::FaultCode;
    use crate::session::transition::CallMember;

    #[test]
    fn a_call_shows_who_is_there_and_what_is_wrong() {
        let member = CallMember {
            name: "Anna".into(),
            downlink: Link::Lost,
        };
        let said = ShownMessage {
            name: "Anna".into(),
            text: "hello".into(),
        };
        for (uplink, disturbed) in [
            (Link::Up, false),
            (Link::Connecting, true),
            (Link::Lost, true),
        ] {
            let call = Transition::InCall {
                room_id: "r".into(),
                uplink,
                members: BTreeMap::from([("a".into(), member.clone())]),
                room_server_reachable: false,
                muted: true,
                said: Some(said.clone()),
            };
            let expected = CallPage {
                members: vec!["Anna".into()],
                disturbed,
                muted: true,
                message: Some(said.clone()),
            };
            assert_eq!(page(&call), Page::InCall(expected));
        }
    }

    #[test]
    fn every_end_of_a_call_has_a_page() {
        let fault = Fault::new(FaultCode::PushRefused, "wrong key");
        let (reason, detail) = ("why".to_owned(), "why".to_owned());
        let shown = ShownFault {
            code: "N-6",
            detail: "wrong key".into(),
        };
        let out_of_service = Transition::OutOfService {
            fault: fault.clone(),
        };
        assert_eq!(page(&out_of_service), Page::OutOfService(shown.clone()));
        for (reason, end) in [
            (EndReason::HungUp, CallEnd::HungUp),
            (EndReason::PeerLeft, CallEnd::PeerLeft),
            (
                EndReason::RoomClosed {
                    reason: reason.clone(),
                },
                CallEnd::RoomClosed {
                    detail: detail.clone(),
                },
            ),
            (EndReason::Kicked { reason }, CallEnd::Removed { detail }),
            (EndReason::Failed(fault), CallEnd::Failed(shown)),
        ] {
            assert_eq!(page(&Transition::Ending { reason }), Page::Ending(end));
        }
    }
}
