//! Events of rooms, found by comparing a room before and after a change, so that no rule can
//! forget to announce one. The message service turns them into notifications.

use super::room::{Member, Room, RoomKey};

/// A change of one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    pub room: RoomKey,
    pub what: RoomChange,
    /// The streams that members had before or have since.
    pub streams: Vec<String>,
}

/// The kinds of change that others can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomChange {
    /// The id is reserved; nobody sees the room yet.
    Reserved,
    /// The first member is in.
    Opened,
    Joined {
        user: String,
    },
    /// A member came again with another name, picture or stream.
    Changed {
        user: String,
    },
    Left {
        user: String,
    },
    /// A place is kept for a user, and others cannot come in meanwhile.
    Held {
        user: String,
    },
    /// The room is gone with everybody in it.
    Closed,
}

impl std::fmt::Display for RoomChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reserved => f.write_str("room reserved"),
            Self::Opened => f.write_str("room opened"),
            Self::Joined { user } => write!(f, "{user} joined"),
            Self::Changed { user } => write!(f, "{user} changed"),
            Self::Left { user } => write!(f, "{user} left"),
            Self::Held { user } => write!(f, "held for {user}"),
            Self::Closed => f.write_str("room closed"),
        }
    }
}

/// The events between two states of one room; a sign of life is no event.
pub(super) fn room_events(
    key: &RoomKey,
    before: Option<&Room>,
    after: Option<&Room>,
) -> Vec<RoomEvent> {
    let mut changes = Vec::new();
    match (before, after) {
        (None, None) => {}
        (Some(_), None) => changes.push(RoomChange::Closed),
        (None, Some(after)) => {
            changes.push(RoomChange::Reserved);
            compare(None, after, &mut changes);
        }
        (Some(before), Some(after)) => compare(Some(before), after, &mut changes),
    }
    if changes.is_empty() {
        return Vec::new();
    }
    let mut streams: Vec<_> = [before, after]
        .into_iter()
        .flatten()
        .flat_map(streams)
        .collect();
    streams.sort();
    streams.dedup();
    let event = |what| RoomEvent {
        room: key.clone(),
        what,
        streams: streams.clone(),
    };
    changes.into_iter().map(event).collect()
}

/// The streams of a room's members.
pub(super) fn streams(room: &Room) -> Vec<String> {
    let members = room.members.iter();
    members.map(|member| member.stream.clone()).collect()
}

fn compare(before: Option<&Room>, after: &Room, changes: &mut Vec<RoomChange>) {
    if after.is_active() && !before.is_some_and(Room::is_active) {
        changes.push(RoomChange::Opened);
    }
    let old_members = before.map_or(&[][..], |room| &room.members);
    for member in old_members {
        if after.member(&member.user).is_none() {
            let user = member.user.clone();
            changes.push(RoomChange::Left { user });
        }
    }
    for member in &after.members {
        let user = member.user.clone();
        match before.and_then(|room| room.member(&user)) {
            None => changes.push(RoomChange::Joined { user }),
            Some(old) if !looks_alike(old, member) => changes.push(RoomChange::Changed { user }),
            Some(_) => {}
        }
    }
}

fn looks_alike(a: &Member, b: &Member) -> bool {
    (&a.name, &a.avatar, &a.stream) == (&b.name, &b.avatar, &b.stream)
}
