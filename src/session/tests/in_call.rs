//! What goes on around the streams: members, the server, microphone and camera, texts.

use super::*;
use crate::config::kiosk::Role;

#[test]
fn a_guest_alone_in_a_room_leaves_it() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.later(10);
    machine.tell(Event::Wake);
    assert_eq!(machine.reason(), EndReason::PeerLeft);
}

#[test]
fn the_server_may_go_away_during_a_call_but_not_before() {
    let down = || Event::ServerUnreachable {
        untrusted: false,
        reason: "refused".into(),
    };
    let mut machine = Machine::in_call(Role::Guest);
    machine.tell(Event::MemberJoined(peer("a", "u")));
    machine.tell(down());
    assert!(matches!(machine.state, State::InCall(_)));
    let mut machine = Machine::new(Role::Guest);
    machine.tell(down());
    let line = machine.state.transition().status_line();
    assert_eq!(line, "Out of service (N-3): refused. Trying again");
    assert!(machine.state.accepts(&Command::Call).is_err());
    machine.tell(Event::ServerUnreachable {
        untrusted: true,
        reason: "its certificate expired".into(),
    });
    let line = machine.state.transition().status_line();
    assert!(line.contains("(N-9): its certificate expired"), "{line}");
    machine.tell(Event::LoggedIn);
    assert!(machine.state.accepts(&Command::Call).is_ok());
    assert!(machine.state.accepts(&Command::HangUp).is_err());
}

#[test]
fn the_microphone_is_switched_only_in_a_call_and_anew_for_each() {
    let mut machine = Machine::new(Role::Guest);
    machine.tell(Event::LoggedIn);
    assert!(machine.state.accepts(&Command::Mute(true)).is_err());
    machine.tell_all([
        Event::Command(Command::Call),
        Event::RoomFound(Ok(Some("r1".into()))),
    ]);
    assert!(machine.state.accepts(&Command::Mute(true)).is_ok());
    let muted = machine.tell(Event::Command(Command::Mute(true)));
    assert_eq!(muted, [Action::SetMuted(true)]);
    machine.tell_all([
        Event::PushUrl(Ok(())),
        Event::CaptureReady(Ok(())),
        Event::Pushing,
        Event::Entered(Ok(())),
        Event::MemberJoined(peer("a", "u")),
    ]);
    let line = |machine: &Machine| machine.state.transition().status_line();
    assert_eq!(line(&machine), "In call with A (microphone off)");
    machine.tell(Event::Command(Command::Mute(false)));
    assert_eq!(line(&machine), "In call with A");
    machine.tell(Event::Command(Command::Mute(true)));
    machine.tell_all([Event::Command(Command::HangUp), Event::Left, Event::Wake]);
    let next = machine.tell_all([
        Event::Command(Command::Call),
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
    machine.tell(Event::MemberJoined(peer("a", "u")));
    let line = |machine: &Machine| machine.state.transition().status_line();
    let said = |text: &str| Event::Said {
        name: "Anna".into(),
        text: text.into(),
    };
    let shown = machine.facts.patience.text;
    assert_eq!(machine.tell(said("hello")), [Action::WakeIn(shown)]);
    assert_eq!(line(&machine), "Anna: hello");
    machine.later(5);
    machine.tell(said("again"));
    machine.later(5);
    machine.tell(Event::Wake);
    assert_eq!(line(&machine), "Anna: again");
    machine.later(3);
    machine.tell(Event::Wake);
    assert_eq!(line(&machine), "In call with A");
    let text = Outgoing::Text("x".into());
    assert!(machine.state.accepts_message(&text).is_ok());
    assert!(machine.state.accepts_camera_work().is_ok());
    let attract = Machine::new(Role::Guest);
    assert!(attract.state.accepts_message(&text).is_err());
    let refused = attract.state.accepts_camera_work().unwrap_err();
    assert!(refused.contains("only in a call"), "{refused}");
    let (to, cmd, msg) = ("a".into(), "c".into(), "m".into());
    let to_one = Outgoing::C2c { to, cmd, msg };
    assert!(attract.state.accepts_message(&to_one).is_ok());
}

#[test]
fn the_camera_opens_for_the_own_picture_and_closes_again() {
    let preview = |on| Event::Command(Command::Preview(on));
    let mut machine = Machine::new(Role::Guest);
    machine.tell(Event::LoggedIn);
    let for_a_while = Action::WakeIn(machine.facts.patience.preview);
    let opened = [Action::StartCapture, for_a_while];
    assert_eq!(machine.tell(preview(true)), opened);
    assert_eq!(machine.tell(Event::CaptureReady(Ok(()))), []);
    assert_eq!(machine.tell(preview(true)), []);
    assert_eq!(machine.tell(preview(false)), [Action::Leave]);
    assert_eq!(machine.tell(preview(false)), []);
    // By itself after a while, or when there is no camera.
    assert_eq!(machine.tell(preview(true)), opened);
    assert_eq!(machine.tell(Event::Wake), [Action::Leave]);
    machine.tell(preview(true));
    let none = Event::CaptureReady(Err("no camera".into()));
    assert_eq!(machine.tell(none), [Action::Leave]);
    // Whoever waits for an agent is not filmed.
    machine.tell(preview(true));
    let queue = machine.tell(Event::Command(Command::Call));
    assert_eq!(queue, [Action::Leave, Action::FindRoom]);
    assert!(machine.state.accepts(&Command::Preview(true)).is_err());
    // In a call it is only shown or not.
    let mut machine = Machine::in_call(Role::Host);
    assert_eq!(machine.tell(preview(false)), [Action::SetPreview(false)]);
    assert_eq!(machine.tell(preview(true)), [Action::SetPreview(true)]);
}
