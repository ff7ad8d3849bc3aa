//! The table of all rooms of this process, in memory and gone with it. A rule changes one room at
//! a time (docs/decisions/0012-no-store-trait-before-the-database.md).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::room::{Room, RoomKey};

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
}

impl RoomTable {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        // A rule that panicked has not yet put its room back; all others are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes one room atomically; `None` in the slot means that there is none.
    pub(super) fn change<T>(
        &self,
        key: &RoomKey,
        change: impl FnOnce(&mut Option<Room>) -> T,
    ) -> T {
        let mut rows = self.lock();
        let number = rows.numbers.get(key).copied();
        let mut slot = number.and_then(|number| rows.rooms.remove(&number));
        let answer = change(&mut slot);
        match (slot, number) {
            (Some(room), Some(number)) => {
                rows.rooms.insert(number, room);
            }
            (Some(room), None) => {
                let number = rows.next;
                rows.next += 1;
                rows.numbers.insert(key.clone(), number);
                rows.rooms.insert(number, room);
            }
            (None, _) => {
                rows.numbers.remove(key);
            }
        }
        answer
    }

    pub(super) fn get(&self, key: &RoomKey) -> Option<Room> {
        let rows = self.lock();
        let number = rows.numbers.get(key)?;
        rows.rooms.get(number).cloned()
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

    pub(super) fn len(&self) -> usize {
        self.lock().rooms.len()
    }
}
