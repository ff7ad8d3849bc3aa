//! Logins of users: one session per user, found by its tiny id, proven by its A2 key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::sync::Notify;

use super::inbox::Inbox;
use super::limits::QueueBounds;
use super::refusal::Refusal;
use crate::server::clock::Now;

/// Time for which a session that was replaced is still told so.
const KICKED_KEPT: Duration = Duration::from_secs(600);

/// The two names of a session: one finds it, the other proves it.
pub(crate) struct Secrets {
    pub(crate) tiny_id: String,
    pub(crate) a2: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets([redacted])")
    }
}

/// The time between which a session stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// Time of the userSig, in unix seconds.
    pub(crate) signed: u64,
    /// [`Now::steady`] when the session ends by itself.
    pub(crate) expires: Duration,
}

/// The profile that a user gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) nick: Option<String>,
    pub(crate) image: Option<String>,
}

/// A user that is logged in.
pub(super) struct Session {
    pub(super) user: String,
    a2: String,
    /// [`Now::steady`] when it ends by itself.
    expires: Duration,
    /// Time of the userSig, in unix seconds.
    signed: u64,
    /// The same user logged in again.
    pub(super) kicked: bool,
    pub(super) profile: Profile,
    /// Keys of the groups that they are in.
    pub(super) readers: Vec<String>,
    pub(super) inbox: Inbox,
    /// The poll loop that may ask; each `getlongpollingid` starts a new one.
    pub(super) poll_id: Option<String>,
    /// Number of the newest poll.
    pub(super) turn: u64,
    /// Rings when it is worth asking again.
    pub(super) bell: Arc<Notify>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user, kicked, .. } = self;
        f.debug_struct("Session")
            .field("user", user)
            .field("kicked", kicked)
            .finish_non_exhaustive()
    }
}

/// The things that hung on a session that ended.
pub(super) struct EndedSession {
    pub(super) readers: Vec<String>,
    pub(super) inbox_bytes: usize,
}

/// All sessions, also those that were replaced a while ago.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_tiny_id: HashMap<String, Session>,
    /// Tiny ids of the sessions that were not kicked.
    by_user: HashMap<String, String>,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.by_tiny_id.len()
    }

    pub(super) fn open(&mut self, user: &str, secrets: Secrets, life: Life) {
        let session = Session {
            user: user.to_owned(),
            a2: secrets.a2,
            expires: life.expires,
            signed: life.signed,
            kicked: false,
            profile: Profile::default(),
            readers: Vec::new(),
            inbox: Inbox::default(),
            poll_id: None,
            turn: 0,
            bell: Arc::default(),
        };
        self.by_user
            .insert(user.to_owned(), secrets.tiny_id.clone());
        self.by_tiny_id.insert(secrets.tiny_id, session);
    }

    /// Ends a user's session for another; what is left of it says only that.
    pub(super) fn kick(&mut self, user: &str, now: Now) -> Option<EndedSession> {
        let tiny_id = self.by_user.remove(user)?;
        let session = self.by_tiny_id.get_mut(&tiny_id)?;
        session.kicked = true;
        session.expires = session.expires.min(now.steady + KICKED_KEPT);
        session.bell.notify_waiters();
        Some(EndedSession {
            readers: std::mem::take(&mut session.readers),
            inbox_bytes: std::mem::take(&mut session.inbox).bytes(),
        })
    }

    pub(super) fn remove(&mut self, tiny_id: &str) -> Option<EndedSession> {
        let session = self.by_tiny_id.remove(tiny_id)?;
        if self
            .by_user
            .get(&session.user)
            .is_some_and(|t| t == tiny_id)
        {
            self.by_user.remove(&session.user);
        }
        session.bell.notify_waiters();
        Some(EndedSession {
            inbox_bytes: session.inbox.bytes(),
            readers: session.readers,
        })
    }

    /// The user of a session, proven by its A2 key.
    pub(super) fn user(&self, tiny_id: &str, a2: &str, now: Now) -> Result<&str, Refusal> {
        let session = self.by_tiny_id.get(tiny_id);
        let session = session.filter(|session| session.expires > now.steady);
        let session = session.ok_or(Refusal::NotLoggedIn)?;
        if !bool::from(session.a2.as_bytes().ct_eq(a2.as_bytes())) {
            return Err(Refusal::NotLoggedIn);
        }
        if session.kicked {
            return Err(Refusal::Kicked);
        }
        Ok(&session.user)
    }

    pub(super) fn get(&self, tiny_id: &str) -> Option<&Session> {
        self.by_tiny_id.get(tiny_id)
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Session)> {
        self.by_tiny_id.iter()
    }

    pub(super) fn get_mut(&mut self, tiny_id: &str) -> Option<&mut Session> {
        self.by_tiny_id.get_mut(tiny_id)
    }

    pub(super) fn of_user(&self, user: &str) -> Option<&Session> {
        self.by_tiny_id.get(self.by_user.get(user)?)
    }

    pub(super) fn of_user_mut(&mut self, user: &str, now: Now) -> Option<&mut Session> {
        let session = self.by_tiny_id.get_mut(self.by_user.get(user)?)?;
        Some(session).filter(|session| session.expires > now.steady)
    }

    /// Sessions for whose user and time of signature `wanted` holds.
    pub(super) fn that_are(&self, wanted: impl Fn(&str, u64) -> bool) -> Vec<String> {
        let all = self.by_tiny_id.iter();
        let wanted = all.filter(|(_, session)| wanted(&session.user, session.signed));
        wanted.map(|(tiny_id, _)| tiny_id.clone()).collect()
    }

    pub(super) fn expired(&self, now: Now) -> Vec<String> {
        let all = self.by_tiny_id.iter();
        let expired = all.filter(|(_, session)| session.expires <= now.steady);
        expired.map(|(tiny_id, _)| tiny_id.clone()).collect()
    }

    /// Sessions to end so that there are fewer than `limit`.
    pub(super) fn to_make_space(&self, limit: usize, now: Now) -> Vec<String> {
        let expired = self.expired(now);
        if self.len() - expired.len() < limit {
            return expired;
        }
        let all = self.by_tiny_id.iter();
        let first = all.min_by_key(|(_, session)| (!session.kicked, session.expires));
        log::warn!(limit; "too many message logins, ended the one nearest to its end");
        first
            .map(|(tiny_id, _)| tiny_id.clone())
            .into_iter()
            .collect()
    }

    /// Drops old letters; answers the bytes of all that are left.
    pub(super) fn tidy_inboxes(&mut self, limits: &QueueBounds, now: Now) -> usize {
        let sessions = self.by_tiny_id.values_mut();
        let bytes = sessions.map(|session| {
            session.inbox.drop_old(limits, now);
            session.inbox.bytes()
        });
        bytes.sum()
    }
}
