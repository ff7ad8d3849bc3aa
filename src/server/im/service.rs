//! The message service itself: holds the hub and its limits, follows the rooms, and tidies up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::hub::{Hub, Limits};
use super::poll_slots::PollSlots;
use super::room_feed::RoomFeed;
use crate::server::auth::Auth;
use crate::server::budget::Budget;
use crate::server::clock::{Clock, Now};
use crate::server::limits::{Limiter, Rate};
use crate::server::rooms::Rooms;

/// Bounds of the message service.
#[derive(Debug, Clone)]
pub struct ImSettings {
    /// The user that may command it by REST.
    pub administrator: String,
    /// Time for which a poll with nothing new is held.
    pub hold: Duration,
    /// Readers without a login in one group.
    pub anonymous_readers: usize,
    /// Groups that other room servers may make.
    pub max_groups: usize,
    /// Polls held at once.
    pub max_polls: usize,
    /// Polls held at once for one address.
    pub polls_per_address: usize,
    /// Bytes that all groups keep together, and that all letters which wait have.
    pub history_bytes: usize,
    pub inbox_bytes: usize,
    /// Memory for bodies that are longer than usual.
    pub bodies: Budget,
    /// Requests of a user.
    pub per_user: Rate,
    /// Messages that a user sends.
    pub messages: Rate,
}

/// The message service.
#[derive(Debug)]
pub(crate) struct Im {
    hub: Mutex<Hub>,
    feed: Mutex<RoomFeed>,
    pub(super) rooms: Arc<Rooms>,
    pub(super) auth: Arc<Auth>,
    clock: Clock,
    pub(super) settings: ImSettings,
    /// Longest time from the end of a request's head to the end of its body.
    pub(super) read_timeout: Duration,
    pub(super) slots: PollSlots,
    pub(super) by_user: Limiter<String>,
    pub(super) by_sender: Limiter<String>,
    /// Held polls end when this is cancelled.
    pub(super) closing: CancellationToken,
}

impl Im {
    pub(crate) fn new(
        settings: ImSettings,
        rooms: Arc<Rooms>,
        auth: Arc<Auth>,
        clock: Clock,
        read_timeout: Duration,
    ) -> Self {
        let limits = Limits {
            foreign_groups: settings.max_groups,
            anonymous_per_group: settings.anonymous_readers,
            history_total: settings.history_bytes,
            inbox_total: settings.inbox_bytes,
            ..Limits::default()
        };
        Self {
            hub: Mutex::new(Hub::new(limits)),
            feed: Mutex::new(RoomFeed::new(&rooms)),
            rooms,
            auth,
            clock,
            read_timeout,
            slots: PollSlots::new(settings.max_polls, settings.polls_per_address),
            by_user: Limiter::new(settings.per_user),
            by_sender: Limiter::new(settings.messages),
            closing: CancellationToken::new(),
            settings,
        }
    }

    /// Carries out what happens to rooms until `stop`, and then ends the held polls.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow_rooms()).await;
        self.closing.cancel();
    }

    /// Frees what nobody uses any more; to be called every few seconds.
    pub(crate) fn tidy(&self) {
        self.hub().tidy(self.clock.now());
        self.by_user.tidy();
        self.by_sender.tidy();
        let counts = self.hub().counts();
        log::debug!(
            sessions = counts.sessions, groups = counts.groups, readers = counts.readers,
            kept_bytes = counts.bytes, polls = self.slots.taken();
            "message service"
        );
    }

    /// Ends the logins of users that are revoked.
    pub(crate) fn end_unwelcome(&self) {
        self.hub()
            .end_sessions(|user, signed| !self.auth.is_welcome(user, signed));
    }

    /// Whether this user commands the service; nobody gets this name signed for the asking.
    pub(crate) fn is_administrator(&self, user: &str) -> bool {
        user == self.settings.administrator
    }

    /// Users that are logged in for messages.
    pub(crate) fn sessions_open(&self) -> usize {
        self.hub().counts().sessions
    }

    /// Polls held at the moment.
    pub(crate) fn polls_held(&self) -> usize {
        self.slots.taken()
    }

    pub(super) fn hub(&self) -> MutexGuard<'_, Hub> {
        // The hub makes every change in one go.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Carries out what happens to rooms as it comes.
    async fn follow_rooms(&self) {
        let mut events = self.rooms.subscribe();
        self.catch_up_with_rooms();
        loop {
            // It only says that there is something; what, and what was missed, the feed knows.
            let _ = events.recv().await;
            self.catch_up_with_rooms();
        }
    }

    /// Carries out everything that happened to rooms until now.
    pub(super) fn catch_up_with_rooms(&self) {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        let (administrator, now) = (&self.settings.administrator, self.clock.now());
        feed.catch_up(&self.rooms, &mut self.hub(), administrator, now);
    }
}

/// 256 random bits, in hex.
pub(super) fn fresh_secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
