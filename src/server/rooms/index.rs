//! Ways to rooms without looking at all of them: the rooms of a user, the room of a stream,
//! the agents that are idle, and the memory of all together. Rooms go by their number in the table.

use std::collections::{BTreeMap, HashMap};

use super::room::Room;
use crate::protocol::RoomType;

/// The index; the table keeps it true.
#[derive(Debug, Default)]
pub(super) struct Index {
    users: HashMap<String, UserRooms>,
    streams: HashMap<String, Vec<(u64, String)>>,
    /// Rooms whose creator waits alone, the longest wait first.
    idle: BTreeMap<u64, u64>,
    /// Place of each of them in `idle`.
    idle_places: HashMap<u64, u64>,
    next_place: u64,
    /// The room that is held for a user.
    held: HashMap<String, u64>,
    pub(super) rooms: usize,
    pub(super) bytes: usize,
}

/// The rooms of a user.
#[derive(Debug, Default)]
struct UserRooms {
    /// Number of rooms whose ids they reserved.
    reserved: usize,
    member_of: Vec<u64>,
}

impl Index {
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// Rooms whose ids a user reserved and that are still there.
    pub(super) fn reserved_by(&self, user: &str) -> usize {
        self.users.get(user).map_or(0, |rooms| rooms.reserved)
    }

    /// Rooms in which a user is a member.
    pub(super) fn member_of(&self, user: &str) -> &[u64] {
        self.users.get(user).map_or(&[], |rooms| &rooms.member_of)
    }

    /// The rooms in which somebody's stream is played, with its member.
    pub(super) fn played_in(&self, stream: &str) -> &[(u64, String)] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    /// Rooms whose creator waits alone, the longest wait first.
    pub(super) fn idle(&self) -> impl Iterator<Item = u64> {
        self.idle.values().copied()
    }

    /// Notes for whom a room is held; answers the room that was before.
    pub(super) fn hold(&mut self, user: &str, number: Option<u64>) -> Option<u64> {
        match number {
            Some(number) => self.held.insert(user.to_owned(), number),
            None => self.held.remove(user),
        }
    }

    /// Takes in that a room changed, came or went.
    pub(super) fn replace(&mut self, number: u64, before: Option<&Room>, after: Option<&Room>) {
        if let Some(room) = before {
            self.forget(number, room);
        }
        if let Some(room) = after {
            self.learn(number, room);
        }
        self.keep_idle(number, after.is_some_and(waits_alone));
        let held = |room: Option<&Room>| room.and_then(|room| room.hold.clone());
        if let Some(hold) = held(before).filter(|hold| held(after).as_ref() != Some(hold))
            && self.held.get(&hold.user) == Some(&number)
        {
            self.held.remove(&hold.user);
        }
    }

    fn learn(&mut self, number: u64, room: &Room) {
        self.rooms += 1;
        self.bytes += room.bytes();
        let creator = self.users.entry(room.reserved_by.clone()).or_default();
        creator.reserved += 1;
        for member in &room.members {
            let user = self.users.entry(member.user.clone()).or_default();
            user.member_of.push(number);
            let places = self.streams.entry(member.stream.clone()).or_default();
            places.push((number, member.user.clone()));
        }
    }

    fn forget(&mut self, number: u64, room: &Room) {
        self.rooms -= 1;
        self.bytes -= room.bytes();
        self.change_user(&room.reserved_by, |rooms| rooms.reserved -= 1);
        for member in &room.members {
            self.change_user(&member.user, |rooms| {
                rooms.member_of.retain(|other| *other != number);
            });
            let Some(places) = self.streams.get_mut(&member.stream) else {
                continue;
            };
            places.retain(|(other, user)| (*other, user) != (number, &member.user));
            if places.is_empty() {
                self.streams.remove(&member.stream);
            }
        }
    }

    fn change_user(&mut self, user: &str, change: impl FnOnce(&mut UserRooms)) {
        let Some(rooms) = self.users.get_mut(user) else {
            return;
        };
        change(rooms);
        if rooms.reserved == 0 && rooms.member_of.is_empty() {
            self.users.remove(user);
        }
    }

    fn keep_idle(&mut self, number: u64, is_idle: bool) {
        if is_idle == self.idle_places.contains_key(&number) {
            return;
        }
        if is_idle {
            let place = self.next_place;
            self.next_place += 1;
            self.idle.insert(place, number);
            self.idle_places.insert(number, place);
        } else if let Some(place) = self.idle_places.remove(&number) {
            self.idle.remove(&place);
        }
    }
}

/// Whether a room's creator waits in it alone.
fn waits_alone(room: &Room) -> bool {
    room.key.kind != RoomType::Live && room.members.len() == 1 && !room.is_orphaned()
}
