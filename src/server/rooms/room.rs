//! One room, and the rules by which it changes. Every rule is a function of the room's slot
//! in the store (`None` = no such room), the request and `now`; it does no I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::rules::Rules;
use crate::protocol::{Code, RoomType};
use crate::server::clock::Now;

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
            Self::RoomFull => Code::RoomFull,
            Self::NotAMember => Code::NotAMember,
            Self::RoomInfoTooLong(_) => Code::RoomInfoTooLong,
            Self::TooManyRooms => Code::GroupCreation,
            Self::AudienceFull | Self::BadOperation | Self::CustomTooLarge => Code::Parameter,
        }
    }
}

impl Room {
    pub(super) fn reserve(key: RoomKey, info: String, now: Now) -> Self {
        Self {
            key,
            info,
            creator: None,
            reserved: now.steady,
            members: Vec::new(),
            custom: BTreeMap::new(),
            audience: Vec::new(),
        }
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
    *slot = Some(Room::reserve(key.clone(), info.to_owned(), now));
    Ok(())
}

/// `add_pusher`: a new member, or new data of one. The first opens the room and is its
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
    if room.members.len() >= rules.capacity(room.key.kind) {
        return Err(Refusal::RoomFull);
    }
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
pub(super) fn heartbeat(slot: &mut Option<Room>, user: &str, now: Now) -> Result<(), Refusal> {
    let member = slot
        .as_mut()
        .and_then(|room| room.member_mut(user))
        .ok_or(Refusal::NotAMember)?;
    member.seen = now.steady;
    Ok(())
}
