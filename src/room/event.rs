//! What the room tells the session, and where both are told: events and a snapshot.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::member_diff::Member;

/// What happened on the side of the room server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// After every login, also a renewed one.
    LoggedIn {
        user_id: String,
    },
    /// The server does not accept the credentials; told once until a login succeeds.
    LoginRefused {
        reason: String,
    },
    Entered {
        room_id: String,
    },
    MemberJoined(Member),
    MemberLeft(Member),
    /// Another play URL or name of the same user. A member who renewed his entry has a newly
    /// signed URL of the same stream.
    MemberChanged(Member),
    /// Our stay in the room is over, and it is not by our will.
    RoomClosed {
        reason: ClosedReason,
    },
    Kicked {
        reason: KickedReason,
    },
    /// Told once, after two exchanges failed in a row; the call goes on.
    ServerUnreachable {
        reason: String,
        since: Instant,
    },
    ServerReachable,
}

/// Why a stay in a room ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosedReason {
    #[error("the room was destroyed")]
    Destroyed,
    #[error("the seat was taken by somebody else meanwhile")]
    Full,
    #[error("the room server refuses us: {0}")]
    Refused(String),
}

/// Who sent us away.
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
    /// Logins so far, renewals included.
    pub logins: u64,
    /// Whether the last exchanges reached the server; true before the first.
    pub reachable: bool,
    /// Why not, or what failed last.
    pub last_error: Option<String>,
    /// The room we are in.
    pub room_id: Option<String>,
    /// The others in it.
    pub members: Vec<Member>,
    pub heartbeats_ok: u64,
    pub heartbeats_failed: u64,
    /// Longest time between the starts of two heartbeats in this stay.
    pub longest_heartbeat_gap_ms: u64,
    /// Times we entered the room anew because the server had forgotten us.
    pub re_adds: u64,
}

/// How long an event waits for a consumer that does not keep up.
const EVENT_PATIENCE: Duration = Duration::from_secs(1);

/// Where events and snapshot changes go.
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

    /// Hands an event over; never blocks for longer than a second, because heartbeats wait.
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
