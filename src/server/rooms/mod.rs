//! The rooms of a room server: who is in which, by the rules of the official Node server with
//! its faults mended (rooms made by `add_pusher` are whole, unused ids are given back).
//!
//! `room`, `live` and `reap` decide, `store` keeps, [`Rooms`] brings them together and tells
//! what happened.

use std::time::Duration;

use tokio::sync::broadcast;

use crate::protocol::{ROOM_INFO_LIMIT, RoomType};
use crate::server::relay::StreamState;

mod event;
mod live;
mod reap;
mod room;
mod store;
#[cfg(test)]
mod tests;

pub use event::{RoomChange, RoomEvent};
pub use live::FieldChange;
pub use reap::{Fate, Late};
pub use room::{Joining, Member, Now, Refusal, Room, RoomKey, Watcher};
pub use store::{MemoryStore, RoomStore};

/// Events that a slow listener may be behind before it loses the oldest.
const EVENT_QUEUE: usize = 1024;

/// Sizes and lifetimes of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Members of a room, its creator included.
    pub double_capacity: usize,
    pub multi_capacity: usize,
    pub live_capacity: usize,
    /// Audience that a live room lists.
    pub audience_limit: usize,
    /// Longest `roomInfo` in bytes of UTF-8.
    pub room_info_limit: usize,
    /// Rooms of all types together.
    pub max_rooms: usize,
    /// Silence after which a member is late.
    pub member_timeout: Duration,
    /// Life of an id that was reserved and never used.
    pub idle_timeout: Duration,
    /// Whether a double or multi room ends when its creator leaves.
    pub creator_can_destroy: bool,
}

impl Default for Rules {
    /// The values of the official servers; they have no `max_rooms`.
    fn default() -> Self {
        Self {
            double_capacity: RoomType::Double.default_capacity(),
            multi_capacity: RoomType::Multi.default_capacity(),
            live_capacity: RoomType::Live.default_capacity(),
            audience_limit: 30,
            room_info_limit: ROOM_INFO_LIMIT,
            max_rooms: 10_000,
            member_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            creator_can_destroy: false,
        }
    }
}

impl Rules {
    #[must_use]
    pub fn capacity(&self, kind: RoomType) -> usize {
        match kind {
            RoomType::Double => self.double_capacity,
            RoomType::Multi => self.multi_capacity,
            RoomType::Live => self.live_capacity,
        }
    }
}

/// What one look for silent members and unused rooms found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Rooms that were given back.
    pub idle: Vec<RoomKey>,
    /// Members of whose streams the relay must be asked.
    pub late: Vec<Late>,
}

/// How full the server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Occupancy {
    pub rooms: usize,
    pub active_rooms: usize,
    pub members: usize,
}

/// All rooms of all types.
#[derive(Debug)]
pub struct Rooms<S = MemoryStore> {
    rules: Rules,
    store: S,
    events: broadcast::Sender<RoomEvent>,
}

impl<S: RoomStore> Rooms<S> {
    #[must_use]
    pub fn new(rules: Rules, store: S) -> Self {
        Self {
            rules,
            store,
            events: broadcast::channel(EVENT_QUEUE).0,
        }
    }

