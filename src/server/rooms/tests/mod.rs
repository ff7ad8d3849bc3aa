//! The rules, case by case after the official Node server's tables, and under random use.

mod late;
mod offers;
mod quotas;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tokio::sync::broadcast;

use super::*;
use crate::protocol::{Code, RoomType};
use crate::server::clock::Now;
use crate::server::relay::StreamState;

const ID: &str = "r";

fn at(seconds: u64) -> Now {
    Now {
        steady: Duration::from_secs(seconds),
        unix: 1_700_000_000 + seconds,
    }
}

fn joining(user: &str, stream: &str) -> Joining {
    Joining {
        user: user.into(),
        name: format!("{user}'s name"),
        avatar: String::new(),
        stream: stream.into(),
    }
}

/// Rooms with a client's view on them: codes instead of errors.
struct Bench {
    rooms: Rooms,
    kind: RoomType,
    events: broadcast::Receiver<RoomEvent>,
}

impl Bench {
    fn new(kind: RoomType) -> Self {
        Self::with(kind, Rules::default())
    }

    fn with(kind: RoomType, rules: Rules) -> Self {
        let rooms = Rooms::new(rules);
        let events = rooms.subscribe();
        Self {
            rooms,
            kind,
            events,
        }
    }

    fn key(&self) -> RoomKey {
        RoomKey::new(self.kind, ID)
    }

    fn create(&self, info: &str, now: Now) -> i64 {
        code(&self.rooms.create(self.kind, ID, "alice", info, now, fresh))
    }

    fn add(&self, user: &str, now: Now) -> i64 {
        self.add_stream(user, &format!("8525_{user}"), now)
    }

    fn add_stream(&self, user: &str, stream: &str, now: Now) -> i64 {
        let joining = joining(user, stream);
        code(&self.rooms.add(self.kind, ID, "info", &joining, now, fresh))
    }

    fn leave(&self, user: &str) -> i64 {
        code(&self.rooms.leave(&self.key(), user))
    }

    fn destroy(&self, user: &str) -> i64 {
        code(&self.rooms.destroy(&self.key(), user))
    }

    fn beat(&self, user: &str, now: Now) -> i64 {
        code(&self.rooms.heartbeat(&self.key(), user, now))
    }

    /// `None` = get_pushers would say 3.
    fn members(&self) -> Option<Vec<String>> {
        let room = self.rooms.active(&self.key()).ok()?;
        Some(room.members.into_iter().map(|member| member.user).collect())
    }

    fn creator(&self) -> Option<String> {
        self.rooms.active(&self.key()).ok()?.creator
    }

    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .map(|event| event.what.to_string())
            .collect()
    }
}

fn fresh() -> String {
    "fresh".to_owned()
}

fn code<T>(result: &Result<T, Refusal>) -> i64 {
    let refused = result.as_ref().err();
    refused.map_or(Code::Ok, |refusal| refusal.code()).number()
}

const SAME_RULES: [RoomType; 2] = [RoomType::Double, RoomType::Multi];

#[test]
fn create_room_only_reserves_an_id() {
    for kind in RoomType::ALL {
        let mut bench = Bench::new(kind);
        assert_eq!(bench.create(&"ä".repeat(513), at(0)), 10);
        assert_eq!(bench.create(&"ä".repeat(512), at(0)), 0);
        assert_eq!(bench.create("again", at(0)), 11);
        assert_eq!(bench.members(), None);
        assert!(bench.rooms.list(kind, |_| true, 0, 9).is_empty());
        assert_eq!(bench.leave("alice"), 5);
        assert_eq!(bench.beat("alice", at(0)), 5);
        assert_eq!(bench.destroy("alice"), 3);
        assert_eq!(bench.told(), ["room reserved"]);
        assert_eq!(bench.add("alice", at(1)), 0);
        assert_eq!(bench.create("", at(1)), 11);
        assert_eq!(bench.told(), ["room opened", "alice joined"]);
    }
}

