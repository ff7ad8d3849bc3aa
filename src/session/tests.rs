//! The machine without its shell: whole calls as sequences of events, then random ones.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

struct Machine {
    state: State,
    facts: Facts,
}

impl Machine {
    fn new(role: Role) -> Self {
        let facts = Facts {
            now: Instant::now(),
            role,
            patience: Patience::default(),
            auto_call: false,
            server: Ok(()),
            failed_calls: 0,
            random: 0.0,
        };
        Self {
            state: State::Starting(starting::Starting),
            facts,
        }
    }

    fn tell(&mut self, event: Event) -> Vec<Action> {
        let next = self.state.clone().handle(event, &self.facts);
        self.state = next.state;
        next.actions
    }

    fn tell_all(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        events
            .into_iter()
            .flat_map(|event| self.tell(event))
            .collect()
    }

    fn later(&mut self, seconds: u64) {
        self.facts.now += Duration::from_secs(seconds);
    }

    fn in_call(role: Role) -> Self {
        let mut machine = Self::new(role);
        machine.tell_all([Event::LoggedIn, Event::Command(Command::Call)]);
        match role {
            Role::Guest => machine.tell(Event::RoomFound(Ok(Some("r1".into())))),
            Role::Host => machine.tell(Event::RoomCreated(Ok("r1".into()))),
        };
        machine.tell_all([
            Event::PushUrl(Ok(())),
            Event::CaptureReady(Ok(())),
            Event::Pushing,
            Event::Entered(Ok(())),
        ]);
        assert!(
            matches!(machine.state, State::InCall(_)),
            "{:?}",
            machine.state
        );
        machine
    }

    fn reason(&self) -> EndReason {
        match self.state.transition() {
            Transition::Ending { reason } => reason,
            other => panic!("not ending: {other:?}"),
        }
    }
}

fn peer(id: &str, url: &str) -> Peer {
    Peer {
        user_id: id.into(),
        name: id.to_uppercase(),
        play_url: url.into(),
    }
}

fn get_push_url() -> Action {
    Action::GetPushUrl {
        room_id: "r1".into(),
    }
}

fn without_wake(actions: Vec<Action>) -> Vec<Action> {
    actions
        .into_iter()
        .filter(|action| !matches!(action, Action::WakeIn(_)))
        .collect()
}

#[test]
fn a_guest_finds_an_agent_and_goes_through_every_step() {
    let mut machine = Machine::new(Role::Guest);
    assert_eq!(machine.tell(Event::LoggedIn), []);
    assert_eq!(machine.state.transition(), Transition::Attract);
    assert_eq!(
        machine.tell(Event::Command(Command::Call)),
        [Action::FindRoom]
    );
    let poll = machine.facts.patience.queue_poll;
    assert_eq!(
        machine.tell(Event::RoomFound(Ok(None))),
        [Action::WakeIn(poll)]
    );
    assert_eq!(machine.tell(Event::Wake), [Action::FindRoom]);
    let actions = machine.tell(Event::RoomFound(Ok(Some("r1".into()))));
    assert_eq!(
        without_wake(actions),
        [Action::StartCapture, get_push_url()]
    );
    assert_eq!(machine.tell(Event::CaptureReady(Ok(()))), []);
    assert_eq!(machine.tell(Event::PushUrl(Ok(()))), [Action::StartPush]);
    assert_eq!(
        machine.tell(Event::Pushing),
        [Action::Enter {
            room_id: "r1".into()
        }]
    );
    machine.tell(Event::Entered(Ok(())));
    let actions = machine.tell(Event::MemberJoined(peer("a", "u1")));
    assert_eq!(actions, [Action::Play(peer("a", "u1"))]);
    machine.tell(Event::Playing {
        user_id: "a".into(),
    });
    assert_eq!(machine.state.transition().status_line(), "In call with A");
    let actions = machine.tell(Event::MemberLeft {
        user_id: "a".into(),
    });
    assert_eq!(without_wake(actions), [Action::Leave]);
    assert_eq!(machine.reason(), EndReason::PeerLeft);
    machine.tell_all([Event::Left, Event::Wake]);
    assert_eq!(machine.state.transition(), Transition::Attract);
}

