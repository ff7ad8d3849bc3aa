//! The gate of the streams: a stream is published by the user for whom this server made its id, and
//! played by those that the rooms show it to.

use std::sync::Arc;

use super::auth::Auth;
use super::clock::Clock;
use super::relay::Gate;
use super::rooms::Rooms;
use super::urls::UrlSettings;

/// Judge of streams.
#[derive(Debug)]
pub(super) struct StreamGate {
    pub(super) urls: UrlSettings,
    pub(super) rooms: Arc<Rooms>,
    pub(super) auth: Arc<Auth>,
    pub(super) clock: Clock,
}

impl StreamGate {
    fn check_user(&self, user: &str) -> Result<(), String> {
        if self.auth.is_welcome(user, u64::MAX) {
            return Ok(());
        }
        Err("the user is revoked".to_owned())
    }

    /// Whether a stream is one that an open server gives away for trials.
    fn is_for_trials(&self, stream: &str) -> bool {
        let owner = self.urls.owner(stream);
        self.auth.is_open() && owner.is_none_or(|owner| owner == TRIAL_USER)
    }
}

/// The user of streams that are given away for trials.
pub(super) const TRIAL_USER: &str = "test";

impl Gate for StreamGate {
    fn publisher(&self, stream: &str, query: &str) -> Result<String, String> {
        let unix = self.clock.now().unix;
        let owner = self.urls.pusher(stream, query, unix);
        let owner = owner.map_err(|refusal| refusal.to_string())?;
        let owner = match owner {
            Some(owner) => owner,
            None if self.auth.is_open() => String::new(),
            None => return Err("the stream id names no user".to_owned()),
        };
        self.check_user(&owner)?;
        Ok(owner)
    }

    fn is_members(&self, stream: &str) -> bool {
        self.rooms.is_members(stream)
    }

    fn viewer(&self, stream: &str, query: &str) -> Result<String, String> {
        let unix = self.clock.now().unix;
        let viewer = self.urls.viewer(stream, query, unix);
        let viewer = viewer.map_err(|refusal| refusal.to_string())?;
        if self.may_play(stream, &viewer) {
            Ok(viewer)
        } else {
            Err(format!("{viewer} may not play it now"))
        }
    }

    fn may_play(&self, stream: &str, viewer: &str) -> bool {
        let now = self.clock.now();
        self.check_user(viewer).is_ok()
            && (self.rooms.may_play(stream, viewer, now) || self.is_for_trials(stream))
    }
}
