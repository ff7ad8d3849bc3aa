//! Chooses the room of an agent who waits for a customer.

use crate::protocol::answer::Room;

/// Chooses the room to enter as `me`: one with exactly one other member and a free seat.
///
/// A room whose only member created it comes first: that is an agent who opened a room and
/// waits. Rooms without a creator, or with one who has left (the servers never update the
/// field), are the second choice. Among equals the first listed wins, which is the oldest on
/// Node. An entry of `me` in the list is left over from before a crash and does not count:
/// entering again replaces it.
#[must_use]
pub(super) fn choose<'a>(rooms: &'a [Room], me: &str, capacity: usize) -> Option<&'a Room> {
    let waiting = |room: &&Room| room.pushers.len() <= capacity && only_other(room, me).is_some();
    let by_creator = |room: &&Room| only_other(room, me) == Some(room.room_creator.as_str());
    if capacity < 2 {
        return None;
    }
    rooms
        .iter()
        .filter(waiting)
        .find(by_creator)
        .or_else(|| rooms.iter().find(waiting))
}

/// Finds the one member that is not `me`; members without a name are ghosts of a Node bug.
fn only_other<'a>(room: &'a Room, me: &str) -> Option<&'a str> {
    let mut others = room.pushers.iter().map(|member| member.user_id.as_str());
    let mut others = others.by_ref().filter(|user| *user != me);
    match (others.next(), others.next()) {
        (Some(other), None) if !other.is_empty() => Some(other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::answer::Pusher;

    fn room(id: &str, creator: &str, members: &[&str]) -> Room {
        Room {
            room_id: id.into(),
            room_creator: creator.into(),
            pushers: members
                .iter()
                .map(|user| Pusher {
                    user_id: (*user).into(),
                    ..Pusher::default()
                })
                .collect(),
            ..Room::default()
        }
    }

    #[test]
    fn table() {
        for (rooms, capacity, chosen) in [
            (vec![], 2, None),
            (vec![room("a", "x", &[])], 2, None),
            (vec![room("a", "x", &["x", "y"])], 2, None),
            (vec![room("a", "me", &["me"])], 2, None),
            (vec![room("a", "", &[""])], 2, None),
            (
                vec![room("a", "x", &["x"]), room("b", "y", &["y"])],
                2,
                Some("a"),
            ),
            (
                vec![room("a", "gone", &["x"]), room("b", "y", &["y"])],
                2,
                Some("b"),
            ),
            (vec![room("a", "gone", &["x"])], 2, Some("a")),
            (vec![room("a", "", &["x"])], 2, Some("a")),
            (vec![room("a", "x", &["x", "me"])], 2, Some("a")),
            (vec![room("a", "x", &["x", "y"])], 4, None),
            (vec![room("a", "x", &["x"])], 1, None),
        ] {
            let id = choose(&rooms, "me", capacity).map(|room| room.room_id.as_str());
            assert_eq!(id, chosen, "{rooms:?}");
        }
    }
}
