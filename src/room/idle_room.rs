//! Finds the room of an agent who waits for a customer: by `call` where the server knows that, else in its
//! lists.

use crate::protocol::answer::{Called, Room};
use crate::protocol::request;

use super::client::{Identity, RoomClient};
use super::error::RoomError;

/// The agents that a customer may be sent to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// User ids, or beginnings followed by `*`. Empty: all.
    pub agents: Vec<String>,
    /// User ids of agents that did not answer just now.
    pub except: Vec<String>,
}

impl Search {
    fn wants(&self, agent: &str) -> bool {
        let named = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => agent.starts_with(beginning),
            None => agent == name,
        };
        let excepted = self.except.iter().any(|name| name == agent);
        !excepted && (self.agents.is_empty() || self.agents.iter().any(named))
    }
}

/// The result of `call` that comes with a room.
const OFFERED: &str = "offered";

/// Finds a room with a free seat for us; `None` = all agents are busy.
pub(super) async fn find(
    client: &RoomClient,
    me: &Identity,
    search: &Search,
    capacity: usize,
) -> Result<Option<Room>, RoomError> {
    if !me.calls {
        let rooms = client.get_room_list(me).await?;
        return Ok(choose(&rooms, &me.user_id, capacity, search).cloned());
    }
    let request = request::Call {
        user_id: me.user_id.clone(),
        agents: search.agents.clone(),
        except: search.except.clone(),
    };
    let called: Called = client.call(me, &request).await?;
    let offered = called.result == OFFERED && !called.room_id.is_empty();
    Ok(offered.then(|| Room {
        room_id: called.room_id,
        room_info: called.room_info,
        room_creator: called.room_creator,
        ..Room::default()
    }))
}

/// Chooses the room to enter as `me`: one with exactly one other member and a free seat.
///
/// A room whose only member created it comes first: that is an agent who opened a room and
/// waits. Rooms without a creator are the second choice, unless agents are named. A room whose
/// creator has left is another customer's: the servers never update the field. Among equals the
/// first listed wins, which is the oldest on Node. An entry of `me` in the list is left over from
/// before a crash and does not count: entering again replaces it.
#[must_use]
fn choose<'a>(rooms: &'a [Room], me: &str, capacity: usize, search: &Search) -> Option<&'a Room> {
    let waiting = |room: &&Room| room.pushers.len() <= capacity && only_other(room, me).is_some();
    let by_creator = |room: &&Room| only_other(room, me) == Some(room.room_creator.as_str());
    let wanted = |room: &&Room| search.wants(&room.room_creator);
    let nobodys = |room: &&Room| room.room_creator.is_empty();
    if capacity < 2 {
        return None;
    }
    let mut rooms = rooms.iter().filter(waiting).filter(wanted);
    let agents = rooms.clone().find(by_creator);
    agents.or_else(|| rooms.find(nobodys))
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
                vec![room("a", "", &["x"]), room("b", "y", &["y"])],
                2,
                Some("b"),
            ),
            (vec![room("a", "gone", &["x"])], 2, None),
            (vec![room("a", "", &["x"])], 2, Some("a")),
            (vec![room("a", "x", &["x", "me"])], 2, Some("a")),
            (vec![room("a", "x", &["x", "y"])], 4, None),
            (vec![room("a", "x", &["x"])], 1, None),
        ] {
            let all = Search::default();
            let id = choose(&rooms, "me", capacity, &all).map(|room| room.room_id.as_str());
            assert_eq!(id, chosen, "{rooms:?}");
        }
    }

    #[test]
    fn agents_are_pinned_and_passed_over() {
        let rooms = [
            room("a", "eve", &["eve"]),
            room("b", "teller-1", &["teller-1"]),
            room("c", "teller-2", &["teller-2"]),
            room("d", "", &["x"]),
        ];
        let find = |agents: &[&str], except: &[&str]| {
            let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let search = Search {
                agents: texts(agents),
                except: texts(except),
            };
            choose(&rooms, "me", 2, &search).map(|room| room.room_id.as_str())
        };
        assert_eq!(find(&[], &[]), Some("a"));
        assert_eq!(find(&["teller-*"], &[]), Some("b"));
        assert_eq!(find(&["teller-*"], &["teller-1"]), Some("c"));
        assert_eq!(find(&["teller-2"], &["teller-2"]), None);
        assert_eq!(find(&[], &["eve", "teller-1", "teller-2"]), Some("d"));
    }
}
