//! The room session against a played server: what it does when the server forgets, refuses,
//! falls silent or goes away. Intervals are shortened; the cadence itself is a unit test.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::time::Duration;

use rtckiosk::config::kiosk::{Credentials, Role};
use rtckiosk::protocol::RoomType;
use rtckiosk::room::{
    ClientSettings, ClosedReason, Created, EnterRoom, ErrorClass, KickedReason, RoomError,
    RoomEvent, RoomHandle, RoomSession, SessionSettings, Timings,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::played::{Played, Reply};
use crate::played_world::World;

const HEARTBEAT: Duration = Duration::from_millis(140);
const GRACE: Duration = Duration::from_millis(900);

fn timings() -> Timings {
    Timings {
        heartbeat: HEARTBEAT,
        poll: Duration::from_millis(40),
        safety_poll: Duration::from_secs(15),
        idle_probe: Duration::from_millis(100),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        enter_deadline: Duration::from_secs(2),
        leave_deadline: Duration::from_millis(300),
        return_grace: GRACE,
    }
}

fn seat(role: Role) -> EnterRoom {
    EnterRoom {
        room_id: "r".into(),
        room_info: "counter".into(),
        role,
        user_name: "Kiosk".into(),
        user_avatar: String::new(),
        push_url: "rtmp://h/live/kiosk?x".into(),
    }
}

/// A session and its events.
struct Kiosk {
    handle: RoomHandle,
    events: mpsc::Receiver<RoomEvent>,
}

impl Kiosk {
    fn start(server: &Played) -> Self {
        Self::start_with(server, timings())
    }

    fn start_with(server: &Played, timings: Timings) -> Self {
        Self::start_patient(server, timings, Duration::from_secs(2))
    }

    fn start_patient(server: &Played, timings: Timings, deadline: Duration) -> Self {
        let mut client = ClientSettings::new(server.url(), RoomType::Double);
        client.deadline = deadline;
        let settings = SessionSettings {
            timings,
            ..SessionSettings::new(client)
        };
        let (sender, events) = mpsc::channel(32);
        let user_id = Some("kiosk".into());
        let credentials = Credentials::GetLoginInfo { user_id };
        let handle = RoomSession::start(&settings, credentials, sender).unwrap();
        Self { handle, events }
    }

    /// In room `r` as a guest, with an agent.
    async fn in_call(server: &Played, world: &World) -> Self {
        world.put("r", "agent", "rtmp://h/live/agent?1");
        let mut kiosk = Self::start(server);
        kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
        kiosk.expect("MemberJoined").await;
        kiosk
    }

    async fn next(&mut self) -> RoomEvent {
        self.expect("").await
    }

    /// The next event of this name; the ones before it are dropped.
    async fn expect(&mut self, name: &str) -> RoomEvent {
        let waiting = async {
            loop {
                let event = self.events.recv().await.expect("a running session");
                if format!("{event:?}").starts_with(name) {
                    return event;
                }
            }
        };
        let event = timeout(Duration::from_secs(5), waiting).await;
        event.unwrap_or_else(|_| panic!("no event {name} within 5 s"))
    }

    fn names_so_far(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            let text = format!("{event:?}");
            names.push(text.split([' ', '(', '{']).next().unwrap().to_owned());
        }
        names
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 5 s: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_call_from_login_to_logout() {
    let world = World::default();
    let server = world.start().await;
    let mut kiosk = Kiosk::start(&server);
    assert_eq!(
        kiosk.next().await,
        RoomEvent::LoggedIn {
            user_id: "kiosk".into()
        }
    );
    assert_eq!(
        kiosk
            .handle
            .find_idle_room(rtckiosk::room::Search::default())
            .await
            .unwrap(),
        None
    );
    world.put("r", "agent", "rtmp://h/live/agent?1");
    let room = kiosk
        .handle
        .find_idle_room(rtckiosk::room::Search::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(room.room_id, "r");
    let push_url = kiosk.handle.get_push_url("r").await.unwrap();
    assert_eq!(push_url, "rtmp://h/live/kiosk?x");
    kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
    assert_eq!(
        kiosk.next().await,
        RoomEvent::Entered {
            room_id: "r".into()
        }
    );
    let RoomEvent::MemberJoined(agent) = kiosk.next().await else {
        panic!()
    };
    assert_eq!(
        (agent.user_id.as_str(), agent.accelerate_url.as_str()),
        ("agent", "rtmp://h/live/agent?1")
    );

    world.put("r", "agent", "rtmp://h/live/agent?2");
    let RoomEvent::MemberChanged(agent) = kiosk.next().await else {
        panic!()
    };
    assert_eq!(agent.accelerate_url, "rtmp://h/live/agent?2");
    world.remove("r", "agent");
    let RoomEvent::MemberLeft(agent) = kiosk.next().await else {
        panic!()
    };
    assert_eq!(agent.user_id, "agent");

    let snapshot = kiosk.handle.snapshot();
    eventually("heartbeats", || snapshot.borrow().heartbeats_ok >= 3).await;
    let state = snapshot.borrow().clone();
    assert_eq!(
        (state.heartbeats_failed, state.logins, state.re_adds),
        (0, 1, 0)
    );
    assert_eq!(state.room_id.as_deref(), Some("r"));
    let json = serde_json::to_value(&state).unwrap();
    assert_eq!(json["reachable"], true);

    kiosk.handle.leave().await.unwrap();
    let beats = server.count("pusher_heartbeat");
    sleep(3 * HEARTBEAT).await;
    assert_eq!(server.count("pusher_heartbeat"), beats);
    assert_eq!(server.count("delete_pusher"), 1);
    assert_eq!(snapshot.borrow().room_id, None);
    kiosk.handle.stop().await.unwrap();
    assert_eq!(server.count("logout"), 1);
    assert!(matches!(
        kiosk.handle.list_rooms().await,
        Err(RoomError::Stopped)
    ));
    assert_eq!(kiosk.names_so_far(), [""; 0]);
}

#[tokio::test]
async fn a_host_creates_the_room_and_does_not_mind_that_it_exists() {
    let world = World::default();
    let server = world.start().await;
    let kiosk = Kiosk::start(&server);
    let created = kiosk.handle.create_room("r", "counter").await.unwrap();
    assert_eq!(created, Created::New("r".into()));
    let again = kiosk.handle.create_room("r", "counter").await.unwrap();
    assert_eq!(again, Created::Existed("r".into()));
    // The server reaps a room that nobody enters; the host creates it again.
    world.remove_room("r");
    kiosk.handle.enter(seat(Role::Host)).await.unwrap();
    assert_eq!(world.members("r"), ["kiosk rtmp://h/live/kiosk?x"]);
    // An own member list without anybody else is no idle room.
    assert_eq!(
        kiosk
            .handle
            .find_idle_room(rtckiosk::room::Search::default())
            .await
            .unwrap(),
        None
    );
    let other = EnterRoom {
        room_id: "other".into(),
        ..seat(Role::Host)
    };
    let refused = kiosk.handle.enter(other).await.unwrap_err();
    assert!(matches!(refused, RoomError::AlreadyInRoom { .. }));
}

#[tokio::test]
async fn a_new_push_url_is_told_to_the_room() {
    let world = World::default();
    let server = world.start().await;
    let mut kiosk = Kiosk::in_call(&server, &world).await;
    let renewed = EnterRoom {
        push_url: "rtmp://h/live/new?x".into(),
        ..seat(Role::Guest)
    };
    kiosk.handle.enter(renewed).await.unwrap();
    assert!(
        world
            .members("r")
            .contains(&"kiosk rtmp://h/live/new?x".into())
    );
    // It is also what the kiosk comes back with.
    world.forget_everything();
    let snapshot = kiosk.handle.snapshot();
    eventually("back", || snapshot.borrow().re_adds == 1).await;
    assert_eq!(world.members("r"), ["kiosk rtmp://h/live/new?x"]);
    assert_eq!(kiosk.names_so_far(), ["LoggedIn"]);
    // A kiosk that leaves meanwhile does not come back by it.
    world.force("add_pusher", Reply::Silence);
    let (renewed, left) = tokio::join!(kiosk.handle.enter(seat(Role::Guest)), async {
        sleep(Duration::from_millis(50)).await;
        kiosk.handle.leave().await
    });
    assert!(
        matches!(renewed, Err(RoomError::LeftMeanwhile)),
        "{renewed:?}"
    );
    left.unwrap();
}

#[tokio::test]
async fn entering_fails_with_the_reason() {
    let world = World::default();
    let server = world.start().await;
    let kiosk = Kiosk::start(&server);
    let error = kiosk.handle.enter(seat(Role::Guest)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::RoomGone, "{error}");
    assert_eq!(
        server.count("add_pusher"),
        0,
        "Node makes a ghost room of it"
    );

    world.put("r", "a", "");
    world.put("r", "b", "");
    let error = kiosk.handle.enter(seat(Role::Guest)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Full, "{error}");

    world.remove("r", "b");
    world.force_code("add_pusher", -1);
    let error = kiosk.handle.enter(seat(Role::Guest)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retry, "{error}");
    assert_eq!(server.count("add_pusher"), 1 + 3);

    let nameless = EnterRoom {
        room_id: String::new(),
        ..seat(Role::Host)
    };
    let error = kiosk.handle.enter(nameless).await.unwrap_err();
    assert!(matches!(error, RoomError::MissingRoomId));

    world.force("add_pusher", Reply::Silence);
    let (entered, left) = tokio::join!(kiosk.handle.enter(seat(Role::Guest)), async {
        sleep(Duration::from_millis(50)).await;
        kiosk.handle.leave().await
    });
    assert!(
        matches!(entered, Err(RoomError::LeftMeanwhile)),
        "{entered:?}"
    );
    left.unwrap();
    world.release("add_pusher");
    kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
}

#[tokio::test]
async fn a_lost_token_is_renewed_without_a_word() {
    let world = World::default();
    let server = world.start().await;
    let mut kiosk = Kiosk::in_call(&server, &world).await;
    world.forget_tokens();
    kiosk.expect("LoggedIn").await;
    let snapshot = kiosk.handle.snapshot();
    let beats = snapshot.borrow().heartbeats_ok;
    eventually("heartbeats", || snapshot.borrow().heartbeats_ok > beats + 1).await;
    let state = snapshot.borrow().clone();
    assert_eq!(
        (state.logins, state.re_adds, state.heartbeats_failed),
        (2, 0, 0)
    );
    assert_eq!(kiosk.names_so_far(), [""; 0]);
}

#[tokio::test]
async fn a_restart_with_empty_memory_is_survived() {
    let world = World::default();
    let server = world.start().await;
    let addr = server.addr;
    let mut kiosk = Kiosk::in_call(&server, &world).await;
    drop(server);
    let RoomEvent::ServerUnreachable { reason, .. } = kiosk.next().await else {
        panic!()
    };
    assert!(reason.contains("room server"), "{reason}");
    sleep(GRACE).await;
    world.forget_everything();
    let _server = world.start_at(addr).await;
    kiosk.expect("ServerReachable").await;
    let snapshot = kiosk.handle.snapshot();
    eventually("back", || {
        world.members("r") == ["kiosk rtmp://h/live/kiosk?x"]
    })
    .await;
    // The agent comes back later, with a newly signed URL: that is a change, not a new member.
    sleep(GRACE / 3).await;
    world.put("r", "agent", "rtmp://h/live/agent?2");
    kiosk.expect("MemberChanged").await;
    assert_eq!(kiosk.names_so_far(), [""; 0]);
    let state = snapshot.borrow().clone();
    assert_eq!((state.logins, state.re_adds, state.reachable), (2, 1, true));
    assert!(state.heartbeats_failed > 0);
    // A member that does not come back has left.
    world.forget_everything();
    kiosk.expect("LoggedIn").await;
    let forgotten = Instant::now();
    kiosk.expect("MemberLeft").await;
    assert!(forgotten.elapsed() > GRACE / 2, "{:?}", forgotten.elapsed());
}

#[tokio::test]
async fn who_was_removed_comes_back_and_gives_in_the_third_time() {
    let world = World::default();
    let server = world.start().await;
    let mut kiosk = Kiosk::in_call(&server, &world).await;
    let snapshot = kiosk.handle.snapshot();
    for times in 1..=2 {
        world.remove("r", "kiosk");
        eventually("back", || snapshot.borrow().re_adds == times).await;
    }
    world.remove("r", "kiosk");
    let reason = KickedReason::Removed;
    assert_eq!(kiosk.next().await, RoomEvent::Kicked { reason });
    assert_eq!(world.members("r"), ["agent rtmp://h/live/agent?1"]);
    // The session lives on, and may enter again at once.
    kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
}

#[tokio::test]
async fn a_guest_accepts_that_a_room_was_destroyed_twice() {
    let world = World::default();
    let server = world.start().await;
    let mut kiosk = Kiosk::in_call(&server, &world).await;
    let snapshot = kiosk.handle.snapshot();
    world.remove_room("r");
    eventually("back", || snapshot.borrow().re_adds == 1).await;
    assert_eq!(server.count("create_room"), 1);
    world.remove_room("r");
    let reason = ClosedReason::Destroyed;
    assert_eq!(kiosk.next().await, RoomEvent::RoomClosed { reason });
    assert_eq!(snapshot.borrow().room_id, None);
}

#[tokio::test]
async fn a_lost_seat_that_is_taken_or_refused_is_over() {
    for (code, expected) in [(5001, "Full"), (2, "Refused"), (6, "Refused")] {
        let world = World::default();
        let server = world.start().await;
        let mut kiosk = Kiosk::in_call(&server, &world).await;
        world.force_code("add_pusher", code);
        world.remove("r", "kiosk");
        let RoomEvent::RoomClosed { reason } = kiosk.next().await else {
            panic!()
        };
        assert!(
            format!("{reason:?}").starts_with(expected),
            "{code}: {reason:?}"
        );
    }
}

#[tokio::test]
async fn another_device_with_our_user_id_wins() {
    let world = World::default();
    let server = world.start().await;
    let mut kiosk = Kiosk::in_call(&server, &world).await;
    world.force_code("pusher_heartbeat", 7);
    let reason = KickedReason::LoginTakenOver;
    let event = kiosk.expect("Kicked").await;
    assert_eq!(event, RoomEvent::Kicked { reason });
    assert!(server.count("login") <= 4, "{}", server.count("login"));
}

#[tokio::test]
async fn a_refused_login_is_told_once_and_tried_again() {
    let world = World::default();
    world.force_code("login", 7);
    let server = world.start().await;
    let mut kiosk = Kiosk::start(&server);
    kiosk.expect("LoginRefused").await;
    eventually("more tries", || server.count("login") >= 3).await;
    assert_eq!(
        kiosk.handle.list_rooms().await.unwrap_err().class(),
        ErrorClass::LoginAgain
    );
    world.release("login");
    assert_eq!(
        kiosk.next().await,
        RoomEvent::LoggedIn {
            user_id: "kiosk".into()
        }
    );
}

#[tokio::test]
async fn an_unreachable_server_is_told_while_idle_and_costs_little() {
    let world = World::default();
    let server = world.start().await;
    let addr = server.addr;
    let mut kiosk = Kiosk::start(&server);
    kiosk.expect("LoggedIn").await;
    drop(server);
    kiosk.expect("ServerUnreachable").await;
    assert!(!kiosk.handle.snapshot().borrow().reachable);
    let before = Instant::now();
    let server = world.start_at(addr).await;
    kiosk.expect("ServerReachable").await;
    assert!(before.elapsed() < Duration::from_secs(1));
    let asked = server.seen().len();
    sleep(Duration::from_secs(1)).await;
    let probes = server.seen().len() - asked;
    assert!(
        (3..=13).contains(&probes),
        "{probes} probes in 1 s, one each 100 ms"
    );
}

/// With the real cadence, and the slowest client that the configuration allows.
#[tokio::test]
async fn heartbeats_start_at_most_12_s_apart_whatever_the_server_does() {
    let world = World::default();
    let server = world.start().await;
    world.put("r", "agent", "u");
    let patient = Duration::from_secs(30);
    let mut kiosk = Kiosk::start_patient(&server, Timings::default(), patient);
    kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
    kiosk.expect("MemberJoined").await;
    world.force("pusher_heartbeat", Reply::Silence);
    world.force("get_pushers", Reply::Trickle);
    // Nothing answers any more, so time may run as fast as it can.
    tokio::time::pause();
    sleep(Duration::from_secs(600)).await;
    let state = kiosk.handle.snapshot().borrow().clone();
    assert!(state.heartbeats_failed >= 600 / 12, "{state:?}");
    let longest = state.longest_heartbeat_gap_ms;
    assert!((7_000..=12_000).contains(&longest), "{longest}");
    assert_eq!(state.room_id.as_deref(), Some("r"));
    assert_eq!(state.members.len(), 1);
}

#[tokio::test]
async fn an_announced_change_is_looked_at_without_waiting() {
    let world = World::default();
    let server = world.start().await;
    world.put("r", "agent", "u");
    let slow = Timings {
        poll: Duration::from_secs(60),
        ..timings()
    };
    let mut kiosk = Kiosk::start_with(&server, slow);
    kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
    kiosk.expect("MemberJoined").await;
    world.put("r", "agent", "v");
    sleep(Duration::from_millis(100)).await;
    assert_eq!(kiosk.names_so_far(), [""; 0]);
    kiosk.handle.refresh();
    kiosk.expect("MemberChanged").await;
}

#[tokio::test]
async fn leaving_does_not_wait_for_a_dead_server_and_a_dropped_handle_ends_all() {
    let world = World::default();
    let server = world.start().await;
    let kiosk = Kiosk::in_call(&server, &world).await;
    world.force("delete_pusher", Reply::Silence);
    let started = Instant::now();
    kiosk.handle.leave().await.unwrap_err();
    assert!(
        started.elapsed() < Duration::from_millis(600),
        "{:?}",
        started.elapsed()
    );
    kiosk.handle.enter(seat(Role::Guest)).await.unwrap();
    drop(kiosk);
    sleep(Duration::from_millis(50)).await;
    let asked = server.seen().len();
    sleep(Duration::from_millis(400)).await;
    assert_eq!(server.seen().len(), asked);
}
