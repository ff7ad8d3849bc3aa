//! One room, and the rules by which it changes. Every rule is a function of the room's slot
//! in the store (`None` = no such room), the request and `now`; it does no I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::rules::Rules;
use crate::protocol::{Code, RoomType, json, shown};
use crate::server::clock::Now;

/// Memory of a room and of a member beside their texts, in bytes: with their places in the tables.
const ROOM_BYTES: usize = size_of::<Room>() + 256;
const MEMBER_BYTES: usize = size_of::<Member>() + 256;

/// The name of a room: each type has its own space of ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomKey {
    pub kind: RoomType,
    pub id: String,
}

impl RoomKey {
    #[must_use]
    pub fn new(kind: RoomType, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }
}

impl std::fmt::Display for RoomKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// A room, and everybody in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    pub key: RoomKey,
    pub info: String,
    /// The user that reserved the id: nobody else opens the room.
    pub reserved_by: String,
    /// The user that pushed first; `None` while the id is only reserved. They may have left since.
    pub creator: Option<String>,
    /// [`Now::steady`] when the id was reserved.
    pub reserved: Duration,
    /// In the order of joining.
    pub members: Vec<Member>,
    /// Counters and values of a live room.
    pub custom: BTreeMap<String, Value>,
    /// Watchers of a live room, in the order of joining.
    pub audience: Vec<Watcher>,
    /// The user that is on the way in.
    pub hold: Option<Hold>,
}

/// A place that is kept for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub user: String,
    /// [`Now::steady`] when it ends.
    pub until: Duration,
}

/// A user that pushes a stream into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: String,
    pub name: String,
    pub avatar: String,
    /// Id of the pushed stream.
    pub stream: String,
    /// Unix seconds of the last `add_pusher`: the life of the play URL counts from it.
    pub added: u64,
    /// [`Now::steady`] of the last sign of life.
    pub seen: Duration,
}

/// One of the audience of a live room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    pub user: String,
    /// The text that the client gives about them.
    pub info: String,
}

/// A user that wants to be a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    pub user: String,
    pub name: String,
    pub avatar: String,
    pub stream: String,
}

/// The reason for which a room does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no such room")]
    RoomMissing,
    #[error("the room exists already")]
    RoomExists,
    #[error("the room is full")]
    RoomFull,
    #[error("the room is held for somebody else")]
    Held,
    #[error("the room id is reserved by somebody else")]
    ReservedByOther,
    #[error("this user has {0} rooms already")]
    TooManyOfUser(usize),
    #[error("this user is in {0} rooms already")]
    InTooManyRooms(usize),
    #[error("the stream is another member's")]
    StreamTaken,
    #[error("the server has no memory left for rooms")]
    NoMemory,
    #[error("not a member of this room")]
    NotAMember,
    #[error("not the creator of this room")]
    NotCreator,
    #[error("roomInfo has more than {0} bytes")]
    RoomInfoTooLong(usize),
    #[error("the server has no space for another room")]
    TooManyRooms,
    #[error("the audience list is full")]
    AudienceFull,
    #[error("operation must be inc or dec of a number, or set with a value")]
    BadOperation,
    #[error("the room has too many custom fields, or this one is too large")]
    CustomTooLarge,
}

impl Refusal {
    /// The Node server's code for it.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::RoomMissing | Self::NotCreator => Code::RoomMissing,
            Self::RoomExists => Code::RoomExists,
            Self::RoomFull | Self::Held | Self::ReservedByOther => Code::RoomFull,
            Self::NotAMember => Code::NotAMember,
            Self::RoomInfoTooLong(_) => Code::RoomInfoTooLong,
            Self::TooManyRooms => Code::GroupCreation,
            Self::AudienceFull
            | Self::BadOperation
            | Self::CustomTooLarge
            | Self::TooManyOfUser(_)
            | Self::InTooManyRooms(_)
            | Self::StreamTaken
            | Self::NoMemory => Code::Parameter,
        }
    }
}

impl Room {
    pub(super) fn reserve(key: RoomKey, user: &str, info: String, now: Now) -> Self {
        Self {
            key,
            info,
            reserved_by: user.to_owned(),
            creator: None,
            reserved: now.steady,
            members: Vec::new(),
            custom: BTreeMap::new(),
            audience: Vec::new(),
            hold: None,
        }
    }

