//! The machine under random events, with its promises checked after each.

use proptest::prelude::*;

use super::*;

fn any_event() -> impl Strategy<Value = Event> {
    let id = prop_oneof![Just("a".to_owned()), Just("b".to_owned())];
    let failure = prop_oneof![
        Just(RoomFailure::Taken("t".into())),
        Just(RoomFailure::Unreachable("u".into())),
        Just(RoomFailure::Refused("r".into())),
    ];
    let done = prop_oneof![3 => Just(Ok(())), 1 => failure.prop_map(Err)];
    prop_oneof![
        Just(Event::Request(Request::Call)),
        Just(Event::Request(Request::HangUp)),
        any::<bool>().prop_map(|muted| Event::Request(Request::Mute { on: muted })),
        any::<bool>().prop_map(|on| Event::Request(Request::Preview { on })),
        Just(Event::Request(Request::Enter { room: "r".into() })),
        (id.clone(), any::<bool>())
            .prop_map(|(user, on)| Event::Request(Request::View { user, on })),
        Just(Event::Said(ShownMessage {
            name: "n".into(),
            text: "t".into()
        })),
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
    /// it, or for the self-view while nobody calls, a player runs only for a member, and everything is
    /// left again.
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
            for action in machine.feed(event) {
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
            let previewing = machine.state == State::Attract(Attract { preview: true });
            prop_assert!(!transition.to_string().is_empty());
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
