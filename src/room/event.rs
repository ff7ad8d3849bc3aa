//! Events and the snapshot by which the room is known to the session, and the way out for both.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::member_diff::Member;

/// An event on the side of the room server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// After every login, also a renewed one.
    LoggedIn {
        user_id: String,
    },
    /// The server does not accept the credentials; emitted once until a login succeeds.
    LoginRefused {
        reason: String,
    },
    Entered {
        room_id: String,
    },
    MemberJoined(Member),
    MemberLeft(Member),
    /// Another play URL or name of the same user. A member that renewed its entry has a newly
    /// signed URL of the same stream.
    MemberChanged(Member),
    /// Our stay in the room is over, though not by our will.
    RoomClosed {
        reason: ClosedReason,
    },
    Kicked {
        reason: KickedReason,
    },
    /// A text of somebody in the room.
    TextReceived(Message),
    /// A command of a program in the room to ours.
    CustomReceived(Message),
    /// A text or a command to us alone.
    C2cReceived(Message),
    /// The message channel of the room is there: messages can be sent.
    ChannelUp,
    /// The message channel is not there; the call goes on, and the member list is polled.
    ChannelDown {
        reason: String,
    },
    /// Two exchanges in a row failed; emitted once, and the call goes on.
    ServerUnreachable {
        reason: String,
        /// Whether somebody is there who cannot prove to be the server.
        untrusted: bool,
        since: Instant,
    },
    ServerReachable,
}

/// A text or a command from the message channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's user id.
    pub from: String,
    /// The sender's name by their own account, or their user id. To be shown, never trusted.
    pub nick: String,
    /// Absent in a text.
    pub cmd: Option<String>,
    pub text: String,
}

/// Leaves the text out: what people say to each other does not belong in a log.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("from", &self.from)
            .field("cmd", &self.cmd)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// The state of the message channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Switched off by the configuration.
    #[default]
    Off,
    Offline,
    /// Logged in to the message service.
    Online,
    /// In the group of the room.
    Joined,
}

/// The message channel in the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelSnapshot {
    pub state: ChannelState,
    /// The reason of its last absence.
    pub last_error: Option<String>,
    pub messages_sent: u64,
    /// Texts, commands and C2C messages of others.
    pub messages_received: u64,
}

/// Reasons for which a stay in a room ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosedReason {
    #[error("the room was destroyed")]
    Destroyed,
    #[error("the seat was taken by somebody else meanwhile")]
    Full,
    #[error("the room server refuses us: {0}")]
    Refused(String),
}

/// The way in which we were sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KickedReason {
    #[error("somebody removes us from the room over and over")]
    Removed,
    #[error("another device uses our user id")]
    LoginTakenOver,
}

/// The room's state for the status command, the metrics and the tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RoomSnapshot {
    pub user_id: Option<String>,
    /// End of our userSig, unix seconds; `None` = not logged in, or it cannot be read.
    pub user_sig_ends: Option<u64>,
    /// Logins so far, renewals included.
    pub logins: u64,
    /// Whether the last exchanges reached the server; true before the first.
    pub reachable: bool,
    /// The reason of the last failure.
    pub last_error: Option<String>,
    /// The room we are in.
    pub room_id: Option<String>,
    /// The other members of the room.
    pub members: Vec<Member>,
    pub heartbeats_ok: u64,
    pub heartbeats_failed: u64,
    /// Longest time between the starts of two heartbeats in this stay, ms.
    pub longest_heartbeat_gap_ms: u64,
    /// Times we entered the room anew because the server had forgotten us.
    pub re_adds: u64,
    pub channel: ChannelSnapshot,
}

/// Time for which an event waits for a consumer that does not keep up: far below the pause
/// between heartbeats, which wait meanwhile.
const EVENT_PATIENCE: Duration = Duration::from_secs(1);

/// The way out for events and changes of the snapshot.
#[derive(Debug)]
pub(super) struct Outbox {
    events: mpsc::Sender<RoomEvent>,
    snapshot: watch::Sender<RoomSnapshot>,
}

impl Outbox {
    pub(super) fn new(events: mpsc::Sender<RoomEvent>) -> Self {
        let snapshot = watch::Sender::new(RoomSnapshot {
            reachable: true,
            ..RoomSnapshot::default()
        });
        Self { events, snapshot }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<RoomSnapshot> {
        self.snapshot.subscribe()
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut RoomSnapshot)) {
        self.snapshot.send_modify(change);
    }

    /// Returns our user id; empty before the login.
    pub(super) fn user_id(&self) -> String {
        self.snapshot.borrow().user_id.clone().unwrap_or_default()
    }

    /// Returns the reason for which the message channel is not there.
    pub(super) fn channel_reason(&self) -> String {
        let snapshot = self.snapshot.borrow();
        let reason = snapshot.channel.last_error.clone();
        reason.unwrap_or_else(|| "it is being set up".into())
    }

    /// Hands an event over; waits at most a second, because heartbeats wait meanwhile.
    pub(super) async fn emit(&self, event: RoomEvent) {
        use mpsc::error::SendTimeoutError::{Closed, Timeout};
        match self.events.send_timeout(event, EVENT_PATIENCE).await {
            Ok(()) => {}
            Err(Timeout(event)) => {
                log::error!(event:? = event; "room event dropped: nobody took it for 1 s");
            }
            Err(Closed(event)) => log::debug!(event:? = event; "nobody listens to room events"),
        }
    }
}
