//! Streams of a call that are lost, renewed, or not wanted.

use super::*;

#[test]
fn a_lost_uplink_gets_a_new_url_and_tells_the_room() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.feed(Event::MemberJoined(peer("a", "u")));
    machine.feed_all([Event::PushReconnecting, Event::Pushing]);
    let lost = || Event::PushLost(Fault::new(FaultCode::NoRelay, "gone"));
    let actions = without_wake(machine.feed(lost()));
    assert_eq!(actions, [Action::StopPush, get_push_url()]);
    assert_eq!(
        without_wake(machine.feed(Event::PushUrl(Ok(())))),
        [Action::StartPush]
    );
    assert_eq!(without_wake(machine.feed(lost())), [Action::StopPush]);
    assert_eq!(
        without_wake(machine.feed(Event::Wake)),
        [],
        "not before its time"
    );
    machine.later(2);
    assert_eq!(without_wake(machine.feed(Event::Wake)), [get_push_url()]);
    machine.feed(Event::PushUrl(Ok(())));
    let actions = without_wake(machine.feed(Event::Pushing));
    assert_eq!(
        actions,
        [Action::Enter {
            room_id: "r1".into()
        }]
    );
    assert_eq!(machine.feed(Event::Entered(Ok(()))), []);
    assert_eq!(machine.page(), Page::InCall(call_with(&["A"])));
}

#[test]
fn an_uplink_that_stays_away_ends_the_call() {
    let mut machine = Machine::in_call(Role::Host);
    machine.feed(Event::PushLost(Fault::new(
        FaultCode::PushRefused,
        "wrong key",
    )));
    machine.later(119);
    machine.feed(Event::Wake);
    assert!(matches!(machine.state, State::InCall(_)));
    machine.later(1);
    machine.feed(Event::Wake);
    let lost = Fault::new(
        FaultCode::PushRefused,
        "the uplink did not come back: wrong key",
    );
    assert_eq!(machine.reason(), EndReason::Failed(lost));
}

#[test]
fn a_lost_downlink_is_played_again_while_its_member_is_there() {
    let mut machine = Machine::in_call(Role::Host);
    machine.feed(Event::MemberJoined(peer("k", "u")));
    let lost = Event::PlayLost {
        user_id: "k".into(),
        reason: "x".into(),
    };
    let actions = without_wake(machine.feed(lost.clone()));
    assert_eq!(
        actions,
        [
            Action::StopPlay {
                user_id: "k".into()
            },
            Action::LookAtMembers
        ]
    );
    machine.later(2);
    assert_eq!(
        without_wake(machine.feed(Event::Wake)),
        [Action::Play(peer("k", "u"))]
    );
    machine.feed_all([
        lost,
        Event::MemberLeft {
            user_id: "k".into(),
        },
    ]);
    machine.later(2);
    assert_eq!(without_wake(machine.feed(Event::Wake)), []);
}

#[test]
fn a_new_play_url_restarts_the_player_and_a_new_name_does_not() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.feed(Event::MemberJoined(peer("a", "u1")));
    let signed_again = machine.feed(Event::MemberChanged(peer("a", "u1?txTime=2")));
    assert_eq!(signed_again, []);
    let actions = machine.feed(Event::MemberChanged(peer("a", "u2")));
    let stop = Action::StopPlay {
        user_id: "a".into(),
    };
    assert_eq!(actions, [stop, Action::Play(peer("a", "u2"))]);
    let renamed = Peer {
        name: "Anna".into(),
        ..peer("a", "u2")
    };
    assert_eq!(machine.feed(Event::MemberChanged(renamed)), []);
    assert_eq!(machine.page(), Page::InCall(call_with(&["Anna"])));
}

#[test]
fn a_member_is_played_or_not_by_command() {
    let view = |on| Request::View {
        user: "a".into(),
        on,
    };
    let mut machine = Machine::in_call(Role::Host);
    let refused = machine.state.accepts(&view(false)).unwrap_err();
    assert_eq!(refused, "nobody else is in the room");
    machine.feed(Event::MemberJoined(peer("b", "u")));
    let refused = machine.state.accepts(&view(false)).unwrap_err();
    assert_eq!(refused, "nobody of that id is in the room: b");
    machine.feed(Event::MemberJoined(peer("a", "u1")));
    assert!(machine.state.accepts(&view(false)).is_ok());
    let user_id = || "a".to_owned();
    let link = |machine: &Machine| match machine.state.transition() {
        Transition::InCall { members, .. } => members["a"].downlink,
        other => panic!("{other:?}"),
    };
    let stop = Action::StopPlay { user_id: user_id() };
    assert_eq!(machine.feed(Event::Request(view(false))), [stop]);
    assert_eq!(machine.feed(Event::Request(view(false))), []);
    // Late events of the stopped player, and a new stream of theirs, change nothing.
    machine.feed_all([
        Event::Playing { user_id: user_id() },
        Event::PlayLost {
            user_id: user_id(),
            reason: "x".into(),
        },
    ]);
    machine.later(60);
    assert_eq!(machine.feed(Event::Wake), []);
    assert_eq!(machine.feed(Event::MemberChanged(peer("a", "u2"))), []);
    assert_eq!(link(&machine), Link::Off);
    let play = machine.feed(Event::Request(view(true)));
    assert_eq!(play, [Action::Play(peer("a", "u2"))]);
    assert_eq!(link(&machine), Link::Connecting);
}
