//! The way into a call: the order of its steps, and what stops it.

use super::*;

#[test]
fn a_guest_finds_an_agent_and_goes_through_every_step() {
    let mut machine = Machine::new(Role::Guest);
    assert_eq!(machine.feed(Event::LoggedIn), []);
    assert_eq!(machine.state.transition(), Transition::Attract);
    assert_eq!(
        machine.feed(Event::Request(Request::Call)),
        [Action::FindRoom]
    );
    let poll = machine.facts.patience.queue_poll;
    assert_eq!(
        machine.feed(Event::RoomFound(Ok(None))),
        [Action::WakeIn(poll)]
    );
    assert_eq!(machine.feed(Event::Wake), [Action::FindRoom]);
    let actions = machine.feed(Event::RoomFound(Ok(Some("r1".into()))));
    assert_eq!(
        without_wake(actions),
        [Action::StartCapture, get_push_url()]
    );
    assert_eq!(machine.feed(Event::CaptureReady(Ok(()))), []);
    assert_eq!(machine.feed(Event::PushUrl(Ok(()))), [Action::StartPush]);
    assert_eq!(
        machine.feed(Event::Pushing),
        [Action::Enter {
            room_id: "r1".into()
        }]
    );
    machine.feed(Event::Entered(Ok(())));
    let actions = machine.feed(Event::MemberJoined(peer("a", "u1")));
    assert_eq!(without_wake(actions), [Action::Play(peer("a", "u1"))]);
    machine.feed(Event::Playing {
        user_id: "a".into(),
    });
    assert_eq!(machine.page(), Page::InCall(call_with(&["A"])));
    let actions = machine.feed(Event::MemberLeft {
        user_id: "a".into(),
    });
    assert_eq!(without_wake(actions), [Action::Leave]);
    assert_eq!(machine.reason(), EndReason::PeerLeft);
    machine.feed_all([Event::Left, Event::Wake]);
    assert_eq!(machine.state.transition(), Transition::Attract);
}

#[test]
fn a_customer_whom_nobody_answers_is_told_so() {
    let mut machine = Machine::new(Role::Guest);
    machine.feed_all([Event::LoggedIn, Event::Request(Request::Call)]);
    machine.later(200);
    machine.feed(Event::RoomFound(Ok(Some("r1".into()))));
    machine.feed_all([
        Event::PushUrl(Ok(())),
        Event::CaptureReady(Ok(())),
        Event::Pushing,
        Event::Entered(Ok(())),
    ]);
    machine.later(10);
    machine.feed_all([Event::Wake, Event::Left]);
    assert_eq!(machine.state.transition(), Transition::Queueing);
    machine.later(89);
    assert_eq!(machine.feed(Event::Wake), [Action::FindRoom]);
    let soon = Action::WakeIn(Duration::from_secs(1));
    assert_eq!(machine.feed(Event::RoomFound(Ok(None))), [soon]);
    machine.later(1);
    machine.feed(Event::Wake);
    assert_eq!(machine.reason(), EndReason::NobodyAnswered);
    machine.feed_all([Event::Left, Event::Wake]);
    // The next customer has their own time.
    machine.feed(Event::Request(Request::Call));
    machine.later(200);
    assert_eq!(machine.feed(Event::Wake), [Action::FindRoom]);
    // In a room that was asked for by its id nobody else is looked for.
    let mut machine = Machine::new(Role::Guest);
    let room = "r1".to_owned();
    machine.feed_all([Event::LoggedIn, Event::Request(Request::Enter { room })]);
    machine.feed_all([
        Event::PushUrl(Ok(())),
        Event::CaptureReady(Ok(())),
        Event::Pushing,
        Event::MemberJoined(peer("a", "u")),
        Event::Entered(Ok(())),
    ]);
    machine.later(300);
    machine.feed(Event::Wake);
    assert_eq!(machine.reason(), EndReason::NobodyAnswered);
}

