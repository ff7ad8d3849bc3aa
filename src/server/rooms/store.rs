//! Where rooms are kept. Rules change one room at a time through [`RoomStore::change`], so a
//! store shared by several servers needs nothing but an atomic update of one record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::room::{Room, RoomKey};

pub trait RoomStore: std::fmt::Debug + Send + Sync {
    /// Changes one room atomically; `None` in the slot means that there is none. `change` may
    /// be called again when another server was faster, and must then come from scratch.
    fn change<T>(&self, key: &RoomKey, change: impl FnMut(&mut Option<Room>) -> T) -> T;

    fn get(&self, key: &RoomKey) -> Option<Room>;

    /// Rooms for which `wanted` holds, in the order of their creation, `take` at the most after
    /// the first `skip`.
    fn list(&self, wanted: impl Fn(&Room) -> bool, skip: usize, take: usize) -> Vec<Room>;

    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rooms of one process, gone with it.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// By number of creation.
    rooms: BTreeMap<u64, Room>,
    numbers: HashMap<RoomKey, u64>,
    next: u64,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        // A rule that panicked has not yet put its room back; all others are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomStore for MemoryStore {
    fn change<T>(&self, key: &RoomKey, mut change: impl FnMut(&mut Option<Room>) -> T) -> T {
        let mut memory = self.lock();
        let number = memory.numbers.get(key).copied();
        let mut slot = number.and_then(|number| memory.rooms.remove(&number));
        let answer = change(&mut slot);
        match (slot, number) {
            (Some(room), Some(number)) => {
                memory.rooms.insert(number, room);
            }
            (Some(room), None) => {
                let number = memory.next;
                memory.next += 1;
                memory.numbers.insert(key.clone(), number);
                memory.rooms.insert(number, room);
            }
            (None, _) => {
                memory.numbers.remove(key);
            }
        }
        answer
    }

    fn get(&self, key: &RoomKey) -> Option<Room> {
        let memory = self.lock();
        let number = memory.numbers.get(key)?;
        memory.rooms.get(number).cloned()
    }

    fn list(&self, wanted: impl Fn(&Room) -> bool, skip: usize, take: usize) -> Vec<Room> {
        let memory = self.lock();
        let rooms = memory.rooms.values().filter(|room| wanted(room));
        rooms.skip(skip).take(take).cloned().collect()
    }

    fn len(&self) -> usize {
        self.lock().rooms.len()
    }
}
