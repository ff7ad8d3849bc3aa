//! The task that ends rights when their reason ends: plays of those that left or were shut out of a
//! room, and everything of users that are revoked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::auth::Auth;
use super::im::Im;
use super::relay::{ExternalClients, Gate, RelayHandle};
use super::rooms::Rooms;

/// Time between two looks at the users file: a revocation is to act at once.
const LOOK: Duration = Duration::from_secs(1);

/// The relay on which rights end.
#[derive(Debug)]
pub(super) enum RelayControl {
    Embedded(RelayHandle),
    External(Arc<ExternalClients>),
    /// One that does not ask, and cannot be told.
    None,
}

/// All that a right may hang on.
#[derive(Debug)]
pub(super) struct Warden {
    pub(super) rooms: Arc<Rooms>,
    pub(super) auth: Arc<Auth>,
    pub(super) im: Arc<Im>,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) relay: RelayControl,
}

impl Warden {
    /// Watches until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let rooms = self.follow_rooms();
        let users = self.follow_users();
        stop.run_until_cancelled(async { tokio::join!(rooms, users) })
            .await;
    }

    async fn follow_rooms(&self) {
        let mut events = self.rooms.subscribe();
        loop {
            match events.recv().await {
                Ok(event) => {
                    for stream in &event.streams {
                        self.judge_plays(stream);
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    log::warn!(missed; "missed events of rooms, looked at every stream");
                    self.judge_everything();
                }
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }

    async fn follow_users(&self) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.auth.look() {
                self.shut_out();
            }
        }
    }

    /// Ends all that users have who are revoked: messages, memberships, publishes and plays.
    pub(super) fn shut_out(&self) {
        self.im.end_unwelcome();
        for user in self.rooms.users() {
            if !self.auth.is_welcome(&user, u64::MAX) {
                self.rooms.remove(&user);
            }
        }
        self.judge_everything();
    }

    fn judge_plays(&self, stream: &str) {
        let stays = |viewer: &str| self.gate.may_play(stream, viewer);
        match &self.relay {
            RelayControl::Embedded(relay) => relay.end_plays(stream, stays),
            RelayControl::External(relay) => relay.end_plays(stream, stays),
            RelayControl::None => {}
        }
    }

    fn judge_everything(&self) {
        let streams = match &self.relay {
            RelayControl::Embedded(relay) => {
                let streams = relay.streams().into_iter();
                streams.map(|stream| stream.stream_id).collect()
            }
            RelayControl::External(relay) => relay.streams(),
            RelayControl::None => Vec::new(),
        };
        for stream in &streams {
            self.judge_plays(stream);
            let is_welcome = |owner: &str| self.auth.is_welcome(owner, u64::MAX);
            match &self.relay {
                RelayControl::Embedded(relay) => relay.end_publish(stream, is_welcome),
                RelayControl::External(relay) => relay.end_publish(stream, is_welcome),
                RelayControl::None => {}
            }
        }
    }
}