#[test]
fn an_empty_id_gets_a_fresh_one() {
    let bench = Bench::new(RoomType::Double);
    let id = bench
        .rooms
        .create(RoomType::Double, "", "a", "", at(0), || "room_1".into());
    assert_eq!(id, Ok("room_1".to_owned()));
    let made = bench
        .rooms
        .add(RoomType::Double, "", "", &joining("a", "s"), at(0), || {
            "room_2".into()
        });
    assert_eq!(made, Ok(Some("room_2".to_owned())));
}

#[test]
fn nobody_opens_a_room_that_somebody_else_reserved() {
    let bench = Bench::new(RoomType::Double);
    bench.create("", at(0));
    assert_eq!(bench.add("bob", at(1)), 5001);
    assert_eq!(bench.add("alice", at(1)), 0);
    assert_eq!(bench.creator().as_deref(), Some("alice"));
    assert_eq!(bench.add("bob", at(2)), 0);
    assert_eq!(bench.creator().as_deref(), Some("alice"));
    assert_eq!(bench.members().unwrap(), ["alice", "bob"]);
}

#[test]
fn a_stream_has_one_owner_wherever_it_is_brought() {
    let bench = Bench::new(RoomType::Multi);
    assert_eq!(bench.add_stream("alice", "s", at(0)), 0);
    assert_eq!(bench.add_stream("bob", "s", at(0)), 1);
    assert_eq!(bench.add_stream("alice", "t", at(0)), 0, "the newest wins");
    assert_eq!(
        bench.add_stream("bob", "s", at(0)),
        0,
        "it is nobody's any more"
    );
    let may_play = |stream, user| bench.rooms.may_play(stream, user, at(0));
    assert!(may_play("t", "bob") && may_play("t", "could come in"));
    assert!(!may_play("u", "bob"));
    for user in ["carol", "dave"] {
        assert_eq!(bench.add(user, at(0)), 0);
    }
    assert!(may_play("t", "bob") && !may_play("t", "could come in"));
    bench.leave("bob");
    assert!(may_play("t", "bob"), "there is a place again");
    assert!(bench.rooms.is_members("t") && !bench.rooms.is_members("s"));
}

#[test]
fn a_live_room_is_played_by_everybody() {
    let bench = Bench::with(
        RoomType::Live,
        Rules {
            live_capacity: 1,
            ..Rules::default()
        },
    );
    assert_eq!(bench.add_stream("alice", "s", at(0)), 0);
    assert!(bench.rooms.may_play("s", "anybody", at(0)));
}

#[test]
fn add_pusher_makes_a_whole_room() {
    let mut bench = Bench::new(RoomType::Multi);
    let joining = joining("alice", "8525_alice");
    let too_long = "x".repeat(1025);
    let add = |info: &str| {
        bench
            .rooms
            .add(bench.kind, ID, info, &joining, at(0), fresh)
    };
    assert_eq!(code(&add(&too_long)), 10);
    assert_eq!(bench.rooms.occupancy().rooms, 0);
    assert_eq!(add("counter 3"), Ok(Some(ID.to_owned())));
    assert_eq!(add("ignored"), Ok(None));
    let room = bench.rooms.active(&bench.key()).unwrap();
    assert_eq!(room.info, "counter 3");
    assert_eq!(room.creator.as_deref(), Some("alice"));
    assert_eq!(room.members.len(), 1);
    assert_eq!(bench.beat("alice", at(1)), 0);
    assert_eq!(
        bench.told(),
        ["room reserved", "room opened", "alice joined"]
    );
}

#[test]
fn rooms_have_their_capacity_and_members_may_always_come_again() {
    for (kind, capacity) in [
        (RoomType::Double, 2),
        (RoomType::Multi, 4),
        (RoomType::Live, 4),
    ] {
        let mut bench = Bench::new(kind);
        for n in 0..capacity {
            assert_eq!(bench.add(&n.to_string(), at(0)), 0);
        }
        assert_eq!(bench.add("late", at(0)), 5001);
        bench.told();
        assert_eq!(bench.add("1", at(9)), 0);
        assert!(bench.told().is_empty(), "nothing that others see changed");
        assert_eq!(bench.add_stream("1", "8525_new", at(10)), 0);
        assert_eq!(bench.told(), ["1 changed"]);
        let room = bench.rooms.active(&bench.key()).unwrap();
        let member = room.member("1").unwrap();
        assert_eq!(member.stream, "8525_new");
        assert_eq!((member.seen, member.added), (at(10).steady, at(10).unix));
        assert_eq!(room.members.len(), capacity);
    }
}

