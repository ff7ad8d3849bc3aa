//! Shares of users in rooms, places and memory.

use super::*;

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