    /// Everything that happens to rooms from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<RoomEvent> {
        self.events.subscribe()
    }

    /// Changes one room and tells what happened to it.
    fn change<T>(&self, key: &RoomKey, mut change: impl FnMut(&mut Option<Room>) -> T) -> T {
        let (answer, events) = self.store.change(key, |slot| {
            let before = slot.clone();
            let answer = change(slot);
            let events = event::events(key, before.as_ref(), slot.as_ref());
            (answer, events)
        });
        for event in events {
            log::info!(room:display = event.room; "{}", event.what);
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
        answer
    }

    /// Reserves `id`, or one from `fresh_id` if it is empty; answers the id.
    ///
    /// # Errors
    /// Exists already, `info` too long, or the server is full.
    pub fn create(
        &self,
        kind: RoomType,
        id: &str,
        info: &str,
        now: Now,
        mut fresh_id: impl FnMut() -> String,
    ) -> Result<String, Refusal> {
        let key = RoomKey::new(kind, if id.is_empty() { fresh_id() } else { id.into() });
        let has_space = self.store.len() < self.rules.max_rooms;
        self.change(&key, |slot| {
            if slot.is_none() && !has_space {
                return Err(Refusal::TooManyRooms);
            }
            room::create(slot, &key, info, now, &self.rules)
        })?;
        Ok(key.id)
    }

    /// Makes `joining` a member, or renews what is known about him. A room that does not exist
    /// is made with `info`; then its id is the answer.
    ///
    /// # Errors
    /// The room is full, or cannot be made.
    pub fn add(
        &self,
        kind: RoomType,
        id: &str,
        info: &str,
        joining: &Joining,
        now: Now,
        mut fresh_id: impl FnMut() -> String,
    ) -> Result<Option<String>, Refusal> {
        let key = RoomKey::new(kind, if id.is_empty() { fresh_id() } else { id.into() });
        let has_space = self.store.len() < self.rules.max_rooms;
        let made = self.change(&key, |slot| {
            let is_new = slot.is_none();
            if is_new && !has_space {
                return Err(Refusal::TooManyRooms);
            }
            if is_new {
                room::create(slot, &key, info, now, &self.rules)?;
            }
            room::add(slot, joining, now, &self.rules)?;
            Ok(is_new)
        })?;
        Ok(made.then_some(key.id))
    }

    /// # Errors
    /// Not a member, or no such room.
    pub fn leave(&self, key: &RoomKey, user: &str) -> Result<(), Refusal> {
        self.change(key, |slot| room::leave(slot, user, &self.rules))
    }

    /// # Errors
    /// Not the creator, or no such room.
    pub fn destroy(&self, key: &RoomKey, user: &str) -> Result<(), Refusal> {
        self.change(key, |slot| room::destroy(slot, user))
    }

    /// # Errors
    /// Not a member, or no such room.
    pub fn heartbeat(&self, key: &RoomKey, user: &str, now: Now) -> Result<(), Refusal> {
        self.change(key, |slot| room::heartbeat(slot, user, now))
    }

    /// A room that somebody has entered.
    ///
    /// # Errors
    /// No such room, or its id is only reserved.
    pub fn active(&self, key: &RoomKey) -> Result<Room, Refusal> {
        let room = self.store.get(key).filter(Room::is_active);
        room.ok_or(Refusal::RoomMissing)
    }

    /// Whether there is such a room, entered or not.
    #[must_use]
    pub fn exists(&self, key: &RoomKey) -> bool {
        self.store.get(key).is_some()
    }

    /// All rooms of all types, entered or not.
    #[must_use]
    pub fn keys(&self) -> Vec<RoomKey> {
        let rooms = self.store.list(|_| true, 0, usize::MAX);
        rooms.into_iter().map(|room| room.key).collect()
    }

    /// Rooms that others may enter, in the order of their creation.
    #[must_use]
    pub fn list(&self, kind: RoomType, skip: usize, take: usize) -> Vec<Room> {
        let wanted = |room: &Room| room.key.kind == kind && room.is_active();
        self.store.list(wanted, skip, take)
    }

    /// Applies `change` to a custom field; answers all fields as JSON text.
    ///
    /// # Errors
    /// No such room, not a number, or too large.
    pub fn set_field(
        &self,
        key: &RoomKey,
        field: &str,
        change: &FieldChange,
    ) -> Result<String, Refusal> {
        self.change(key, |slot| live::set_field(slot, field, change))
    }

    /// # Errors
    /// No such room, or the list is full.
    pub fn add_watcher(&self, key: &RoomKey, watcher: &Watcher) -> Result<(), Refusal> {
        self.change(key, |slot| live::add_watcher(slot, watcher, &self.rules))
    }

    pub fn remove_watcher(&self, key: &RoomKey, user: &str) {
        self.change(key, |slot| live::remove_watcher(slot, user));
    }

    /// The audience of a room; nobody if there is no such room.
    #[must_use]
    pub fn audience(&self, key: &RoomKey) -> Vec<Watcher> {
        self.store.get(key).map_or(Vec::new(), |room| room.audience)
    }

    /// Gives unused ids back, and finds the members who are late.
    #[must_use]
    pub fn sweep(&self, now: Now) -> Sweep {
        let due = |room: &Room| {
            reap::is_idle(room, now, &self.rules)
                || !reap::late_members(room, now, &self.rules).is_empty()
        };
        let mut sweep = Sweep::default();
        for room in self.store.list(due, 0, usize::MAX) {
            let key = room.key.clone();
            // Somebody may have come in since the list was made.
            let was_idle = self.change(&key, |slot| {
                slot.take_if(|room| reap::is_idle(room, now, &self.rules))
                    .is_some()
            });
            if was_idle {
                sweep.idle.push(key);
            } else {
                sweep
                    .late
                    .extend(reap::late_members(&room, now, &self.rules));
            }
        }
        sweep
    }

    /// Decides about a late member after the relay was asked.
    pub fn judge(&self, late: &Late, state: &StreamState, now: Now) -> Fate {
        self.change(&late.room, |slot| {
            reap::judge(slot, late, state, now, &self.rules)
        })
    }

    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let rooms = self.store.list(|_| true, 0, usize::MAX);
        Occupancy {
            rooms: rooms.len(),
            active_rooms: rooms.iter().filter(|room| room.is_active()).count(),
            members: rooms.iter().map(|room| room.members.len()).sum(),
        }
    }
}

/// Custom fields as the wire has them: JSON in a string.
#[must_use]
pub fn custom_text(room: &Room) -> String {
    live::custom_text(room)
}