#[test]
fn a_host_opens_a_room_and_stays_when_the_customer_leaves() {
    let mut machine = Machine::new(Role::Host);
    machine.tell(Event::LoggedIn);
    let actions = machine.tell(Event::Command(Command::Call));
    assert_eq!(
        without_wake(actions),
        [Action::StartCapture, Action::CreateRoom]
    );
    let mut machine = Machine::in_call(Role::Host);
    machine.tell(Event::MemberJoined(peer("k", "u")));
    let actions = machine.tell(Event::MemberLeft {
        user_id: "k".into(),
    });
    assert_eq!(
        actions,
        [Action::StopPlay {
            user_id: "k".into()
        }]
    );
    machine.later(3600);
    assert_eq!(machine.tell(Event::Wake), []);
    assert_eq!(
        machine.state.transition().status_line(),
        "Waiting for the other side"
    );
}

#[test]
fn a_taken_room_sends_the_guest_back_into_the_queue() {
    let mut machine = Machine::new(Role::Guest);
    machine.tell_all([
        Event::LoggedIn,
        Event::Command(Command::Call),
        Event::RoomFound(Ok(Some("r1".into()))),
        Event::CaptureReady(Ok(())),
        Event::PushUrl(Ok(())),
        Event::Pushing,
    ]);
    let actions = machine.tell(Event::Entered(Err(RoomFailure::Taken("full".into()))));
    assert_eq!(actions[0], Action::Leave);
    assert_eq!(machine.state.transition(), Transition::Queueing);
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
            Event::PushLost(Fault::new(FaultCode::PushRefused, "x")),
            FaultCode::PushRefused,
        ),
        (
            Event::PushLost(Fault::new(FaultCode::NoRelay, "x")),
            FaultCode::NoRelay,
        ),
        (Event::PushUrl(Err(unreachable())), FaultCode::NoRoomServer),
        (
            Event::Entered(Err(RoomFailure::Refused("x".into()))),
            FaultCode::RoomRefused,
        ),
        (
            Event::LoginRefused { reason: "x".into() },
            FaultCode::LoginRefused,
        ),
        (Event::Wake, FaultCode::TimedOut),
    ] {
        let mut machine = Machine::new(Role::Guest);
        machine.tell_all([
            Event::LoggedIn,
            Event::Command(Command::Call),
            Event::RoomFound(Ok(Some("r1".into()))),
        ]);
        let actions = machine.tell(event.clone());
        assert_eq!(actions[0], Action::Leave, "{event:?}");
        match machine.reason() {
            EndReason::Failed(fault) => assert_eq!(fault.code, code, "{event:?}"),
            other => panic!("{event:?} ended with {other}"),
        }
    }
}

#[test]
fn a_lost_uplink_gets_a_new_url_and_tells_the_room() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.tell(Event::MemberJoined(peer("a", "u")));
    machine.tell_all([Event::PushReconnecting, Event::Pushing]);
    let lost = || Event::PushLost(Fault::new(FaultCode::NoRelay, "gone"));
    let actions = without_wake(machine.tell(lost()));
    assert_eq!(actions, [Action::StopPush, get_push_url()]);
    assert_eq!(
        without_wake(machine.tell(Event::PushUrl(Ok(())))),
        [Action::StartPush]
    );
    assert_eq!(without_wake(machine.tell(lost())), [Action::StopPush]);
    assert_eq!(
        without_wake(machine.tell(Event::Wake)),
        [],
        "not before its time"
    );
    machine.later(2);
    assert_eq!(without_wake(machine.tell(Event::Wake)), [get_push_url()]);
    machine.tell(Event::PushUrl(Ok(())));
    let actions = without_wake(machine.tell(Event::Pushing));
    assert_eq!(
        actions,
        [Action::Enter {
            room_id: "r1".into()
        }]
    );
    assert_eq!(machine.tell(Event::Entered(Ok(()))), []);
    assert_eq!(machine.state.transition().status_line(), "In call with A");
}

#[test]
fn an_uplink_that_stays_away_ends_the_call() {
    let mut machine = Machine::in_call(Role::Host);
    machine.tell(Event::PushLost(Fault::new(
        FaultCode::PushRefused,
        "wrong key",
    )));
    machine.later(119);
    machine.tell(Event::Wake);
    assert!(matches!(machine.state, State::InCall(_)));
    machine.later(1);
    machine.tell(Event::Wake);
    let lost = Fault::new(
        FaultCode::PushRefused,
        "the uplink did not come back: wrong key",
    );
    assert_eq!(machine.reason(), EndReason::Failed(lost));
}

