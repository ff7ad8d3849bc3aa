//! Who is gone without goodbye: which rooms and members are due, and what becomes of a silent
//! member once the relay has said whether his stream still runs.

use std::time::Duration;

use super::Rules;
use super::room::{self, Now, Room, RoomKey};
use crate::server::relay::StreamState;

/// A member whose heartbeats stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    pub room: RoomKey,
    pub user: String,
    pub stream: String,
}

/// What became of a late member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// His stream runs: that is as good as a heartbeat.
    Refreshed,
    /// Kept for a second timeout, because the relay does not answer.
    Waiting,
    Dropped,
    /// Meanwhile he gave a sign of life or left.
    Settled,
}

/// Whether an id was reserved and never used for too long.
pub(super) fn is_idle(room: &Room, now: Now, rules: &Rules) -> bool {
    !room.is_active() && now.steady.saturating_sub(room.reserved) > rules.idle_timeout
}

fn is_late(seen: Duration, now: Now, rules: &Rules) -> bool {
    now.steady.saturating_sub(seen) > rules.member_timeout
}

pub(super) fn late_members(room: &Room, now: Now, rules: &Rules) -> Vec<Late> {
    let late = room
        .members
        .iter()
        .filter(|member| is_late(member.seen, now, rules));
    late.map(|member| Late {
        room: room.key.clone(),
        user: member.user.clone(),
        stream: member.stream.clone(),
    })
    .collect()
}

/// Decides about a late member; a dropped one leaves as by `delete_pusher`.
pub(super) fn judge(
    slot: &mut Option<Room>,
    late: &Late,
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