    /// Whether the creator has left the others.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        let creator = self.creator.as_deref().unwrap_or_default();
        self.member(creator).is_none()
    }

    /// Whether a user is in the room, or could come in now.
    #[must_use]
    pub fn has_place_for(&self, user: &str, now: Now, rules: &Rules) -> bool {
        self.member(user).is_some() || self.refusal(user, now, rules).is_none()
    }

    /// The reason for which a user that is no member cannot come in now.
    fn refusal(&self, user: &str, now: Now, rules: &Rules) -> Option<Refusal> {
        let is_held = |hold: &Hold| hold.user != user && hold.until > now.steady;
        if !self.is_active() && self.reserved_by != user {
            Some(Refusal::ReservedByOther)
        } else if self.members.len() >= rules.capacity(self.key.kind) {
            Some(Refusal::RoomFull)
        } else if self.hold.as_ref().is_some_and(is_held) {
            Some(Refusal::Held)
        } else {
            None
        }
    }

    /// The memory that the room takes, with its share of the tables around it.
    pub(super) fn bytes(&self) -> usize {
        let member = |m: &Member| {
            // The user stands in the tables of users and of streams too.
            MEMBER_BYTES + 3 * m.user.len() + m.name.len() + m.avatar.len() + 2 * m.stream.len()
        };
        let watcher = |w: &Watcher| size_of::<Watcher>() + w.user.len() + w.info.len();
        let field = |(name, value): (&String, &Value)| {
            name.len() + json::weight(value.to_string().as_bytes())
        };
        ROOM_BYTES
            + 2 * self.key.id.len()
            + self.info.len()
            + self.reserved_by.len()
            + self.members.iter().map(member).sum::<usize>()
            + self.audience.iter().map(watcher).sum::<usize>()
            + self.custom.iter().map(field).sum::<usize>()
    }

    /// Whether somebody has pushed: only then others see the room.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.creator.is_some()
    }

    #[must_use]
    pub fn member(&self, user: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.user == user)
    }

    fn member_mut(&mut self, user: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.user == user)
    }

    /// The member whose stream stands for the whole room: the creator, else the oldest member.
    #[must_use]
    pub fn main_member(&self) -> Option<&Member> {
        let creator = self.creator.as_deref().unwrap_or_default();
        self.member(creator).or(self.members.first())
    }
}

/// `create_room`: reserves the id; the room opens with the first `add_pusher`.
pub(super) fn create(
    slot: &mut Option<Room>,
    key: &RoomKey,
    user: &str,
    info: &str,
    now: Now,
    rules: &Rules,
) -> Result<(), Refusal> {
    if info.len() > rules.room_info_limit {
        return Err(Refusal::RoomInfoTooLong(rules.room_info_limit));
    }
    if slot.is_some() {
        return Err(Refusal::RoomExists);
    }
    *slot = Some(Room::reserve(key.clone(), user, shown::text(info), now));
    Ok(())
}

/// `add_pusher`: a new member, or new data of one. The user that reserved the room opens it and is its
/// creator; the caller makes sure that the slot has a room.
pub(super) fn add(
    slot: &mut Option<Room>,
    joining: &Joining,
    now: Now,
    rules: &Rules,
) -> Result<(), Refusal> {
    let room = slot.as_mut().ok_or(Refusal::RoomMissing)?;
    let member = Member {
        user: joining.user.clone(),
        name: joining.name.clone(),
        avatar: joining.avatar.clone(),
        stream: joining.stream.clone(),
        added: now.unix,
        seen: now.steady,
    };
    if let Some(known) = room.member_mut(&joining.user) {
        *known = member;
        return Ok(());
    }
    if let Some(refusal) = room.refusal(&joining.user, now, rules) {
        return Err(refusal);
    }
    room.hold.take_if(|hold| hold.user == joining.user);
    room.creator.get_or_insert_with(|| joining.user.clone());
    room.members.push(member);
    Ok(())
}

/// `delete_pusher`: the room goes with its last member, a live room with its creator.
pub(super) fn leave(slot: &mut Option<Room>, user: &str, rules: &Rules) -> Result<(), Refusal> {
    let room = slot.as_mut().ok_or(Refusal::NotAMember)?;
    if room.member(user).is_none() {
        return Err(Refusal::NotAMember);
    }
    room.members.retain(|member| member.user != user);
    let is_creator = room.creator.as_deref() == Some(user);
    let ends = match room.key.kind {
        RoomType::Live => is_creator,
        RoomType::Double | RoomType::Multi => {
            room.members.is_empty() || (is_creator && rules.creator_can_destroy)
        }
    };
    if ends {
        *slot = None;
    }
    Ok(())
}

/// `destroy_room`: only for the recorded creator.
pub(super) fn destroy(slot: &mut Option<Room>, user: &str) -> Result<(), Refusal> {
    let room = slot.as_ref().ok_or(Refusal::RoomMissing)?;
    if room.creator.as_deref() != Some(user) {
        return Err(Refusal::NotCreator);
    }
    *slot = None;
    Ok(())
}

/// `pusher_heartbeat`.
pub(super) fn heartbeat(room: Option<&mut Room>, user: &str, now: Now) -> Result<(), Refusal> {
    let member = room
        .and_then(|room| room.member_mut(user))
        .ok_or(Refusal::NotAMember)?;
    member.seen = now.steady;
    Ok(())
}
