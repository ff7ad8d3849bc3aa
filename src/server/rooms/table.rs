//! The table of all rooms of this process, in memory and gone with it. A rule changes one room at
//! a time (docs/decisions/0012-no-store-trait-before-the-database.md).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::event::{RoomEvent, room_events};
use super::index::Index;
use super::room::{Hold, Room, RoomKey};

/// Rooms by key, in the order of their creation.
#[derive(Debug, Default)]
pub(super) struct RoomTable(Mutex<Rows>);

/// The rooms, and their numbers.
#[derive(Debug, Default)]
struct Rows {
    /// The rooms by number of creation.
    rooms: BTreeMap<u64, Room>,
    numbers: HashMap<RoomKey, u64>,
    next: u64,
    index: Index,
}

impl RoomTable {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        // A rule that panicked has not yet put its room back; all others are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes one room atomically; `None` in the slot means that there is none. Answers what
    /// others are to be told, too.
    pub(super) fn change<T>(
        &self,
        key: &RoomKey,
        change: impl FnOnce(&mut Option<Room>, &Index) -> T,
    ) -> (T, Vec<RoomEvent>) {
        let mut rows = self.lock();
        let known = rows.numbers.get(key).copied();
        let mut slot = known.and_then(|number| rows.rooms.remove(&number));
        let before = slot.clone();
        let answer = change(&mut slot, &rows.index);
        let number = known.unwrap_or(rows.next);
        if slot != before {
            rows.index.replace(number, before.as_ref(), slot.as_ref());
        }
        let events = room_events(key, before.as_ref(), slot.as_ref());
        match slot {
            Some(room) => {
                if known.is_none() {
                    rows.next += 1;
                    rows.numbers.insert(key.clone(), number);
                }
                rows.rooms.insert(number, room);
            }
            None => {
                rows.numbers.remove(key);
            }
        }
        (answer, events)
    }

    /// Notes a sign of life, which nobody needs to be told.
    pub(super) fn touch<T>(&self, key: &RoomKey, touch: impl FnOnce(Option<&mut Room>) -> T) -> T {
        let mut rows = self.lock();
        let number = rows.numbers.get(key).copied();
        touch(number.and_then(|number| rows.rooms.get_mut(&number)))
    }

    /// Holds the first idle room for which `fits` holds, in place of the one that was held for the same
    /// user; answers the room.
    pub(super) fn hold(&self, hold: &Hold, fits: impl Fn(&Room) -> bool) -> Option<Room> {
        let mut rows = self.lock();
        let rows = &mut *rows;
        if let Some(former) = rows.index.hold(&hold.user, None)
            && let Some(room) = rows.rooms.get_mut(&former)
        {
            room.hold.take_if(|held| held.user == hold.user);
        }
        let fits = |number: &u64| rows.rooms.get(number).is_some_and(&fits);
        let number = rows.index.idle().find(fits)?;
        rows.index.hold(&hold.user, Some(number));
        let room = rows.rooms.get_mut(&number)?;
        room.hold = Some(hold.clone());
        Some(room.clone())
    }

    pub(super) fn get(&self, key: &RoomKey) -> Option<Room> {
        let rows = self.lock();
        let number = rows.numbers.get(key)?;
        rows.rooms.get(number).cloned()
    }

    /// Asks about a room without copying it.
    pub(super) fn ask<T>(&self, key: &RoomKey, ask: impl FnOnce(&Room) -> T) -> Option<T> {
        let rows = self.lock();
        let number = rows.numbers.get(key)?;
        rows.rooms.get(number).map(ask)
    }

    /// Whether `holds` for any of the rooms in which a stream is played.
    pub(super) fn any_of_stream(&self, stream: &str, holds: impl Fn(&Room) -> bool) -> bool {
        let rows = self.lock();
        let mut numbers = rows.index.played_in(stream).iter();
        numbers.any(|(number, _)| rows.rooms.get(number).is_some_and(&holds))
    }

    /// The first room of a member for which `fits` holds.
    pub(super) fn of_member(&self, user: &str, fits: impl Fn(&Room) -> bool) -> Option<Room> {
        let rows = self.lock();
        let mut rooms = rows.index.member_of(user).iter();
        rooms.find_map(|number| rows.rooms.get(number).filter(|room| fits(room)).cloned())
    }

    /// The rooms in which a user is a member.
    pub(super) fn member_of(&self, user: &str) -> Vec<RoomKey> {
        let rows = self.lock();
        let rooms = rows.index.member_of(user).iter();
        let rooms = rooms.filter_map(|number| rows.rooms.get(number));
        rooms.map(|room| room.key.clone()).collect()
    }

    /// All users that have rooms or are in some.
    pub(super) fn users(&self) -> Vec<String> {
        self.lock().index.users().map(str::to_owned).collect()
    }

    /// Rooms for which `wanted` holds, in the order of their creation: at most `take` after the
    /// first `skip`.
    pub(super) fn list(
        &self,
        wanted: impl Fn(&Room) -> bool,
        skip: usize,
        take: usize,
    ) -> Vec<Room> {
        let rows = self.lock();
        let rooms = rows.rooms.values().filter(|room| wanted(room));
        rooms.skip(skip).take(take).cloned().collect()
    }

    /// Adds something up over all rooms.
    pub(super) fn fold<T>(&self, first: T, add: impl FnMut(T, &Room) -> T) -> T {
        self.lock().rooms.values().fold(first, add)
    }
}
