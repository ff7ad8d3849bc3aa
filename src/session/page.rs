//! The page of the screen that belongs to a state of the session.

use super::transition::{Link, Transition};
use crate::display::{CallPage, Page};

/// The page for a state: facts, which the display puts into words.
#[must_use]
pub fn page(transition: &Transition) -> Page {
    match transition {
        Transition::Starting => Page::Starting,
        Transition::OutOfService { fault } => Page::OutOfService(fault.clone()),
        Transition::Attract => Page::Attract,
        Transition::Queueing => Page::Queueing,
        Transition::Connecting { step, .. } => Page::Connecting(*step),
        Transition::InCall {
            uplink,
            members,
            muted,
            lacks,
            said,
            ..
        } => Page::InCall(CallPage {
            members: members.values().map(|member| member.name.clone()).collect(),
            disturbed: *uplink != Link::Up,
            muted: *muted,
            lacks: lacks.clone(),
            others_lack: members
                .values()
                .flat_map(|member| member.lacks.iter().map(|lack| (member.name.clone(), *lack)))
                .collect(),
            message: said.clone(),
        }),
        Transition::Ending { reason } => Page::Ending(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::display::{EndReason, Fault, FaultCode, Lack, ShownMessage};
    use crate::session::transition::CallMember;

    #[test]
    fn a_call_shows_who_is_there_and_what_is_wrong() {
        let member = CallMember {
            name: "Anna".into(),
            downlink: Link::Lost,
            lacks: vec![Lack::Sound],
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
                lacks: vec![Lack::Microphone],
                said: Some(said.clone()),
            };
            let expected = CallPage {
                members: vec!["Anna".into()],
                disturbed,
                muted: true,
                lacks: vec![Lack::Microphone],
                others_lack: vec![("Anna".into(), Lack::Sound)],
                message: Some(said.clone()),
            };
            assert_eq!(page(&call), Page::InCall(expected));
        }
    }

    #[test]
    fn a_fault_and_an_end_are_shown_as_they_are() {
        let fault = Fault::new(FaultCode::PushRefused, "wrong key");
        let out_of_service = Transition::OutOfService {
            fault: fault.clone(),
        };
        assert_eq!(page(&out_of_service), Page::OutOfService(fault.clone()));
        let reason = EndReason::Failed(fault);
        let ending = Transition::Ending {
            reason: reason.clone(),
        };
        assert_eq!(page(&ending), Page::Ending(reason));
    }
}
