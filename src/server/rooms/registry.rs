//! All rooms of a server: brings the rules, the table and `now` together, and announces what
//! happened.

use std::time::Duration;

use tokio::sync::broadcast;

use super::event::{self, RoomChange, RoomEvent};
use super::index::Index;
use super::live_room::{self, FieldChange};
use super::liveness::{self, Fate, LateMember, Sweep};
use super::room::{self, Hold, Joining, Refusal, Room, RoomKey, Watcher};
use super::rules::Rules;
use super::table::RoomTable;
use crate::protocol::RoomType;
use crate::server::clock::Now;
use crate::server::relay::StreamState;

/// Time for which an idle room is held for a user that asked for one: the way in takes about a
/// second, on a bad network ten.
pub const HOLD: Duration = Duration::from_secs(15);

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
        self.change_knowing(key, |slot, _| change(slot))
    }

    /// Changes one room by what there is beside it, and announces what happened to it.
    fn change_knowing<T>(
        &self,
        key: &RoomKey,
        change: impl FnOnce(&mut Option<Room>, &Index) -> T,
    ) -> T {
        let (answer, events) = self.table.change(key, change);
        for event in events {
            self.announce(event);
        }
        answer
    }

    fn announce(&self, event: RoomEvent) {
        log::info!(room:display = event.room; "{}", event.what);
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Reserves `id` for `user`, or one from `fresh_id` if it is empty; answers the id.
    ///
    /// # Errors
    /// Exists already, `info` too long, or too many rooms of the user or of all.
    pub fn create(
        &self,
        kind: RoomType,
        id: &str,
        user: &str,
        info: &str,
        now: Now,
        fresh_id: impl FnOnce() -> String,
    ) -> Result<String, Refusal> {
        let key = RoomKey::new(kind, if id.is_empty() { fresh_id() } else { id.into() });
        self.change_knowing(&key, |slot, index| {
            if slot.is_none() {
                self.check_space(index, user)?;
            }
            room::create(slot, &key, user, info, now, &self.rules)
        })?;
        Ok(key.id)
    }

    /// Whether there is space for one more room of a user.
    fn check_space(&self, index: &Index, user: &str) -> Result<(), Refusal> {
        let Rules {
            max_rooms,
            rooms_per_user,
            ..
        } = self.rules;
        if index.rooms >= max_rooms {
            Err(Refusal::TooManyRooms)
        } else if index.reserved_by(user) >= rooms_per_user {
            Err(Refusal::TooManyOfUser(rooms_per_user))
        } else {
            self.check_memory(index)
        }
    }

    fn check_memory(&self, index: &Index) -> Result<(), Refusal> {
        if index.bytes >= self.rules.max_bytes {
            return Err(Refusal::NoMemory);
        }
        Ok(())
    }

    /// Makes `joining` a member, or renews what is known about them. A room that does not exist
    /// is made with `info`; then its id is the answer.
    ///
    /// # Errors
    /// The room is full, held or reserved for somebody else, or cannot be made; the stream is
    /// another's.
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
        let user = &joining.user;
        let made = self.change_knowing(&key, |slot, index| {
            let is_new = slot.is_none();
            let mut owners = index.played_in(&joining.stream).iter();
            if owners.any(|(_, owner)| owner != user) {
                return Err(Refusal::StreamTaken);
            }
            self.check_memory(index)?;
            let is_member = slot
                .as_ref()
                .is_some_and(|room| room.member(user).is_some());
            let most = self.rules.memberships_per_user;
            if !is_member && index.member_of(user).len() >= most {
                return Err(Refusal::InTooManyRooms(most));
            }
            if is_new {
                self.check_space(index, user)?;
                room::create(slot, &key, user, info, now, &self.rules)?;
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
        self.table
            .touch(key, |room| room::heartbeat(room, user, now))
    }

    /// Holds the room of an idle creator for `user`, the one that has waited longest of those for
    /// which `fits` holds; a room that was held for them before is free again.
    #[must_use]
    pub fn offer(
        &self,
        kind: RoomType,
        user: &str,
        now: Now,
        fits: impl Fn(&Room) -> bool,
        runs: impl Fn(&str) -> bool,
    ) -> Option<Room> {
        let hold = Hold {
            user: user.to_owned(),
            until: now.steady + HOLD,
        };
        // Somebody who comes back after a crash takes the seat of their old self. One whose stream
        // runs is another device of the same name.
        let returns = |room: &Room| {
            let alive = room.member(user).is_some_and(|own| runs(&own.stream));
            let mut others = room.members.iter().filter(|member| member.user != user);
            let agent = others.next().map(|agent| agent.user.as_str());
            room.key.kind == kind
                && !alive
                && agent.is_some_and(|agent| room.creator.as_deref() == Some(agent))
                && others.next().is_none()
                && fits(room)
                && liveness::late_members(room, now, &self.rules)
                    .iter()
                    .all(|late| late.user == user)
        };
        if let Some(room) = self.table.of_member(user, returns) {
            return Some(room);
        }
        let fits = |room: &Room| {
            room.key.kind == kind
                && fits(room)
                && room.member(user).is_none()
                && room.has_place_for(user, now, &self.rules)
                && liveness::late_members(room, now, &self.rules).is_empty()
        };
        let room = self.table.hold(&hold, fits)?;
        self.announce(RoomEvent {
            room: room.key.clone(),
            what: RoomChange::Held { user: hold.user },
            streams: event::streams(&room),
        });
        Some(room)
    }

    /// Whether a user may play a stream now: in a live room everybody may, elsewhere members and
    /// whoever could come in.
    #[must_use]
    pub fn may_play(&self, stream: &str, user: &str, now: Now) -> bool {
        self.table
            .any_of_stream(stream, |room| self.shows(room, user, now))
    }

    /// Whether a stream is any member's.
    #[must_use]
    pub fn is_members(&self, stream: &str) -> bool {
        self.table.any_of_stream(stream, |_| true)
    }

    /// Whether a user may see what is in a room.
    #[must_use]
    pub fn shows(&self, room: &Room, user: &str, now: Now) -> bool {
        room.key.kind == RoomType::Live || room.has_place_for(user, now, &self.rules)
    }

    /// The members of a room; nobody if there is no such room.
    #[must_use]
    pub fn members(&self, key: &RoomKey) -> Vec<String> {
        let users = |room: &Room| room.members.iter().map(|m| m.user.clone()).collect();
        self.table.ask(key, users).unwrap_or_default()
    }

    /// All users that are in rooms.
    #[must_use]
    pub fn users(&self) -> Vec<String> {
        self.table.users()
    }

    /// Takes a user out of all rooms.
    pub fn remove(&self, user: &str) {
        for key in self.table.member_of(user) {
            // They may have left meanwhile.
            let _ = self.leave(&key, user);
        }
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
        self.table.ask(key, |_| ()).is_some()
    }

    /// All rooms of all types, entered or not.
    #[must_use]
    pub fn keys(&self) -> Vec<RoomKey> {
        let rooms = self.table.list(|_| true, 0, usize::MAX);
        rooms.into_iter().map(|room| room.key).collect()
    }

    /// Rooms that others may enter, in the order of their creation.
    #[must_use]
    pub fn list(
        &self,
        kind: RoomType,
        wanted: impl Fn(&Room) -> bool,
        skip: usize,
        take: usize,
    ) -> Vec<Room> {
        let wanted = |room: &Room| room.key.kind == kind && room.is_active() && wanted(room);
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
        self.change_knowing(key, |slot, index| {
            self.check_memory(index)?;
            live_room::set_field(slot, field, change)
        })
    }

    /// Adds somebody to the audience of a room, or renews what is known about them.
    ///
    /// # Errors
    /// No such room, or the list is full.
    pub fn add_watcher(&self, key: &RoomKey, watcher: &Watcher) -> Result<(), Refusal> {
        self.change_knowing(key, |slot, index| {
            self.check_memory(index)?;
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
        self.table
            .fold(Occupancy::default(), |sum, room| Occupancy {
                rooms: sum.rooms + 1,
                active_rooms: sum.active_rooms + usize::from(room.is_active()),
                members: sum.members + room.members.len(),
            })
    }
}
