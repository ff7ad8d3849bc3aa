//! The settings of a room session, and those of a stay in a room.

use std::path::PathBuf;
use std::time::Duration;

use crate::protocol::request::AddPusher;
use crate::protocol::stream_url::redacted;

use super::client_settings::ClientSettings;
use super::im::ImSettings;
use super::recovery::REAPER_TIMEOUT;
use crate::config::kiosk::Role;
use crate::process::backoff::{Backoff, jittered};

/// Server, room type and cadence of a session.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    pub client: ClientSettings,
    /// Maximum number of members in a room, ourselves included.
    pub capacity: usize,
    pub timings: Timings,
    /// The message service; None leaves the member list to be polled.
    pub im: Option<ImSettings>,
    /// File that keeps a renewed userSig; None keeps it in memory alone.
    pub sig_file: Option<PathBuf>,
}

impl SessionSettings {
    /// Sets the usual capacity of the room type, the usual timings and no message service.
    #[must_use]
    pub fn new(client: ClientSettings) -> Self {
        Self {
            capacity: client.room_type.default_capacity(),
            client,
            timings: Timings::default(),
            im: None,
            sig_file: None,
        }
    }
}

/// Maximum time between the starts of heartbeats. 12 s would let one be lost before the servers'
/// 20 s are over; one second of them is for delays of our own.
const MAX_HEARTBEAT_PAUSE: Duration = Duration::from_secs(11);
/// Maximum time until the first heartbeat: the official mini client's.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(3);

/// Pauses and limits. The defaults are for production; tests use shorter ones.
#[derive(Debug, Clone)]
pub struct Timings {
    /// Pause between heartbeats, give or take a tenth. The servers drop a member after 20 s.
    pub heartbeat: Duration,
    /// Pause between looks at the member list while no message channel announces changes.
    pub poll: Duration,
    /// The same while a message channel announces them.
    pub safety_poll: Duration,
    /// Pause between looks at the server outside a room.
    pub idle_probe: Duration,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// Limit for `enter`, retries included.
    pub enter_deadline: Duration,
    /// Limit for `delete_pusher` and for `logout`: the customer does not wait for them.
    pub leave_deadline: Duration,
    /// Time for which the others may be absent from the list after the server forgot its members.
    pub return_grace: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(7),
            poll: Duration::from_secs(2),
            safety_poll: Duration::from_secs(15),
            idle_probe: Duration::from_secs(30),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(10),
            enter_deadline: Duration::from_secs(20),
            leave_deadline: Duration::from_secs(2),
            return_grace: REAPER_TIMEOUT,
        }
    }
}

impl Timings {
    pub(super) fn backoff(&self) -> Backoff {
        Backoff::endless(self.backoff_min * 2, self.backoff_max)
    }

    /// Chooses the time from the start of one heartbeat to the start of the next.
    pub(super) fn heartbeat_pause(&self, random: f64) -> Duration {
        jittered(self.heartbeat, random).min(MAX_HEARTBEAT_PAUSE)
    }

    /// Limit for a heartbeat, a new login included; then it is given up for the next one.
    pub(super) fn heartbeat_deadline(&self) -> Duration {
        self.heartbeat.mul_f64(10.0 / 7.0).min(MAX_HEARTBEAT_PAUSE)
    }

    /// Pause before the first heartbeat, which comes early: a ghost room, in which we are no
    /// member although entering succeeded, shows at once.
    pub(super) fn first_heartbeat(&self) -> Duration {
        self.heartbeat.mul_f64(3.0 / 7.0).min(FIRST_HEARTBEAT)
    }
}

/// The room to enter, and the member to be there.
#[derive(Clone)]
pub struct EnterRoom {
    pub room_id: String,
    /// Needed again when the server has lost its memory and we create the room anew.
    pub room_info: String,
    pub role: Role,
    pub user_name: String,
    pub user_avatar: String,
    /// The answer to `get_push_url`; pushing to it has begun.
    pub push_url: String,
}

impl std::fmt::Debug for EnterRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnterRoom")
            .field("room_id", &self.room_id)
            .field("room_info", &self.room_info)
            .field("role", &self.role)
            .field("user_name", &self.user_name)
            .field("user_avatar", &self.user_avatar)
            .field("push_url", &redacted(&self.push_url))
            .finish()
    }
}

impl EnterRoom {
    pub(super) fn request(&self, user_id: &str) -> AddPusher {
        AddPusher {
            room_id: self.room_id.clone(),
            room_info: self.room_info.clone(),
            user_id: user_id.to_owned(),
            user_name: self.user_name.clone(),
            user_avatar: self.user_avatar.clone(),
            push_url: self.push_url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_start_at_most_12_s_apart() {
        for heartbeat in [1, 7, 12, 60].map(Duration::from_secs) {
            let timings = Timings {
                heartbeat,
                ..Timings::default()
            };
            let pause = timings.heartbeat_pause(1.0);
            assert!(pause < Duration::from_secs(12), "{pause:?}");
            // A heartbeat that fails late is followed by the next at once.
            let deadline = timings.heartbeat_deadline();
            assert!(deadline < Duration::from_secs(12), "{deadline:?}");
            assert!(timings.first_heartbeat() <= Duration::from_secs(3));
        }
        let usual = Timings::default();
        assert_eq!(usual.heartbeat_pause(0.0), Duration::from_millis(6300));
        assert_eq!(usual.heartbeat_pause(1.0), Duration::from_millis(7700));
        assert_eq!(usual.first_heartbeat(), Duration::from_secs(3));
    }
}