#[test]
fn an_agent_whose_calls_fail_tries_ever_more_rarely() {
    let mut machine = Machine::new(Role::Host);
    machine.facts.auto_call = true;
    let failed = Fault::new(FaultCode::PushRefused, "x");
    let mut waits = vec![];
    for _ in 0..8 {
        waits.extend(attract::Attract::enter(&machine.facts).actions);
        let ended = ending::Ending::enter(EndReason::Failed(failed.clone()), &machine.facts);
        machine.facts.count_failure(&ended.state);
    }
    let seconds = [2, 4, 8, 16, 32, 60, 60, 60];
    let expected = seconds.map(|s| Action::WakeIn(Duration::from_secs(s)));
    assert_eq!(waits, expected);
    machine.facts.random = 1.0;
    let spread = attract::Attract::enter(&machine.facts).actions;
    assert_eq!(spread, [Action::WakeIn(Duration::from_secs(45))]);
}

#[test]
fn a_lost_downlink_is_played_again_while_its_member_is_there() {
    let mut machine = Machine::in_call(Role::Host);
    machine.tell(Event::MemberJoined(peer("k", "u")));
    let lost = Event::PlayLost {
        user_id: "k".into(),
        reason: "x".into(),
    };
    let actions = without_wake(machine.tell(lost.clone()));
    assert_eq!(
        actions,
        [Action::StopPlay {
            user_id: "k".into()
        }]
    );
    machine.later(2);
    assert_eq!(
        without_wake(machine.tell(Event::Wake)),
        [Action::Play(peer("k", "u"))]
    );
    machine.tell_all([
        lost,
        Event::MemberLeft {
            user_id: "k".into(),
        },
    ]);
    machine.later(2);
    assert_eq!(without_wake(machine.tell(Event::Wake)), []);
}

