//! All rooms of a server: brings the rules, the table and `now` together, and announces what
//! happened.

use tokio::sync::broadcast;

use super::event::{RoomEvent, room_events};
use super::live_room::{self, FieldChange};
use super::liveness::{self, Fate, LateMember, Sweep};
use super::room::{self, Joining, Refusal, Room, RoomKey, Watcher};
use super::rules::Rules;
use super::table::RoomTable;
use crate::protocol::RoomType;
use crate::server::clock::Now;
use crate::server::relay::StreamState;

/// Events that a slow listener may be behind before it loses the oldest.
const EVENT_QUEUE: usize = 1024;

/// The numbers of rooms and members that the server has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Occupancy {
    pub rooms: usize,
    pub active_rooms: usize,
    pub members: usize,
}

/// All rooms of all types.
#[derive(Debug)]
pub struct Rooms {
    rules: Rules,
    table: RoomTable,
    events: broadcast::Sender<RoomEvent>,
}

impl Rooms {
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            table: RoomTable::default(),
            events: broadcast::channel(EVENT_QUEUE).0,
        }
    }

    /// Subscribes to everything that happens to rooms from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<RoomEvent> {
        self.events.subscribe()
    }

    /// Changes one room and announces what happened to it.
    fn change<T>(&self, key: &RoomKey, change: impl FnOnce(&mut Option<Room>) -> T) -> T {
        let (answer, events) = self.table.change(key, |slot| {
            let before = slot.clone();
            let answer = change(slot);
            let events = room_events(key, before.as_ref(), slot.as_ref());
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
        fresh_id: impl FnOnce() -> String,
    ) -> Result<String, Refusal> {
        let key = RoomKey::new(kind, if id.is_empty() { fresh_id() } else { id.into() });
        let has_space = self.table.len() < self.rules.max_rooms;
        self.change(&key, |slot| {
            if slot.is_none() && !has_space {
                return Err(Refusal::TooManyRooms);
            }
            room::create(slot, &key, info, now, &self.rules)
        })?;
        Ok(key.id)
    }

    /// Makes `joining` a member, or renews what is known about them. A room that does not exist
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
        fresh_id: impl FnOnce() -> String,
    ) -> Result<Option<String>, Refusal> {
        let key = RoomKey::new(kind, if id.is_empty() { fresh_id() } else { id.into() });
        let has_space = self.table.len() < self.rules.max_rooms;
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

    /// Takes a member out of a room.
    ///
    /// # Errors
    /// Not a member, or no such room.
    pub fn leave(&self, key: &RoomKey, user: &str) -> Result<(), Refusal> {
        self.change(key, |slot| room::leave(slot, user, &self.rules))
    }

    /// Ends a room for its creator.
    ///
    /// # Errors
    /// Not the creator, or no such room.
    pub fn destroy(&self, key: &RoomKey, user: &str) -> Result<(), Refusal> {
        self.change(key, |slot| room::destroy(slot, user))
    }

    /// Notes a member's sign of life.
    ///
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
        let room = self.table.get(key).filter(Room::is_active);
        room.ok_or(Refusal::RoomMissing)
    }

    /// Whether there is such a room, entered or not.
    #[must_use]
    pub fn exists(&self, key: &RoomKey) -> bool {
        self.table.get(key).is_some()
    }

    /// All rooms of all types, entered or not.
    #[must_use]
    pub fn keys(&self) -> Vec<RoomKey> {
        let rooms = self.table.list(|_| true, 0, usize::MAX);
        rooms.into_iter().map(|room| room.key).collect()
    }

    /// Rooms that others may enter, in the order of their creation.
    #[must_use]
    pub fn list(&self, kind: RoomType, skip: usize, take: usize) -> Vec<Room> {
        let wanted = |room: &Room| room.key.kind == kind && room.is_active();
        self.table.list(wanted, skip, take)
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
        self.change(key, |slot| live_room::set_field(slot, field, change))
    }

    /// Adds somebody to the audience of a room, or renews what is known about them.
    ///
    /// # Errors
    /// No such room, or the list is full.
    pub fn add_watcher(&self, key: &RoomKey, watcher: &Watcher) -> Result<(), Refusal> {
        self.change(key, |slot| {
            live_room::add_watcher(slot, watcher, &self.rules)
        })
    }

    pub fn remove_watcher(&self, key: &RoomKey, user: &str) {
        self.change(key, |slot| live_room::remove_watcher(slot, user));
    }

    /// The audience of a room; nobody if there is no such room.
    #[must_use]
    pub fn audience(&self, key: &RoomKey) -> Vec<Watcher> {
        self.table.get(key).map_or(Vec::new(), |room| room.audience)
    }

    /// Gives unused ids back, and finds the members that are late.
    #[must_use]
    pub fn sweep(&self, now: Now) -> Sweep {
        let due = |room: &Room| {
            liveness::is_idle(room, now, &self.rules)
                || !liveness::late_members(room, now, &self.rules).is_empty()
        };
        let mut sweep = Sweep::default();
        for room in self.table.list(due, 0, usize::MAX) {
            let key = room.key.clone();
            // Somebody may have come in since the list was made.
            let was_idle = self.change(&key, |slot| {
                slot.take_if(|room| liveness::is_idle(room, now, &self.rules))
                    .is_some()
            });
            if was_idle {
                sweep.idle.push(key);
            } else {
                sweep
                    .late
                    .extend(liveness::late_members(&room, now, &self.rules));
            }
        }
        sweep
    }

    /// Decides about a late member after the relay was asked.
    pub fn judge(&self, late: &LateMember, state: &StreamState, now: Now) -> Fate {
        self.change(&late.room, |slot| {
            liveness::judge(slot, late, state, now, &self.rules)
        })
    }

    /// Counts rooms and members.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let rooms = self.table.list(|_| true, 0, usize::MAX);
        Occupancy {
            rooms: rooms.len(),
            active_rooms: rooms.iter().filter(|room| room.is_active()).count(),
            members: rooms.iter().map(|room| room.members.len()).sum(),
        }
    }
}
