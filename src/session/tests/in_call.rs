//! Everything around the streams of a call: members, the server, microphone and camera, texts.

use super::*;
use crate::display::Lack;
use crate::session::event::SoundDevices;

#[test]
fn what_does_not_work_is_seen_by_both_sides() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.feed(Event::MemberJoined(peer("a", "u")));
    let flow = |picture, sound| Event::Flow {
        user_id: "a".into(),
        picture,
        sound,
    };
    let lacks = |machine: &Machine| match machine.state.transition() {
        Transition::InCall { members, lacks, .. } => (members["a"].clone(), lacks),
        other => panic!("{other:?}"),
    };
    machine.feed(Event::PlayDisturbed {
        user_id: "a".into(),
    });
    machine.feed(flow(Some(false), Some(true)));
    let (member, _) = lacks(&machine);
    assert_eq!(member.lacks, [Lack::Picture]);
    assert_eq!(member.downlink, Link::Up, "sound goes on");
    machine.feed(flow(Some(true), None));
    assert_eq!(lacks(&machine).0.lacks, []);

    let broken = SoundDevices {
        microphone: false,
        speaker: true,
    };
    let told = Action::TellDevices(broken);
    let actions = machine.feed(Event::OwnDevices(broken));
    assert_eq!(without_wake(actions), std::slice::from_ref(&told));
    assert_eq!(lacks(&machine).1, [Lack::Microphone]);
    let actions = machine.feed(Event::MemberJoined(peer("b", "u2")));
    assert!(
        actions.contains(&told),
        "who comes later has not heard of it"
    );
    machine.feed(Event::TheirDevices {
        user_id: "a".into(),
        devices: broken,
    });
    machine.feed(Event::MemberChanged(peer("a", "u3")));
    assert_eq!(lacks(&machine).0.lacks, [Lack::Microphone]);
}

#[test]
fn a_guest_alone_in_a_room_leaves_it() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.later(10);
    machine.feed(Event::Wake);
    assert_eq!(machine.reason(), EndReason::PeerLeft);
}

#[test]
fn the_server_may_go_away_during_a_call_but_not_before() {
    let down = || Event::ServerUnreachable {
        untrusted: false,
        reason: "refused".into(),
    };
    let mut machine = Machine::in_call(Role::Guest);
    machine.feed(Event::MemberJoined(peer("a", "u")));
    machine.feed(down());
    assert!(matches!(machine.state, State::InCall(_)));
    let mut machine = Machine::new(Role::Guest);
    machine.feed(down());
    let out_of_service = |code, reason| Page::OutOfService(Fault::new(code, reason));
    let refused = out_of_service(FaultCode::NoRoomServer, "refused");
    assert_eq!(machine.page(), refused);
    assert!(machine.state.accepts(&Request::Call).is_err());
    machine.feed(Event::ServerUnreachable {
        untrusted: true,
        reason: "its certificate expired".into(),
    });
    let expired = out_of_service(FaultCode::Untrusted, "its certificate expired");
    assert_eq!(machine.page(), expired);
    machine.feed(Event::LoggedIn);
    assert!(machine.state.accepts(&Request::Call).is_ok());
    assert!(machine.state.accepts(&Request::HangUp).is_err());
}

#[test]
fn the_microphone_is_switched_only_in_a_call_and_anew_for_each() {
    let mut machine = Machine::new(Role::Guest);
    machine.feed(Event::LoggedIn);
    assert!(machine.state.accepts(&Request::Mute { on: true }).is_err());
    machine.feed_all([
        Event::Request(Request::Call),
        Event::RoomFound(Ok(Some("r1".into()))),
    ]);
    assert!(machine.state.accepts(&Request::Mute { on: true }).is_ok());
    let muted = machine.feed(Event::Request(Request::Mute { on: true }));
    assert_eq!(muted, [Action::SetMuted(true)]);
    machine.feed_all([
        Event::PushUrl(Ok(())),
        Event::CaptureReady(Ok(())),
        Event::Pushing,
        Event::Entered(Ok(())),
        Event::MemberJoined(peer("a", "u")),
    ]);
    let muted = |muted| {
        Page::InCall(CallPage {
            muted,
            ..call_with(&["A"])
        })
    };
    assert_eq!(machine.page(), muted(true));
    machine.feed(Event::Request(Request::Mute { on: false }));
    assert_eq!(machine.page(), muted(false));
    machine.feed(Event::Request(Request::Mute { on: true }));
    machine.feed_all([Event::Request(Request::HangUp), Event::Left, Event::Wake]);
    let next = machine.feed_all([
        Event::Request(Request::Call),
        Event::RoomFound(Ok(Some("r1".into()))),
    ]);
    assert!(next.contains(&Action::StartCapture));
    assert!(matches!(
        machine.state.transition(),
        Transition::Connecting { muted: false, .. }
    ));
}

