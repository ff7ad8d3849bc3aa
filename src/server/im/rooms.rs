//! What happens to the rooms of this server, as their groups and members learn it: a room's
//! group has the room's id, is there as long as a room of that id is, and is told of every
//! change of the members.
//!
//! The room ids of each type are apart, the groups are not: the group goes with the last room.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::hub::{Hub, Origin};
use super::{GROUP_NAME, Im};
use crate::protocol::RoomType;
use crate::protocol::im_rest::NOTIFY_PUSHER_CHANGE;
use crate::server::rooms::{Now, RoomChange, RoomEvent, RoomKey, RoomStore, Rooms};

/// Where this server is in the events of its rooms.
#[derive(Debug)]
pub(super) struct Feed {
    events: Receiver<RoomEvent>,
    live: Live,
}

/// Which types of room each id has.
type Live = HashMap<String, BTreeSet<RoomType>>;

impl Feed {
    pub(super) fn new<S: RoomStore>(rooms: &Rooms<S>) -> Self {
        Self {
            events: rooms.subscribe(),
            live: Live::new(),
        }
    }
}

/// What carries out events.
struct Groups<'a> {
    hub: &'a mut Hub,
    administrator: &'a str,
    now: Now,
}

impl Im {
    /// Carries out events as they come.
    pub(super) async fn follow_rooms(&self) {
        let mut events = self.rooms.subscribe();
        self.catch_up_with_rooms();
        loop {
            // It only says that there is something; what, and what was missed, the feed knows.
            let _ = events.recv().await;
            self.catch_up_with_rooms();
        }
    }

    /// Carries out everything that happened to rooms until now.
    pub(super) fn catch_up_with_rooms(&self) {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = &mut *feed;
        let mut hub = self.hub();
        let mut groups = Groups {
            hub: &mut hub,
            administrator: &self.settings.administrator,
            now: self.clock.now(),
        };
        loop {
            match feed.events.try_recv() {
                Ok(event) => {
                    let exists = |key: &RoomKey| self.rooms.exists(key);
                    groups.carry_out(&mut feed.live, &event, exists);
                }
                Err(TryRecvError::Lagged(missed)) => {
                    log::warn!(missed; "missed what happened to rooms, told every room to look");
                    feed.events = self.rooms.subscribe();
                    groups.resynchronise(&mut feed.live, self.rooms.keys());
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

impl Groups<'_> {
    fn carry_out(&mut self, live: &mut Live, event: &RoomEvent, exists: impl Fn(&RoomKey) -> bool) {
        let RoomKey { kind, id } = &event.room;
        match &event.what {
            RoomChange::Reserved => self.open(live, &event.room),
            RoomChange::Opened => {}
            RoomChange::Joined { .. } | RoomChange::Changed { .. } | RoomChange::Left { .. } => {
                self.notify(id);
            }
            RoomChange::Closed => {
                let Some(kinds) = live.get_mut(id) else {
                    return;
                };
                kinds.remove(kind);
                if kinds.is_empty() {
                    live.remove(id);
                    self.dissolve(id);
                }
                // Two changes at once may be told in the wrong order.
                if exists(&event.room) {
                    self.open(live, &event.room);
                }
            }
        }
    }

    /// After events were missed: groups are again those of the rooms, and every member looks.
    fn resynchronise(&mut self, live: &mut Live, rooms: Vec<RoomKey>) {
        let mut gone = std::mem::take(live);
        for room in rooms {
            gone.remove(&room.id);
            self.open(live, &room);
        }
        for id in gone.keys() {
            self.dissolve(id);
        }
        for id in live.keys() {
            self.notify(id);
        }
    }

    fn open(&mut self, live: &mut Live, room: &RoomKey) {
        live.entry(room.id.clone()).or_default().insert(room.kind);
        let (owner, now) = (self.administrator, self.now);
        let created = self
            .hub
            .create(&room.id, GROUP_NAME, owner, Origin::Room, now);
        if let Err(refusal) = created {
            log::error!(room:display, refusal:%; "cannot make the group of a room");
        }
    }

    fn notify(&mut self, id: &str) {
        let (operator, now) = (self.administrator, self.now);
        let told = self.hub.notify(id, operator, NOTIFY_PUSHER_CHANGE, now);
        if let Err(refusal) = told {
            log::error!(id, refusal:%; "cannot tell the members of a room");
        }
    }

    fn dissolve(&mut self, id: &str) {
        let (operator, now) = (self.administrator, self.now);
        let dissolved = self.hub.dissolve(id, Origin::Room, operator, now);
        if let Err(refusal) = dissolved {
            log::error!(id, refusal:%; "cannot dissolve the group of a room");
        }
    }
}
