//! Ids that nobody uses, and members that fall silent.

use super::*;

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
