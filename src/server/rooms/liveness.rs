//! Liveness of rooms and members: those that are due, and the fate of a silent member once the
//! relay has said whether their stream still runs.

use std::time::Duration;

use super::room::{self, Room, RoomKey};
use super::rules::Rules;
use crate::server::clock::Now;
use crate::server::relay::StreamState;

/// A member whose heartbeats stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateMember {
    pub room: RoomKey,
    pub user: String,
    pub stream: String,
}

/// The finds of one look for silent members and unused rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Rooms that were given back.
    pub idle: Vec<RoomKey>,
    /// Members about whose streams the relay must be asked.
    pub late: Vec<LateMember>,
}

/// The fate of a late member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The stream runs: that is as good as a heartbeat.
    Refreshed,
    /// Kept for a second timeout, because the relay does not answer.
    Waiting,
    Dropped,
    /// Meanwhile they gave a sign of life or left.
    Settled,
}

/// Whether an id was reserved and never used for too long.
pub(super) fn is_idle(room: &Room, now: Now, rules: &Rules) -> bool {
    !room.is_active() && now.steady.saturating_sub(room.reserved) > rules.idle_timeout
}

fn is_late(seen: Duration, now: Now, rules: &Rules) -> bool {
    now.steady.saturating_sub(seen) > rules.member_timeout
}

/// The members of a room that are late.
pub(super) fn late_members(room: &Room, now: Now, rules: &Rules) -> Vec<LateMember> {
    let late = room
        .members
        .iter()
        .filter(|member| is_late(member.seen, now, rules));
    late.map(|member| LateMember {
        room: room.key.clone(),
        user: member.user.clone(),
        stream: member.stream.clone(),
    })
    .collect()
}

/// Decides about a late member; a dropped one leaves as by `delete_pusher`.
pub(super) fn judge(
    slot: &mut Option<Room>,
    late: &LateMember,
    state: &StreamState,
    now: Now,
    rules: &Rules,
) -> Fate {
    let member = slot
        .as_mut()
        .and_then(|room| room.members.iter_mut().find(|m| m.user == late.user));
    let Some(member) = member else {
        return Fate::Settled;
    };
    if member.stream != late.stream || !is_late(member.seen, now, rules) {
        return Fate::Settled;
    }
    let silent = now.steady.saturating_sub(member.seen);
    match state {
        StreamState::Live => {
            member.seen = now.steady;
            Fate::Refreshed
        }
        StreamState::Unknown(_) if silent <= 2 * rules.member_timeout => Fate::Waiting,
        StreamState::Unknown(_) | StreamState::NotLive => {
            match room::leave(slot, &late.user, rules) {
                Ok(()) => Fate::Dropped,
                Err(_) => Fate::Settled,
            }
        }
    }
}
