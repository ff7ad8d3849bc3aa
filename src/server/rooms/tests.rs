//! The rules, case by case after the official Node server's tables, and under random use.

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
fn an_idle_agents_room_is_held_for_one_caller() {
    let mut bench = Bench::new(RoomType::Double);
    let offer = |rooms: &Rooms, user: &str, now| {
        let room = rooms.offer(RoomType::Double, user, now, |_| true);
        room.map(|room| room.key.id)
    };
    assert_eq!(offer(&bench.rooms, "kiosk", at(0)), None);
    for id in ["first", "second"] {
        let joining = joining(&format!("agent {id}"), id);
        bench
            .rooms
            .add(RoomType::Double, id, "", &joining, at(0), fresh)
            .unwrap();
    }
    bench.told();
    assert_eq!(offer(&bench.rooms, "k1", at(1)).as_deref(), Some("first"));
    assert_eq!(bench.told(), ["held for k1"]);
    assert_eq!(offer(&bench.rooms, "k2", at(1)).as_deref(), Some("second"));
    assert_eq!(offer(&bench.rooms, "k3", at(1)), None);
    let enter = |id: &str, user: &str, now| {
        let joining = joining(user, user);
        code(
            &bench
                .rooms
                .add(RoomType::Double, id, "", &joining, now, fresh),
        )
    };
    assert!(!bench.rooms.may_play("first", "k3", at(1)));
    assert_eq!(enter("first", "k3", at(1)), 5001);
    assert_eq!(enter("first", "k1", at(1)), 0);
    // Who comes back while their old self is there takes its seat, unless the agent has gone.
    assert_eq!(offer(&bench.rooms, "k1", at(2)).as_deref(), Some("first"));
    // Asking again gives up what was held.
    assert_eq!(offer(&bench.rooms, "k2", at(2)).as_deref(), Some("second"));
    assert_eq!(offer(&bench.rooms, "k3", at(16)), None);
    assert_eq!(offer(&bench.rooms, "k3", at(17)).as_deref(), Some("second"));
    assert_eq!(
        offer(&bench.rooms, "agent second", at(40)),
        None,
        "their own"
    );
}

#[test]
fn an_agent_that_waits_longest_comes_first_and_a_silent_one_never() {
    let bench = Bench::new(RoomType::Multi);
    for id in ["a", "b"] {
        let joining = joining(id, id);
        bench
            .rooms
            .add(RoomType::Multi, id, "", &joining, at(0), fresh)
            .unwrap();
    }
    let room = |id: &str| RoomKey::new(RoomType::Multi, id);
    let guest = joining("guest", "guest");
    bench
        .rooms
        .add(RoomType::Multi, "a", "", &guest, at(1), fresh)
        .unwrap();
    bench.rooms.leave(&room("a"), "guest").unwrap();
    let offer = |now, fits: fn(&Room) -> bool| {
        let room = bench.rooms.offer(RoomType::Multi, "k", now, fits);
        room.map(|room| room.key.id)
    };
    assert_eq!(offer(at(2), |_| true).as_deref(), Some("b"));
    assert_eq!(
        offer(at(2), |room| room.key.id == "a").as_deref(),
        Some("a")
    );
    bench.rooms.heartbeat(&room("a"), "a", at(20)).unwrap();
    assert_eq!(offer(at(30), |_| true).as_deref(), Some("a"), "b is late");
    // One whose creator left is no agent's any more.
    bench
        .rooms
        .add(RoomType::Multi, "a", "", &guest, at(46), fresh)
        .unwrap();
    bench.rooms.leave(&room("a"), "a").unwrap();
    assert_eq!(offer(at(47), |_| true), None);
}

#[test]
fn one_user_has_a_share_of_rooms_and_of_places() {
    let rules = Rules {
        rooms_per_user: 2,
        memberships_per_user: 3,
        ..Rules::default()
    };
    let bench = Bench::with(RoomType::Multi, rules);
    let create = |id: &str, user: &str| {
        code(
            &bench
                .rooms
                .create(RoomType::Multi, id, user, "", at(0), fresh),
        )
    };
    let enter = |id: &str, user: &str, stream: &str| {
        let joining = joining(user, stream);
        code(
            &bench
                .rooms
                .add(RoomType::Multi, id, "", &joining, at(0), fresh),
        )
    };
    assert_eq!(
        [create("1", "eve"), create("2", "eve"), create("3", "eve")],
        [0, 0, 1]
    );
    assert_eq!(enter("4", "eve", "s"), 1, "add_pusher makes rooms too");
    assert_eq!(create("3", "bob"), 0, "others have theirs");
    assert_eq!([enter("1", "eve", "s"), enter("2", "eve", "s")], [0, 0]);
    assert_eq!(enter("3", "bob", "t"), 0);
    assert_eq!(enter("3", "eve", "s"), 0);
    assert_eq!(enter("5", "ann", "u"), 0);
    assert_eq!(enter("5", "eve", "s"), 1, "in three rooms already");
    bench.rooms.remove("eve");
    assert!(bench.rooms.members(&RoomKey::new(RoomType::Multi, "3")) == ["bob"]);
    assert_eq!([create("1", "eve"), create("2", "eve")], [0, 0]);
    assert_eq!(bench.rooms.users().len(), 3);
}

