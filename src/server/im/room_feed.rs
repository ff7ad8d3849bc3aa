//! The feed of events from the rooms of this server to their groups and members: a room's group
//! has the room's id, is there as long as a room of that id is, and is told of every change of the
//! members.
//!
//! The room ids of each type are apart, the groups are not: the group goes with the last room.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::hub::{Hub, Origin};
use crate::protocol::RoomType;
use crate::protocol::im_rest::NOTIFY_PUSHER_CHANGE;
use crate::server::clock::Now;
use crate::server::rooms::{RoomChange, RoomEvent, RoomKey, Rooms};

/// Name of the groups that this server makes for its rooms, as the official servers call theirs.
pub(super) const GROUP_NAME: &str = "group_name";

/// The place of this service in the events of the rooms.
#[derive(Debug)]
pub(super) struct RoomFeed {
    events: Receiver<RoomEvent>,
    live: Live,
}

/// The types of the rooms that there are, by id.
type Live = HashMap<String, BTreeSet<RoomType>>;

impl RoomFeed {
    pub(super) fn new(rooms: &Rooms) -> Self {
        Self {
            events: rooms.subscribe(),
            live: Live::new(),
        }
    }

    /// Carries out everything that happened until now, in the name of the administrator.
    pub(super) fn catch_up(&mut self, rooms: &Rooms, hub: &mut Hub, administrator: &str, now: Now) {
        let mut groups = Groups {
            hub,
            administrator,
            now,
        };
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    groups.carry_out(&mut self.live, &event, rooms);
                    groups.admit(&self.live, &event.room.id, rooms);
                }
                Err(TryRecvError::Lagged(missed)) => {
                    log::warn!(missed; "missed events of rooms, told every room to look");
                    self.events = rooms.subscribe();
                    groups.resynchronise(&mut self.live, rooms.keys());
                    for id in self.live.keys() {
                        groups.admit(&self.live, id, rooms);
                    }
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

/// The groups of rooms, on which events are carried out.
struct Groups<'a> {
    hub: &'a mut Hub,
    administrator: &'a str,
    now: Now,
}

impl Groups<'_> {
    fn carry_out(&mut self, live: &mut Live, event: &RoomEvent, rooms: &Rooms) {
        let RoomKey { kind, id } = &event.room;
        match &event.what {
            RoomChange::Reserved => self.open(live, &event.room),
            RoomChange::Opened | RoomChange::Held { .. } => {}
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
                if rooms.exists(&event.room) {
                    self.open(live, &event.room);
                }
            }
        }
    }

    /// Texts of double and multi rooms are their members'; a live room is for everybody.
    fn admit(&mut self, live: &Live, id: &str, rooms: &Rooms) {
        let Some(kinds) = live.get(id) else {
            return;
        };
        let is_closed = kinds.iter().any(|kind| *kind != RoomType::Live);
        let members = kinds
            .iter()
            .flat_map(|kind| rooms.members(&RoomKey::new(*kind, id)));
        let members = is_closed.then(|| members.collect());
        self.hub.set_members(id, members);
    }

    /// Makes good for missed events: groups are again those of the rooms, and every member looks.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::im::hub::{Joiner, Life, Limits, Posted, Read, Secrets};
    use crate::server::rooms::{Joining, Rules};

    const NOW: Now = Now {
        steady: Duration::ZERO,
        unix: 1_700_000_000,
    };

    /// More than the rooms keep for a listener that is behind.
    const TOO_MANY: usize = 2000;

    struct Bench {
        rooms: Rooms,
        feed: RoomFeed,
        hub: Hub,
    }

    impl Bench {
        fn new() -> Self {
            let rooms = Rooms::new(Rules::default());
            Self {
                feed: RoomFeed::new(&rooms),
                rooms,
                hub: Hub::new(Limits::default()),
            }
        }

        fn catch_up(&mut self) {
            self.feed.catch_up(&self.rooms, &mut self.hub, "admin", NOW);
        }

        fn enter(&self, kind: RoomType, id: &str, stream: &str) {
            let joining = Joining {
                user: "alice".into(),
                name: String::new(),
                avatar: String::new(),
                stream: stream.into(),
            };
            let fresh = || unreachable!("the id is given");
            self.rooms.add(kind, id, "", &joining, NOW, fresh).unwrap();
        }

        fn leave(&self, kind: RoomType, id: &str) {
            self.rooms.leave(&RoomKey::new(kind, id), "alice").unwrap();
        }

        fn join(&mut self, id: &str) -> Option<String> {
            let tiny_id = format!("reader of {id}");
            let secrets = Secrets {
                tiny_id: tiny_id.clone(),
                a2: "2".into(),
            };
            let life = Life {
                signed: 0,
                expires: Duration::from_secs(3600),
            };
            self.hub.login(&tiny_id, secrets, life, NOW);
            let joiner = Joiner::User(&tiny_id);
            self.hub.join(id, joiner, format!("key of {id}"), NOW).ok()
        }

        /// The news of a reader: `c`hanged or `d`issolved.
        fn told(&mut self, key: &str) -> String {
            let ticket = self.hub.start_reading(key, NOW).unwrap();
            let read = self.hub.read(key, &ticket, 0, NOW).unwrap();
            let Read::Messages { entries, .. } = read else {
                return String::new();
            };
            let letter = |what: &Posted| match what {
                Posted::Notice { content, .. } => {
                    assert_eq!(content, r#"{"cmd":"notifyPusherChange","data":""}"#);
                    'c'
                }
                Posted::Dissolved { .. } => 'd',
                Posted::Message(message) => panic!("{message:?}"),
            };
            entries.iter().map(|entry| letter(&entry.what)).collect()
        }
    }

    #[test]
    fn a_group_lives_as_long_as_any_room_of_its_id() {
        let mut bench = Bench::new();
        bench.enter(RoomType::Double, "r", "s");
        bench.enter(RoomType::Multi, "r", "s");
        bench.catch_up();
        let key = bench.join("r").unwrap();
        bench.leave(RoomType::Double, "r");
        bench.catch_up();
        assert_eq!(bench.told(&key), "");
        bench.enter(RoomType::Multi, "r", "t");
        bench.leave(RoomType::Multi, "r");
        bench.catch_up();
        assert_eq!(bench.told(&key), "cd");
        assert_eq!(bench.join("r"), None);
        assert!(bench.feed.live.is_empty());
    }

    #[test]
    fn what_was_missed_is_made_up_for() {
        let mut bench = Bench::new();
        for id in ["stays", "goes"] {
            bench.enter(RoomType::Double, id, "s");
        }
        bench.catch_up();
        let [stays, goes] = ["stays", "goes"].map(|id| bench.join(id).unwrap());
        bench.enter(RoomType::Double, "stays", "another stream");
        bench.leave(RoomType::Double, "goes");
        bench.enter(RoomType::Double, "comes", "s");
        for n in 0..TOO_MANY {
            bench.enter(RoomType::Multi, "busy", &n.to_string());
        }
        bench.leave(RoomType::Multi, "busy");
        bench.catch_up();
        assert_eq!(bench.told(&stays), "c");
        assert_eq!(bench.told(&goes), "d");
        assert!(bench.join("comes").is_some());
        assert_eq!(bench.join("busy"), None);
        // From then on as before.
        bench.leave(RoomType::Double, "stays");
        bench.catch_up();
        assert_eq!(bench.told(&stays), "cd");
    }
}