#[test]
fn a_text_is_shown_for_some_seconds() {
    let mut machine = Machine::in_call(Role::Host);
    machine.feed(Event::MemberJoined(peer("a", "u")));
    let message = |text: &str| ShownMessage {
        name: "Anna".into(),
        text: text.into(),
    };
    let said = |text| Event::Said(message(text));
    let page = |message| {
        Page::InCall(CallPage {
            message,
            ..call_with(&["A"])
        })
    };
    let shown = machine.facts.patience.text;
    assert_eq!(machine.feed(said("hello")), [Action::WakeIn(shown)]);
    assert_eq!(machine.page(), page(Some(message("hello"))));
    machine.later(5);
    machine.feed(said("again"));
    machine.later(5);
    machine.feed(Event::Wake);
    assert_eq!(machine.page(), page(Some(message("again"))));
    machine.later(3);
    machine.feed(Event::Wake);
    assert_eq!(machine.page(), page(None));
    let text = Request::Message { text: "x".into() };
    let camera = Request::Camera { name: "c".into() };
    assert!(machine.state.accepts(&text).is_ok());
    assert!(machine.state.accepts(&camera).is_ok());
    let attract = Machine::new(Role::Guest);
    assert!(attract.state.accepts(&text).is_err());
    let refused = attract.state.accepts(&camera).unwrap_err();
    assert!(refused.contains("only in a call"), "{refused}");
    let (to, cmd, msg) = (Some("a".into()), "c".into(), "m".into());
    let to_one = Request::Custom { cmd, msg, to };
    assert!(attract.state.accepts(&to_one).is_ok());
}

#[test]
fn the_camera_opens_for_the_self_view_and_closes_again() {
    let preview = |on| Event::Request(Request::Preview { on });
    let mut machine = Machine::new(Role::Guest);
    machine.feed(Event::LoggedIn);
    let for_a_while = Action::WakeIn(machine.facts.patience.preview);
    let opened = [Action::StartCapture, for_a_while];
    assert_eq!(machine.feed(preview(true)), opened);
    assert_eq!(machine.feed(Event::CaptureReady(Ok(()))), []);
    assert_eq!(machine.feed(preview(true)), []);
    assert_eq!(machine.feed(preview(false)), [Action::Leave]);
    assert_eq!(machine.feed(preview(false)), []);
    // By itself after a while, or when there is no camera.
    assert_eq!(machine.feed(preview(true)), opened);
    assert_eq!(machine.feed(Event::Wake), [Action::Leave]);
    machine.feed(preview(true));
    let none = Event::CaptureReady(Err("no camera".into()));
    assert_eq!(machine.feed(none), [Action::Leave]);
    // Whoever waits for an agent is not filmed.
    machine.feed(preview(true));
    let queue = machine.feed(Event::Request(Request::Call));
    assert_eq!(queue, [Action::Leave, Action::FindRoom]);
    assert!(
        machine
            .state
            .accepts(&Request::Preview { on: true })
            .is_err()
    );
    // In a call it is only shown or not.
    let mut machine = Machine::in_call(Role::Host);
    assert_eq!(machine.feed(preview(false)), [Action::SetPreview(false)]);
    assert_eq!(machine.feed(preview(true)), [Action::SetPreview(true)]);
}