#[test]
fn rooms_are_refused_before_memory_is_used_up() {
    let rules = Rules {
        max_bytes: 100_000,
        rooms_per_user: 10_000,
        ..Rules::default()
    };
    let bench = Bench::with(RoomType::Live, rules);
    let info = "x".repeat(1000);
    let mut ids = 0_usize..;
    let made = ids.find(|id| {
        let made = bench
            .rooms
            .create(RoomType::Live, &id.to_string(), "u", &info, at(0), fresh);
        made == Err(Refusal::NoMemory)
    });
    assert!((40..100).contains(&made.unwrap()), "{made:?}");
    // What is given back can be used again.
    assert_eq!(bench.rooms.sweep(at(1000)).idle.len(), made.unwrap());
    assert_eq!(bench.create(&info, at(1000)), 0);
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
fn unused_ids_are_given_back_after_two_minutes() {
    let mut bench = Bench::new(RoomType::Double);
    bench.create("", at(0));
    assert_eq!(bench.rooms.sweep(at(120)), Sweep::default());
    assert_eq!(bench.rooms.sweep(at(121)).idle, [bench.key()]);
    assert_eq!(bench.told(), ["room reserved", "room closed"]);
    assert_eq!(bench.create("", at(31)), 0);
    bench.add("alice", at(31));
    assert!(bench.rooms.sweep(at(1000)).idle.is_empty());
}

#[test]
fn silent_members_are_judged_by_their_stream() {
    use StreamState::{Live, NotLive};
    let unknown = || StreamState::Unknown("no answer".into());
    // Seconds of silence, what the relay says, what becomes of the member.
    for (silence, status, fate) in [
        (20, NotLive, Fate::Settled),
        (21, NotLive, Fate::Dropped),
        (21, Live, Fate::Refreshed),
        (1000, Live, Fate::Refreshed),
        (21, unknown(), Fate::Waiting),
        (40, unknown(), Fate::Waiting),
        (41, unknown(), Fate::Dropped),
    ] {
        let bench = Bench::new(RoomType::Multi);
        bench.add("bob", at(0));
        bench.add("alice", at(0));
        bench.beat("bob", at(silence));
        let late = LateMember {
            room: bench.key(),
            user: "alice".into(),
            stream: "8525_alice".into(),
        };
        let found = bench.rooms.sweep(at(silence)).late;
        let expected: &[LateMember] = if silence > 20 {
            std::slice::from_ref(&late)
        } else {
            &[]
        };
        assert_eq!(found, expected, "{silence} s");
        let now = at(silence);
        assert_eq!(bench.rooms.judge(&late, &status, now), fate, "{silence} s");
        let stays = fate != Fate::Dropped;
        assert_eq!(bench.members().unwrap().len(), 1 + usize::from(stays));
        let is_late = !bench.rooms.sweep(now).late.is_empty();
        assert_eq!(is_late, fate == Fate::Waiting, "{silence} s");
    }
}

#[test]
fn who_comes_back_while_the_relay_is_asked_is_not_dropped() {
    let bench = Bench::new(RoomType::Live);
    bench.add("alice", at(0));
    let late = bench.rooms.sweep(at(30)).late;
    let judge = || bench.rooms.judge(&late[0], &StreamState::NotLive, at(31));
    bench.beat("alice", at(30));
    assert_eq!(judge(), Fate::Settled);
    bench.add_stream("alice", "8525_new", at(1));
    assert_eq!(judge(), Fate::Settled, "another stream was asked about");
    bench.leave("alice");
    assert_eq!(judge(), Fate::Settled);
}

#[test]
fn a_dropped_creator_takes_the_live_room_along() {
    let mut bench = Bench::new(RoomType::Live);
    bench.add("alice", at(0));
    bench.add("bob", at(20));
    let late = bench.rooms.sweep(at(30)).late;
    bench.told();
    let fate = bench.rooms.judge(&late[0], &StreamState::NotLive, at(30));
    assert_eq!(fate, Fate::Dropped);
    assert_eq!(bench.told(), ["room closed"]);
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
