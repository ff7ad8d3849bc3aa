//! The rules that a server's owner may choose: sizes and lifetimes of rooms.

use std::time::Duration;

use crate::protocol::{ROOM_INFO_LIMIT, RoomType};

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
    /// Rooms whose ids one user reserved.
    pub rooms_per_user: usize,
    /// Rooms in which one user is a member.
    pub memberships_per_user: usize,
    /// Memory of all rooms together, in bytes.
    pub max_bytes: usize,
    /// Silence after which a member is late.
    pub member_timeout: Duration,
    /// Life of an id that was reserved and never used.
    pub idle_timeout: Duration,
    /// Whether a double or multi room ends when its creator leaves.
    pub creator_can_destroy: bool,
}

impl Default for Rules {
    /// The values of the official servers; they have no bounds of rooms and memory, and never give an
    /// unused id back.
    fn default() -> Self {
        Self {
            double_capacity: RoomType::Double.default_capacity(),
            multi_capacity: RoomType::Multi.default_capacity(),
            live_capacity: RoomType::Live.default_capacity(),
            audience_limit: 30,
            room_info_limit: ROOM_INFO_LIMIT,
            max_rooms: 10_000,
            rooms_per_user: 8,
            memberships_per_user: 8,
            max_bytes: 64 << 20,
            member_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(120),
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