#[test]
fn a_double_or_multi_room_survives_its_creator_and_goes_with_its_last_member() {
    for kind in SAME_RULES {
        let mut bench = Bench::new(kind);
        bench.add("alice", at(0));
        bench.add("bob", at(0));
        bench.told();
        assert_eq!(bench.leave("carol"), 5);
        assert_eq!(bench.leave("alice"), 0);
        assert_eq!(bench.leave("alice"), 5);
        assert_eq!(bench.members().unwrap(), ["bob"]);
        assert_eq!(bench.creator().as_deref(), Some("alice"));
        assert_eq!(bench.leave("bob"), 0);
        assert_eq!(bench.members(), None);
        assert_eq!(bench.create("", at(1)), 0, "the id is free again");
        assert_eq!(bench.told(), ["alice left", "room closed", "room reserved"]);
    }
}

#[test]
fn the_creator_ends_the_room_if_the_rules_say_so() {
    let rules = Rules {
        creator_can_destroy: true,
        ..Rules::default()
    };
    for kind in SAME_RULES {
        let bench = Bench::with(kind, rules);
        bench.add("alice", at(0));
        bench.add("bob", at(0));
        assert_eq!(bench.leave("alice"), 0);
        assert_eq!(bench.members(), None);
        assert_eq!(bench.leave("bob"), 5);
        bench.add("alice", at(0));
        bench.add("bob", at(0));
        assert_eq!(bench.leave("bob"), 0);
        assert_eq!(bench.members().unwrap(), ["alice"]);
    }
}

#[test]
fn a_live_room_goes_with_its_creator() {
    let bench = Bench::new(RoomType::Live);
    bench.add("alice", at(0));
    bench.add("bob", at(0));
    assert_eq!(bench.leave("bob"), 0);
    assert_eq!(bench.members().unwrap(), ["alice"]);
    bench.add("bob", at(0));
    assert_eq!(bench.leave("alice"), 0);
    assert_eq!(bench.members(), None);
    assert_eq!(bench.leave("bob"), 5);
}

#[test]
fn only_the_recorded_creator_destroys_a_room() {
    for kind in RoomType::ALL {
        let mut bench = Bench::new(kind);
        assert_eq!(bench.destroy("alice"), 3);
        bench.create("", at(0));
        assert_eq!(bench.destroy("alice"), 3, "nobody is creator yet");
        assert_eq!(bench.destroy(""), 3);
        bench.add("alice", at(0));
        bench.add("bob", at(0));
        assert_eq!(bench.destroy("bob"), 3);
        bench.told();
        assert_eq!(bench.destroy("alice"), 0);
        assert_eq!(bench.told(), ["room closed"]);
        assert_eq!(bench.destroy("alice"), 3);
        assert_eq!(bench.beat("bob", at(0)), 5);
    }
}

