//! Membership of groups: joining, leaving, and reading what was before.

use std::collections::HashSet;
use std::sync::Arc;

use super::group::Entry;
use super::message_hub::Hub;
use super::reader::Reader;
use super::refusal::Refusal;
use crate::server::clock::Now;

/// Somebody that joins a group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Joiner<'a> {
    /// A user, by the tiny id of the session.
    User(&'a str),
    Anonymous,
}

impl Hub {
    /// Lets somebody into a group; answers the key, which is `fresh` unless they are in already.
    ///
    /// # Errors
    /// No such group or session, too many readers, or nobody without a login may read it.
    pub(crate) fn join(
        &mut self,
        id: &str,
        joiner: Joiner<'_>,
        fresh: String,
        now: Now,
    ) -> Result<String, Refusal> {
        let number = *self.by_id.get(id).ok_or(Refusal::NoSuchGroup)?;
        let session = match joiner {
            Joiner::Anonymous => None,
            Joiner::User(session) => {
                if let Some(key) = self.key_in(session, number) {
                    return Ok(key.to_owned());
                }
                self.make_space_for(session)?;
                Some(session.to_owned())
            }
        };
        let user = session.as_deref().and_then(|s| self.sessions.get(s));
        let user = user.map(|session| session.user.as_str());
        let group = self.groups.get(&number).ok_or(Refusal::NoSuchGroup)?;
        let admitted = group.admits(user);
        if !admitted {
            let session = session.as_deref().ok_or(Refusal::MembersOnly)?;
            self.stop_waiting_elsewhere(session);
        }
        let group = self.groups.get_mut(&number).ok_or(Refusal::NoSuchGroup)?;
        if session.is_none() {
            let readers = group.readers.iter().filter_map(|key| self.readers.get(key));
            let anonymous = readers.filter(|reader| reader.session.is_none()).count();
            if anonymous >= self.limits.anonymous_per_group {
                return Err(Refusal::TooManyAnonymous);
            }
        }
        group.readers.insert(fresh.clone());
        group.touched = now.steady;
        if let Some(session) = session.as_deref().and_then(|s| self.sessions.get_mut(s)) {
            session.readers.push(fresh.clone());
        }
        let reader = Reader {
            group: number,
            session,
            from: group.next,
            texts_from: admitted.then_some(group.next),
            seen: now.steady,
            turn: 0,
            bell: Arc::default(),
        };
        self.readers.insert(fresh.clone(), reader);
        Ok(fresh)
    }

    /// Leaves the group that was not read for longest if the user is in too many.
    fn make_space_for(&mut self, tiny_id: &str) -> Result<(), Refusal> {
        let session = self.sessions.get(tiny_id).ok_or(Refusal::NotLoggedIn)?;
        if session.readers.len() < self.limits.groups_per_user {
            return Ok(());
        }
        let seen = |key: &&String| self.readers.get(*key).map(|reader| reader.seen);
        let oldest = session.readers.iter().min_by_key(seen).cloned();
        if let Some(key) = oldest {
            self.drop_reader(&key);
        }
        Ok(())
    }

    /// Leaves the group in which a user waits to become a member: one at a time is enough.
    fn stop_waiting_elsewhere(&mut self, tiny_id: &str) {
        let keys = self
            .sessions
            .get(tiny_id)
            .map(|session| session.readers.iter());
        let waits = |key: &&String| {
            let reader = self.readers.get(*key);
            reader.is_some_and(|reader| reader.texts_from.is_none())
        };
        let waiting: Vec<_> = keys.into_iter().flatten().filter(waits).cloned().collect();
        self.drop_readers(&waiting);
    }

    /// Tells whose texts a group carries: those of the members of its room, from when they came; `None` =
    /// of everybody in the group.
    pub(crate) fn set_members(&mut self, id: &str, members: Option<HashSet<String>>) {
        let number = self.by_id.get(id);
        let Some(group) = number.and_then(|number| self.groups.get_mut(number)) else {
            return;
        };
        group.members = members;
        for key in &group.readers {
            let Some(reader) = self.readers.get_mut(key) else {
                continue;
            };
            let session = reader.session.as_deref();
            let session = session.and_then(|tiny_id| self.sessions.get(tiny_id));
            let admitted = group.admits(session.map(|session| session.user.as_str()));
            let since = admitted.then(|| reader.texts_from.unwrap_or(group.next));
            reader.texts_from = since;
        }
    }

    /// The user whose key of a group this is; `None` = nobody's, or one without a login.
    pub(crate) fn reader_user(&self, key: &str) -> Option<&str> {
        let session = self.readers.get(key)?.session.as_deref()?;
        Some(&self.sessions.get(session)?.user)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// No such group, or not in it.
    pub(crate) fn quit(&mut self, id: &str, tiny_id: &str) -> Result<(), Refusal> {
        let number = *self.by_id.get(id).ok_or(Refusal::NoSuchGroup)?;
        let key = self.key_in(tiny_id, number).ok_or(Refusal::NotAMember)?;
        let key = key.to_owned();
        self.drop_reader(&key);
        Ok(())
    }

    /// Messages of a group up to number `last`, at most `count`, that somebody in it may see.
    ///
    /// # Errors
    /// No such group, or not in it.
    pub(crate) fn history(
        &self,
        id: &str,
        tiny_id: &str,
        last: u64,
        count: usize,
    ) -> Result<Vec<Arc<Entry>>, Refusal> {
        let number = *self.by_id.get(id).ok_or(Refusal::NoSuchGroup)?;
        let key = self.key_in(tiny_id, number).ok_or(Refusal::NotAMember)?;
        let reader = self.readers.get(key).ok_or(Refusal::NotAMember)?;
        let group = self.groups.get(&number).ok_or(Refusal::NoSuchGroup)?;
        let seen = group.since(reader.from);
        let seen = seen.filter(|entry| entry.seq <= last && reader.sees(entry));
        let mut wanted: Vec<_> = seen.collect();
        let skip = wanted.len().saturating_sub(count.min(self.limits.batch));
        Ok(wanted.split_off(skip))
    }
}
