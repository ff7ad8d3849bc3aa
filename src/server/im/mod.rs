//! The message service: what Tencent's does for RTCRoom. Room servers command it by REST as
//! the administrator, clients speak webim to it, and the rooms of this server use it directly.
//!
//! `hub` knows and decides; `front` reads requests, `rest` and `client` do what they ask,
//! `poll` holds the polls, `slots` bounds them, `rooms` turns what happens to rooms into groups
//! and notifications.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::auth::Auth;
use super::clock::Clock;
use super::http::{Limiter, Rate};
use super::rooms::{Now, Rooms};

mod client;
mod front;
mod hub;
mod message;
mod poll;
mod reply;
mod rest;
mod rooms;
mod slots;

pub(super) use front::{ClientAddress, is_path, router, too_many_requests};
use hub::{Hub, Limits};
use rooms::Feed;
use slots::Slots;

/// Name of the groups that this server makes for its rooms, as the official servers call theirs.
const GROUP_NAME: &str = "group_name";

/// Bounds of the message service.
#[derive(Debug, Clone)]
pub struct ImSettings {
    /// Who may command it by REST.
    pub administrator: String,
    /// How long a poll with nothing new is held.
    pub hold: Duration,
    /// Readers without a login in one group.
    pub anonymous_readers: usize,
    /// Groups that other room servers may make.
    pub max_groups: usize,
    /// Polls held at once.
    pub max_polls: usize,
    pub polls_per_address: usize,
    /// Requests of a user.
    pub per_user: Rate,
    /// Messages that a user sends.
    pub messages: Rate,
}

/// The message service.
#[derive(Debug)]
pub(super) struct Im {
    hub: Mutex<Hub>,
    feed: Mutex<Feed>,
    rooms: Arc<Rooms>,
    auth: Arc<Auth>,
    clock: Clock,
    settings: ImSettings,
    /// From the end of a request's head to the end of its body.
    read_timeout: Duration,
    slots: Slots,
    by_user: Limiter<String>,
    by_sender: Limiter<String>,
    /// Held polls end when this is cancelled.
    closing: CancellationToken,
}

impl Im {
    pub(super) fn new(
        settings: ImSettings,
        rooms: Arc<Rooms>,
        auth: Arc<Auth>,
        clock: Clock,
        read_timeout: Duration,
    ) -> Self {
        let limits = Limits {
            foreign_groups: settings.max_groups,
            anonymous_per_group: settings.anonymous_readers,
            ..Limits::default()
        };
        Self {
            hub: Mutex::new(Hub::new(limits)),
            feed: Mutex::new(Feed::new(&rooms)),
            rooms,
            auth,
            clock,
            read_timeout,
            slots: Slots::new(settings.max_polls, settings.polls_per_address),
            by_user: Limiter::new(settings.per_user),
            by_sender: Limiter::new(settings.messages),
            closing: CancellationToken::new(),
            settings,
        }
    }

    /// Carries out what happens to rooms until `stop`, and then ends the held polls.
    pub(super) async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow_rooms()).await;
        self.closing.cancel();
    }

    /// Frees what nobody uses any more; to be called every few seconds.
    pub(super) fn tidy(&self) {
        self.hub().tidy(self.clock.now());
        self.by_user.tidy();
        self.by_sender.tidy();
        let fill = self.hub().fill();
        log::debug!(
            sessions = fill.sessions, groups = fill.groups, readers = fill.readers,
            kept_bytes = fill.bytes, polls = self.slots.taken();
            "message service"
        );
    }

    /// Whether this name commands the service; nobody gets it signed for the asking.
    pub(super) fn is_administrator(&self, user: &str) -> bool {
        user == self.settings.administrator
    }

    /// Users logged in.
    pub(super) fn sessions_open(&self) -> usize {
        self.hub().fill().sessions
    }

    /// Polls held at the moment.
    pub(super) fn polls_held(&self) -> usize {
        self.slots.taken()
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        // The hub makes every change in one go.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        self.clock.now()
    }
}

/// 256 random bits, in hex.
fn fresh_secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