#[test]
fn a_new_play_url_restarts_the_player_and_a_new_name_does_not() {
    let mut machine = Machine::in_call(Role::Guest);
    machine.tell(Event::MemberJoined(peer("a", "u1")));
    let signed_again = machine.tell(Event::MemberChanged(peer("a", "u1?txTime=2")));
    assert_eq!(signed_again, []);
    let actions = machine.tell(Event::MemberChanged(peer("a", "u2")));
    let stop = Action::StopPlay {
        user_id: "a".into(),
    };
    assert_eq!(actions, [stop, Action::Play(peer("a", "u2"))]);
    let renamed = Peer {
        name: "Anna".into(),
        ..peer("a", "u2")
    };
    assert_eq!(machine.tell(Event::MemberChanged(renamed)), []);
    assert_eq!(
        machine.state.transition().status_line(),
        "In call with Anna"
    );
}

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
fn a_chosen_room_is_entered_or_nothing() {
    let enter = |id: &str| Command::Enter(id.into());
    let mut machine = Machine::new(Role::Host);
    assert!(machine.state.accepts(&enter("r1")).is_err());
    machine.tell(Event::LoggedIn);
    for bad in ["", "a\nb", &"x".repeat(129)] {
        let refused = machine.state.accepts(&enter(bad)).unwrap_err();
        assert!(refused.contains("1 to 128 bytes"), "{refused}");
    }
    assert!(machine.state.accepts(&enter("r1")).is_ok());
    machine.facts.role = Role::Guest;
    let actions = machine.tell(Event::Command(enter("r1")));
    assert_eq!(
        without_wake(actions),
        [Action::StartCapture, get_push_url()]
    );
    machine.tell_all([
        Event::CaptureReady(Ok(())),
        Event::PushUrl(Ok(())),
        Event::Pushing,
    ]);
    let taken = RoomFailure::Taken("the room is full".into());
    machine.tell(Event::Entered(Err(taken)));
    let EndReason::Failed(fault) = machine.reason() else {
        panic!("{:?}", machine.state);
    };
    assert_eq!(fault.to_string(), "N-7: the room is full");
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

#[test]
fn a_member_is_played_or_not_by_command() {
    let view = |on| Command::View {
        user_id: "a".into(),
        on,
    };
    let mut machine = Machine::in_call(Role::Host);
    let refused = machine.state.accepts(&view(false)).unwrap_err();
    assert_eq!(refused, "nobody else is in the room");
    machine.tell(Event::MemberJoined(peer("b", "u")));
    let refused = machine.state.accepts(&view(false)).unwrap_err();
    assert_eq!(refused, "nobody of that id is in the room: b");
    machine.tell(Event::MemberJoined(peer("a", "u1")));
    assert!(machine.state.accepts(&view(false)).is_ok());
    let user_id = || "a".to_owned();
    let link = |machine: &Machine| match machine.state.transition() {
        Transition::InCall { members, .. } => members["a"].downlink,
        other => panic!("{other:?}"),
    };
    let stop = Action::StopPlay { user_id: user_id() };
    assert_eq!(machine.tell(Event::Command(view(false))), [stop]);
    assert_eq!(machine.tell(Event::Command(view(false))), []);
    // What the stopped player still tells, and a new stream of his, change nothing.
    machine.tell_all([
        Event::Playing { user_id: user_id() },
        Event::PlayLost {
            user_id: user_id(),
            reason: "x".into(),
        },
    ]);
    machine.later(60);
    assert_eq!(machine.tell(Event::Wake), []);
    assert_eq!(machine.tell(Event::MemberChanged(peer("a", "u2"))), []);
    assert_eq!(link(&machine), Link::Off);
    let play = machine.tell(Event::Command(view(true)));
    assert_eq!(play, [Action::Play(peer("a", "u2"))]);
    assert_eq!(link(&machine), Link::Connecting);
}

fn any_event() -> impl Strategy<Value = Event> {
    let id = prop_oneof![Just("a".to_owned()), Just("b".to_owned())];
    let failure = prop_oneof![
        Just(RoomFailure::Taken("t".into())),
        Just(RoomFailure::Unreachable("u".into())),
        Just(RoomFailure::Refused("r".into())),
    ];
    let done = prop_oneof![3 => Just(Ok(())), 1 => failure.prop_map(Err)];
    prop_oneof![
        Just(Event::Command(Command::Call)),
        Just(Event::Command(Command::HangUp)),
        any::<bool>().prop_map(|muted| Event::Command(Command::Mute(muted))),
        any::<bool>().prop_map(|on| Event::Command(Command::Preview(on))),
        Just(Event::Command(Command::Enter("r".into()))),
        (id.clone(), any::<bool>())
            .prop_map(|(user_id, on)| Event::Command(Command::View { user_id, on })),
        Just(Event::Said {
            name: "n".into(),
            text: "t".into()
        }),
        Just(Event::LoggedIn),
        Just(Event::ServerReachable),
        any::<bool>().prop_map(|untrusted| Event::ServerUnreachable {
            untrusted,
            reason: "x".into()
        }),
        Just(Event::RoomFound(Ok(Some("r".into())))),
        Just(Event::RoomFound(Ok(None))),
        Just(Event::RoomCreated(Ok("r".into()))),
        Just(Event::CaptureReady(Ok(()))),
        Just(Event::CaptureReady(Err("no camera".into()))),
        done.clone().prop_map(Event::PushUrl),
        Just(Event::Pushing),
        Just(Event::PushReconnecting),
        Just(Event::PushLost(Fault::new(FaultCode::NoRelay, "x"))),
        done.prop_map(Event::Entered),
        (id.clone(), id.clone()).prop_map(|(id, url)| Event::MemberJoined(peer(&id, &url))),
        id.clone().prop_map(|user_id| Event::MemberLeft { user_id }),
        id.clone().prop_map(|user_id| Event::Playing { user_id }),
        id.prop_map(|user_id| Event::PlayLost {
            user_id,
            reason: "x".into()
        }),
        Just(Event::Kicked { reason: "x".into() }),
        Just(Event::Left),
        Just(Event::Wake),
    ]
}

proptest! {
    /// Whatever happens in whatever order: devices are open only on the way into a call and in
    /// it, or for the own picture while nobody calls, a player runs only for a member, and everything is left again.
    #[test]
    fn devices_and_players_are_never_left_behind(
        host in any::<bool>(),
        events in proptest::collection::vec((any_event(), 0_u64..5), 0..120),
    ) {
        let mut machine = Machine::new(if host { Role::Host } else { Role::Guest });
        let mut capturing = false;
        let mut silenced = false;
        let mut players = std::collections::BTreeSet::new();
        for (event, seconds) in events {
            machine.later(seconds);
            for action in machine.tell(event) {
                match action {
                    Action::StartCapture => { capturing = true; silenced = false; }
                    Action::SetMuted(muted) => silenced = muted,
                    Action::Play(peer) => prop_assert!(players.insert(peer.user_id)),
                    Action::StopPlay { user_id } => { players.remove(&user_id); }
                    Action::Leave => { capturing = false; players.clear(); }
                    _ => {}
                }
            }
            let transition = machine.state.transition();
            let previewing = machine.state == State::Attract(attract::Attract { preview: true });
            prop_assert!(!transition.status_line().is_empty());
            match transition {
                Transition::InCall { members, muted, .. } => {
                    prop_assert!(capturing);
                    prop_assert_eq!(muted, silenced);
                    prop_assert!(players.iter().all(|id| members.contains_key(id)));
                }
                Transition::Connecting { muted, .. } => {
                    prop_assert!(capturing && players.is_empty());
                    prop_assert_eq!(muted, silenced);
                }
                _ => prop_assert!(capturing == previewing && players.is_empty()),
            }
        }
    }
}