#[test]
fn each_type_has_its_own_rooms_and_the_list_keeps_the_order() {
    let bench = Bench::new(RoomType::Double);
    for (kind, id) in [
        (RoomType::Double, "b"),
        (RoomType::Multi, "b"),
        (RoomType::Double, "9"),
        (RoomType::Double, "a"),
    ] {
        let user = joining(id, id);
        bench.rooms.add(kind, id, "", &user, at(0), fresh).unwrap();
    }
    bench.create("only reserved", at(0));
    let ids = |skip, take| {
        let rooms = bench.rooms.list(RoomType::Double, |_| true, skip, take);
        rooms
            .into_iter()
            .map(|room| room.key.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(0, 20), ["b", "9", "a"]);
    assert_eq!(ids(1, 1), ["9"]);
    assert!(ids(0, 0).is_empty());
    assert!(ids(7, 20).is_empty());
    assert_eq!(bench.rooms.list(RoomType::Multi, |_| true, 0, 20).len(), 1);
    let full = Occupancy {
        rooms: 5,
        active_rooms: 4,
        members: 4,
    };
    assert_eq!(bench.rooms.occupancy(), full);
}

#[test]
fn the_number_of_rooms_is_bounded() {
    let rules = Rules {
        max_rooms: 1,
        ..Rules::default()
    };
    let bench = Bench::with(RoomType::Multi, rules);
    assert_eq!(bench.create("", at(0)), 0);
    let other = bench.rooms.create(bench.kind, "x", "b", "", at(0), fresh);
    assert_eq!(code(&other), 6);
    let other = joining("a", "s");
    let other = bench.rooms.add(bench.kind, "x", "", &other, at(0), fresh);
    assert_eq!(code(&other), 6);
    assert_eq!(bench.add("alice", at(0)), 0, "the room that is there");
    assert_eq!(bench.create("", at(0)), 11);
}

#[test]
fn custom_fields_count_and_keep_values() {
    let bench = Bench::new(RoomType::Live);
    let set = |field: &str, operation: &str, value| {
        let change = FieldChange::parse(operation, value)?;
        bench.rooms.set_field(&bench.key(), field, &change)
    };
    assert_eq!(code(&set("like", "inc", None)), 3);
    bench.add("alice", at(0));
    set("like", "inc", None).unwrap();
    set("like", "inc", None).unwrap();
    assert_eq!(set("like", "dec", None).unwrap(), r#"{"like":1}"#);
    let text = set("title", "set", Some(json!("hi"))).unwrap();
    assert_eq!(text, r#"{"like":1,"title":"hi"}"#);
    assert_eq!(code(&set("title", "inc", None)), 1);
    assert_eq!(code(&set("x", "set", None)), 1);
    assert_eq!(code(&set("x", "set", Some(json!(null)))), 1);
    assert_eq!(code(&set("x", "double", None)), 1);
    assert_eq!(code(&set("x", "set", Some("y".repeat(1024).into()))), 1);
    let heavy = vec![json!({"":0}); 100];
    assert_eq!(code(&set("x", "set", Some(heavy.into()))), 1);
    set("like", "set", Some(json!(i64::MAX))).unwrap();
    assert!(set("like", "inc", None).is_ok());
    for n in 2..32 {
        assert_eq!(code(&set(&n.to_string(), "inc", None)), 0, "{n}");
    }
    assert_eq!(code(&set("one too many", "inc", None)), 1);
    let room = bench.rooms.active(&bench.key()).unwrap();
    assert_eq!(room.custom.len(), 32);
}

#[test]
fn the_audience_is_listed_up_to_its_limit() {
    let bench = Bench::new(RoomType::Live);
    let watch = |user: &str, info: &str| {
        let watcher = Watcher {
            user: user.into(),
            info: info.into(),
        };
        code(&bench.rooms.add_watcher(&bench.key(), &watcher))
    };
    assert_eq!(watch("u", ""), 3);
    bench.rooms.remove_watcher(&bench.key(), "u");
    assert!(bench.rooms.audience(&bench.key()).is_empty());
    bench.add("alice", at(0));
    for n in 0..30 {
        assert_eq!(watch(&n.to_string(), ""), 0);
    }
    assert_eq!(watch("one too many", ""), 1);
    assert_eq!(watch("7", "again"), 0);
    assert_eq!(bench.rooms.audience(&bench.key())[7].info, "again");
    bench.rooms.remove_watcher(&bench.key(), "7");
    bench.rooms.remove_watcher(&bench.key(), "7");
    assert_eq!(bench.rooms.audience(&bench.key()).len(), 29);
    assert_eq!(watch("one more", ""), 0);
}

/// A step that a client or the clock may take.
#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    Add(usize, usize),
    Leave(usize, usize),
    Destroy(usize, usize),
    Beat(usize, usize),
    /// Time passes, then a sweep during which the relay says this of every stream.
    Sweep(u64, StreamState),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (room, user) = (0_usize..3, 0_usize..6);
    let status = prop_oneof![
        Just(StreamState::Live),
        Just(StreamState::NotLive),
        Just(StreamState::Unknown("no answer".into()))
    ];
    let step = prop_oneof![
        1 => room.clone().prop_map(Step::Create),
        4 => (room.clone(), user.clone()).prop_map(|(r, u)| Step::Add(r, u)),
        2 => (room.clone(), user.clone()).prop_map(|(r, u)| Step::Leave(r, u)),
        1 => (room.clone(), user.clone()).prop_map(|(r, u)| Step::Destroy(r, u)),
        2 => (room, user).prop_map(|(r, u)| Step::Beat(r, u)),
        2 => (0_u64..30, status).prop_map(|(s, status)| Step::Sweep(s, status)),
    ];
    proptest::collection::vec(step, 0..120)
}

proptest! {
    /// Whatever happens: capacities hold, members are exactly those whom answers and events
    /// say are in, and nobody outlives their silence.
    #[test]
    fn no_ghosts_and_no_overflow(kind in 0_usize..3, steps in steps()) {
        let kind = RoomType::ALL[kind];
        let rooms = Rooms::new(Rules::default());
        let mut events = rooms.subscribe();
        // Members by room, as a listener to the events would believe.
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut clock = 0;
        for step in steps {
            let now = at(clock);
            let key = |room: &usize| RoomKey::new(kind, room.to_string());
            let has = |room: &usize, user: &usize| {
                rooms
                    .active(&key(room))
                    .is_ok_and(|room| room.member(&user.to_string()).is_some())
            };
            match &step {
                Step::Create(room) => {
                    let _ = rooms.create(kind, &room.to_string(), "1", "", now, fresh);
                }
                Step::Add(room, user) => {
                    let joining = joining(&user.to_string(), &format!("s{user}"));
                    let added = rooms.add(kind, &room.to_string(), "", &joining, now, fresh);
                    prop_assert_eq!(added.is_ok(), has(room, user));
                }
                Step::Leave(room, user) => {
                    let was_in = has(room, user);
                    let left = rooms.leave(&key(room), &user.to_string());
                    prop_assert_eq!(left.is_ok(), was_in);
                    prop_assert!(!has(room, user));
                }
                Step::Destroy(room, user) => {
                    let destroyed = rooms.destroy(&key(room), &user.to_string());
                    prop_assert!(destroyed.is_err() || rooms.active(&key(room)).is_err());
                }
                Step::Beat(room, user) => {
                    let beaten = rooms.heartbeat(&key(room), &user.to_string(), now);
                    prop_assert_eq!(beaten.is_ok(), has(room, user));
                }
                Step::Sweep(seconds, status) => {
                    clock += seconds;
                    let now = at(clock);
                    for late in rooms.sweep(now).late {
                        rooms.judge(&late, status, now);
                    }
                    let limit = if matches!(status, StreamState::Unknown(_)) { 40 } else { 20 };
                    for room in rooms.list(kind, |_| true, 0, 99) {
                        for member in room.members {
                            let silent = now.steady - member.seen;
                            prop_assert!(silent <= Duration::from_secs(limit));
                        }
                    }
                }
            }
            while let Ok(RoomEvent { room, what, .. }) = events.try_recv() {
                let members = told.entry(room.id.clone()).or_default();
                match what {
                    RoomChange::Joined { user } => prop_assert!(members.insert(user)),
                    RoomChange::Left { user } => prop_assert!(members.remove(&user)),
                    RoomChange::Changed { user } => prop_assert!(members.contains(&user)),
                    RoomChange::Closed => members.clear(),
                    RoomChange::Reserved | RoomChange::Opened | RoomChange::Held { .. } => prop_assert!(members.is_empty()),
                }
            }
            for room in 0..3 {
                let known = rooms.active(&key(&room));
                let members: BTreeSet<_> = known.as_ref().map_or(BTreeSet::new(), |room| {
                    room.members.iter().map(|member| member.user.clone()).collect()
                });
                prop_assert!(members.len() <= kind.default_capacity());
                prop_assert_eq!(&members, told.entry(room.to_string()).or_default());
                prop_assert!(known.is_err() || !members.is_empty(), "an open room is empty");
            }
        }
    }
}