#[test]
fn members_that_are_heard_of_before_the_own_entering_are_played_too() {
    let mut machine = Machine::new(Role::Guest);
    machine.feed_all([
        Event::LoggedIn,
        Event::Request(Request::Call),
        Event::RoomFound(Ok(Some("r1".into()))),
        Event::CaptureReady(Ok(())),
        Event::PushUrl(Ok(())),
        Event::Pushing,
        Event::MemberJoined(peer("a", "u1")),
        Event::MemberJoined(peer("b", "u2")),
        Event::MemberChanged(peer("a", "u3")),
        Event::MemberLeft {
            user_id: "b".into(),
        },
    ]);
    let actions = machine.feed(Event::Entered(Ok(())));
    assert_eq!(without_wake(actions), [Action::Play(peer("a", "u3"))]);
    let actions = machine.feed(Event::MemberLeft {
        user_id: "a".into(),
    });
    assert_eq!(without_wake(actions), [Action::Leave]);
}

#[test]
fn a_host_opens_a_room_and_stays_when_the_customer_leaves() {
    let mut machine = Machine::new(Role::Host);
    machine.feed(Event::LoggedIn);
    let actions = machine.feed(Event::Request(Request::Call));
    assert_eq!(
        without_wake(actions),
        [Action::StartCapture, Action::CreateRoom]
    );
    let mut machine = Machine::in_call(Role::Host);
    machine.feed(Event::MemberJoined(peer("k", "u")));
    let actions = machine.feed(Event::MemberLeft {
        user_id: "k".into(),
    });
    assert_eq!(
        actions,
        [Action::StopPlay {
            user_id: "k".into()
        }]
    );
    machine.later(3600);
    assert_eq!(machine.feed(Event::Wake), []);
    assert_eq!(machine.page(), Page::InCall(call_with(&[])));
}

#[test]
fn a_taken_room_sends_the_guest_back_into_the_queue() {
    let mut machine = Machine::new(Role::Guest);
    machine.feed_all([
        Event::LoggedIn,
        Event::Request(Request::Call),
        Event::RoomFound(Ok(Some("r1".into()))),
        Event::CaptureReady(Ok(())),
        Event::PushUrl(Ok(())),
        Event::Pushing,
    ]);
    let actions = machine.feed(Event::Entered(Err(RoomFailure::Taken("full".into()))));
    let agent = || "agent".to_owned();
    assert_eq!(
        actions[..2],
        [Action::PassOver { agent: agent() }, Action::Leave]
    );
    assert_eq!(machine.state.transition(), Transition::Queueing);
}

#[test]
fn an_agent_that_does_not_show_up_loses_the_customer_to_the_next() {
    let entered = || {
        let mut machine = Machine::new(Role::Guest);
        machine.feed_all([
            Event::LoggedIn,
            Event::Request(Request::Call),
            Event::RoomFound(Ok(Some("r1".into()))),
            Event::CaptureReady(Ok(())),
            Event::PushUrl(Ok(())),
            Event::Pushing,
            Event::Entered(Ok(())),
            Event::MemberJoined(peer("agent", "u1")),
        ]);
        machine
    };
    let mut machine = entered();
    machine.later(9);
    machine.feed(Event::Wake);
    assert!(
        matches!(machine.state, State::InCall(_)),
        "a second is left"
    );
    machine.later(1);
    let actions = machine.feed(Event::Wake);
    let agent = "agent".to_owned();
    assert_eq!(actions[..2], [Action::PassOver { agent }, Action::Leave]);
    assert_eq!(machine.state.transition(), Transition::Queueing);
    assert_eq!(machine.feed(Event::Wake), [Action::FindRoom]);
    // Seen or heard once, it may lose its stream like everybody else.
    let mut machine = entered();
    machine.feed(Event::Playing {
        user_id: "agent".into(),
    });
    machine.later(60);
    machine.feed(Event::Wake);
    assert!(matches!(machine.state, State::InCall(_)));
}

