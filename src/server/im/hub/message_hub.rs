//! The hub itself: logins, groups and letters, and the bounds of all of them together.

use std::collections::HashMap;

use super::group::{Group, Message, Origin, Posted};
use super::inbox::Letter;
use super::limits::Limits;
use super::login::{Life, Profile, Secrets, Sessions};
use super::reader::Reader;
use super::refusal::Refusal;
use crate::server::clock::Now;

/// Everything that the message service knows.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) limits: Limits,
    pub(super) sessions: Sessions,
    pub(super) groups: HashMap<u64, Group>,
    /// Groups that are not dissolved.
    pub(super) by_id: HashMap<String, u64>,
    next_group: u64,
    pub(super) readers: HashMap<String, Reader>,
    pub(super) history_bytes: usize,
    pub(super) inbox_bytes: usize,
    /// Number of the last letter; begins with the time, so that it is new after a restart too.
    notices: u64,
}

/// The numbers of what the hub holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sessions: usize,
    pub(crate) groups: usize,
    pub(crate) readers: usize,
    /// Bytes of the messages and letters that are kept.
    pub(crate) bytes: usize,
}

impl Hub {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            sessions: Sessions::default(),
            groups: HashMap::new(),
            by_id: HashMap::new(),
            next_group: 0,
            readers: HashMap::new(),
            history_bytes: 0,
            inbox_bytes: 0,
            notices: 0,
        }
    }

    /// Counts what the hub holds.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            groups: self.groups.len(),
            readers: self.readers.len(),
            bytes: self.history_bytes + self.inbox_bytes,
        }
    }

    /// Opens a session, which ends the user's former one.
    pub(crate) fn login(&mut self, user: &str, secrets: Secrets, life: Life, now: Now) {
        if self.sessions.len() >= self.limits.sessions {
            for tiny_id in self.sessions.to_make_space(self.limits.sessions, now) {
                self.end_session(&tiny_id);
            }
        }
        if let Some(old) = self.sessions.kick(user, now) {
            self.inbox_bytes -= old.inbox_bytes;
            self.drop_readers(&old.readers);
        }
        self.sessions.open(user, secrets, life);
    }

    /// The user of a session.
    pub(crate) fn user(&self, tiny_id: &str, a2: &str, now: Now) -> Result<&str, Refusal> {
        self.sessions.user(tiny_id, a2, now)
    }

    /// The profile that a user gave; `None` = not logged in.
    pub(crate) fn profile(&self, user: &str) -> Option<&Profile> {
        self.sessions.of_user(user).map(|session| &session.profile)
    }

    /// Changes the profile of a session.
    pub(crate) fn set_profile(&mut self, tiny_id: &str, change: impl FnOnce(&mut Profile)) {
        if let Some(session) = self.sessions.get_mut(tiny_id) {
            change(&mut session.profile);
        }
    }

    /// Ends a session, with its inbox and its places in groups.
    pub(crate) fn end_session(&mut self, tiny_id: &str) {
        if let Some(ended) = self.sessions.remove(tiny_id) {
            self.inbox_bytes -= ended.inbox_bytes;
            self.drop_readers(&ended.readers);
        }
    }

    /// Ends the sessions of users for whom `is_over` holds, told when their userSig was signed.
    pub(crate) fn end_sessions(&mut self, is_over: impl Fn(&str, u64) -> bool) {
        for tiny_id in self.sessions.that_are(is_over) {
            self.end_session(&tiny_id);
        }
    }

    /// Makes a group.
    ///
    /// # Errors
    /// The id is taken, or there are too many groups. A room of this server takes over a group
    /// that is there already.
    pub(crate) fn create(
        &mut self,
        id: &str,
        name: &str,
        owner: &str,
        origin: Origin,
        now: Now,
    ) -> Result<(), Refusal> {
        let full = origin == Origin::Foreign && self.foreign_groups() >= self.limits.foreign_groups;
        let known = self.by_id.get(id).and_then(|n| self.groups.get_mut(n));
        match (known, origin) {
            (Some(group), Origin::Room) => {
                group.origin = Origin::Room;
                return Ok(());
            }
            (Some(group), Origin::Foreign) if group.owner == owner => return Err(Refusal::IdYours),
            (Some(_), Origin::Foreign) => return Err(Refusal::IdTaken),
            (None, _) if full => return Err(Refusal::TooManyGroups),
            (None, _) => {}
        }
        let number = self.next_group;
        self.next_group += 1;
        self.by_id.insert(id.to_owned(), number);
        let group = Group::new(id, name, owner, origin, now);
        self.groups.insert(number, group);
        Ok(())
    }

    fn foreign_groups(&self) -> usize {
        let groups = self.groups.values();
        groups.filter(|g| g.origin == Origin::Foreign).count()
    }

    /// Dissolves a group: its readers learn it, nobody else finds it any more.
    ///
    /// # Errors
    /// There is none, or it belongs to somebody else.
    pub(crate) fn dissolve(
        &mut self,
        id: &str,
        origin: Origin,
        operator: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let number = *self.by_id.get(id).ok_or(Refusal::NoSuchGroup)?;
        let theirs = self.groups.get(&number).map(|group| group.origin);
        if theirs == Some(Origin::Room) && origin == Origin::Foreign {
            return Err(Refusal::RoomsGroup);
        }
        let operator = operator.to_owned();
        self.post(number, Posted::Dissolved { operator }, now);
        self.by_id.remove(id);
        if let Some(group) = self.groups.get_mut(&number) {
            group.closed = true;
        }
        self.forget_if_done(number);
        Ok(())
    }

    /// Sends a system message to everybody in a group.
    ///
    /// # Errors
    /// There is no such group.
    pub(crate) fn notify(
        &mut self,
        id: &str,
        operator: &str,
        content: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let number = *self.by_id.get(id).ok_or(Refusal::NoSuchGroup)?;
        let notice = Posted::Notice {
            operator: operator.to_owned(),
            content: content.to_owned(),
        };
        self.post(number, notice, now);
        Ok(())
    }

    /// Sends a message to a group; answers its number. `sender` is the session, `None` = the
    /// administrator, which need not be in the group.
    ///
    /// # Errors
    /// No such group, or the sender is not in it.
    pub(crate) fn send(
        &mut self,
        id: &str,
        sender: Option<&str>,
        message: Message,
        now: Now,
    ) -> Result<u64, Refusal> {
        let number = *self.by_id.get(id).ok_or(Refusal::NoSuchGroup)?;
        if let Some(session) = sender {
            self.key_in(session, number).ok_or(Refusal::NotAMember)?;
            let user = self
                .sessions
                .get(session)
                .map(|session| session.user.as_str());
            let group = self.groups.get(&number).ok_or(Refusal::NoSuchGroup)?;
            if !group.admits(user) {
                return Err(Refusal::NotAMember);
            }
        }
        Ok(self.post(number, Posted::Message(message), now))
    }

    /// Takes a message into a group and rings for its readers; answers its number.
    fn post(&mut self, number: u64, what: Posted, now: Now) -> u64 {
        let Some(group) = self.groups.get_mut(&number) else {
            return 0;
        };
        let before = group.bytes;
        let seq = group.push(what, &self.limits.history, now);
        self.history_bytes = self.history_bytes - before + group.bytes;
        if self.history_bytes > self.limits.history_total {
            let freed = group.keep_last();
            self.history_bytes -= freed;
            log::warn!(group = group.id.as_str(); "too many messages are kept, dropped a group's");
        }
        for key in &group.readers {
            if let Some(reader) = self.readers.get(key) {
                reader.bell.notify_waiters();
            }
        }
        seq
    }

    /// Forgets a dissolved group when its last reader is gone.
    pub(super) fn forget_if_done(&mut self, number: u64) {
        let done = |group: &Group| group.closed && group.readers.is_empty();
        if self.groups.get(&number).is_some_and(done) {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(group) = self.groups.remove(&number) {
            self.history_bytes -= group.bytes;
            if !group.closed {
                self.by_id.remove(&group.id);
            }
        }
    }

    /// Sends a message to one user.
    ///
    /// # Errors
    /// They are not logged in, or too much is waiting.
    pub(crate) fn write(&mut self, to: &str, letter: Letter, now: Now) -> Result<(), Refusal> {
        let has_space = self.inbox_bytes + letter.size <= self.limits.inbox_total;
        let session = self.sessions.of_user_mut(to, now);
        let session = session.ok_or(Refusal::NoSuchUser)?;
        if !has_space {
            return Err(Refusal::InboxFull);
        }
        let before = session.inbox.bytes();
        self.notices = (self.notices + 1).max(now.unix);
        let notice = self.notices;
        session
            .inbox
            .push(letter, notice, &self.limits.inbox, now)?;
        self.inbox_bytes = self.inbox_bytes - before + session.inbox.bytes();
        session.bell.notify_waiters();
        Ok(())
    }

    /// Forgets what is too old; to be called every few seconds.
    pub(crate) fn tidy(&mut self, now: Now) {
        for tiny_id in self.sessions.expired(now) {
            self.end_session(&tiny_id);
        }
        let limits = self.limits;
        self.inbox_bytes = self.sessions.tidy_inboxes(&limits.inbox, now);
        let late = |reader: &Reader| {
            let allowed = match reader.session {
                Some(_) => limits.reader_idle,
                None => limits.anonymous_idle,
            };
            now.steady.saturating_sub(reader.seen) > allowed
        };
        let late = self.readers.iter().filter(|(_, reader)| late(reader));
        let late: Vec<_> = late.map(|(key, _)| key.clone()).collect();
        self.drop_readers(&late);
        let idle = |group: &Group| {
            let unused = now.steady.saturating_sub(group.touched) > limits.group_idle;
            group.origin == Origin::Foreign && group.readers.is_empty() && unused
        };
        let idle = self.groups.iter().filter(|(_, group)| idle(group));
        let idle: Vec<_> = idle.map(|(number, _)| *number).collect();
        for number in idle {
            self.forget(number);
        }
        for group in self.groups.values_mut() {
            self.history_bytes -= group.drop_old(&limits.history, now);
        }
    }

    /// The key of a session in a group.
    pub(super) fn key_in(&self, tiny_id: &str, group: u64) -> Option<&str> {
        let mut keys = self.sessions.get(tiny_id)?.readers.iter();
        let key = keys.find(|key| self.readers.get(*key).is_some_and(|r| r.group == group))?;
        Some(key)
    }

    pub(super) fn drop_readers(&mut self, keys: &[String]) {
        for key in keys {
            self.drop_reader(key);
        }
    }

    pub(super) fn drop_reader(&mut self, key: &str) {
        let Some(reader) = self.readers.remove(key) else {
            return;
        };
        reader.bell.notify_waiters();
        let session = reader.session.as_deref();
        if let Some(session) = session.and_then(|s| self.sessions.get_mut(s)) {
            session.readers.retain(|other| other != key);
        }
        if let Some(group) = self.groups.get_mut(&reader.group) {
            group.readers.remove(key);
        }
        self.forget_if_done(reader.group);
    }
}
