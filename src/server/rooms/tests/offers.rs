//! Rooms of idle agents that are offered to callers, and held for them.

use super::*;

#[test]
fn an_idle_agents_room_is_held_for_one_caller() {
    let mut bench = Bench::new(RoomType::Double);
    let offer = |rooms: &Rooms, user: &str, now| {
        let room = rooms.offer(RoomType::Double, user, now, |_| true, |_| false);
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
        let room = bench
            .rooms
            .offer(RoomType::Multi, "k", now, fits, |_| false);
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

/// Rooms as a kiosk is offered them, while the stream "k2" runs.
fn offered(rooms: &Rooms, user: &str) -> Option<String> {
    let runs = |stream: &str| stream == "k2";
    let room = rooms.offer(RoomType::Double, user, at(2), |_| true, runs);
    room.map(|room| room.key.id)
}

#[test]
fn the_seat_of_an_old_self_is_offered_again() {
    let bench = Bench::new(RoomType::Double);
    let enter = |id: &str, user: &str| {
        let joining = joining(user, user);
        let rooms = &bench.rooms;
        assert!(
            rooms
                .add(RoomType::Double, id, "", &joining, at(0), fresh)
                .is_ok()
        );
    };
    for (room, agent, kiosk) in [("one", "a1", "k1"), ("two", "a2", "k2")] {
        enter(room, agent);
        enter(room, kiosk);
    }
    assert_eq!(offered(&bench.rooms, "k1").as_deref(), Some("one"));
    assert_eq!(
        offered(&bench.rooms, "k2"),
        None,
        "another device of the name"
    );
    enter("three", "a3");
    assert_eq!(offered(&bench.rooms, "k2").as_deref(), Some("three"));
    assert_eq!(offered(&bench.rooms, "k1").as_deref(), Some("one"));
    bench.rooms.remove("a1");
    assert_eq!(offered(&bench.rooms, "k1"), None, "the agent has gone");
}