#[test]
fn a_push_url_that_is_refused_is_replaced_once() {
    for refused in [
        Event::PushLost(Fault::new(FaultCode::PushRefused, "expired")),
        Event::Entered(Err(RoomFailure::Refused("not yours".into()))),
    ] {
        let mut machine = Machine::new(Role::Guest);
        machine.feed_all([
            Event::LoggedIn,
            Event::Request(Request::Call),
            Event::RoomFound(Ok(Some("r1".into()))),
            Event::CaptureReady(Ok(())),
            Event::PushUrl(Ok(())),
            Event::Pushing,
        ]);
        let actions = machine.feed(refused.clone());
        assert_eq!(actions, [Action::StopPush, get_push_url()]);
        assert_eq!(machine.feed(Event::PushUrl(Ok(()))), [Action::StartPush]);
        machine.feed(Event::Pushing);
        machine.feed(refused);
        assert!(matches!(machine.reason(), EndReason::Failed(_)));
    }
}

#[test]
fn a_chosen_room_is_entered_or_nothing() {
    let enter = |id: &str| Request::Enter { room: id.into() };
    let mut machine = Machine::new(Role::Host);
    assert!(machine.state.accepts(&enter("r1")).is_err());
    machine.feed(Event::LoggedIn);
    for bad in ["", "a\nb", &"x".repeat(129)] {
        let refused = machine.state.accepts(&enter(bad)).unwrap_err();
        assert!(refused.contains("1 to 128 bytes"), "{refused}");
    }
    assert!(machine.state.accepts(&enter("r1")).is_ok());
    machine.facts.role = Role::Guest;
    let actions = machine.feed(Event::Request(enter("r1")));
    assert_eq!(
        without_wake(actions),
        [Action::StartCapture, get_push_url()]
    );
    machine.feed_all([
        Event::CaptureReady(Ok(())),
        Event::PushUrl(Ok(())),
        Event::Pushing,
    ]);
    let taken = RoomFailure::Taken("the room is full".into());
    machine.feed(Event::Entered(Err(taken)));
    let EndReason::Failed(fault) = machine.reason() else {
        panic!("{:?}", machine.state);
    };
    assert_eq!(fault.to_string(), "N-7: the room is full");
}

#[test]
fn every_failure_while_connecting_has_its_code() {
    let unreachable = || RoomFailure::Unreachable("x".into());
    for (event, code) in [
        (
            Event::CaptureReady(Err("no camera".into())),
            FaultCode::NoDevice,
        ),
        (
            Event::PushLost(Fault::new(FaultCode::NoRelay, "x")),
            FaultCode::NoRelay,
        ),
        (Event::PushUrl(Err(unreachable())), FaultCode::NoRoomServer),
        (
            Event::PushUrl(Err(RoomFailure::Refused("x".into()))),
            FaultCode::RoomRefused,
        ),
        (
            Event::LoginRefused { reason: "x".into() },
            FaultCode::LoginRefused,
        ),
        (Event::Wake, FaultCode::TimedOut),
    ] {
        let mut machine = Machine::new(Role::Guest);
        machine.feed_all([
            Event::LoggedIn,
            Event::Request(Request::Call),
            Event::RoomFound(Ok(Some("r1".into()))),
        ]);
        let actions = machine.feed(event.clone());
        assert_eq!(actions[0], Action::Leave, "{event:?}");
        match machine.reason() {
            EndReason::Failed(fault) => assert_eq!(fault.code, code, "{event:?}"),
            other => panic!("{event:?} ended with {other}"),
        }
    }
}

#[test]
fn an_agent_whose_calls_fail_tries_ever_more_rarely() {
    let mut machine = Machine::new(Role::Host);
    machine.facts.auto_call = true;
    let failed = Fault::new(FaultCode::PushRefused, "x");
    let mut waits = vec![];
    for _ in 0..8 {
        waits.extend(Next::enter(Entry::Attract, &machine.facts).actions);
        let end = Entry::Ending(EndReason::Failed(failed.clone()));
        let ended = Next::enter(end, &machine.facts);
        machine.facts.note(&ended.state.transition());
    }
    let seconds = [2, 4, 8, 16, 32, 60, 60, 60];
    let expected = seconds.map(|s| Action::WakeIn(Duration::from_secs(s)));
    assert_eq!(waits, expected);
    machine.facts.random = 1.0;
    let spread = Next::enter(Entry::Attract, &machine.facts).actions;
    assert_eq!(spread, [Action::WakeIn(Duration::from_secs(45))]);
}
