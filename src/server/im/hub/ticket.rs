//! Tickets for polls: the next poll of the same session or reader voids them, and a poll asks with
//! its ticket until there is something.

use std::sync::Arc;

use tokio::sync::Notify;

use super::group::Entry;
use super::inbox::Letter;
use super::message_hub::Hub;
use super::refusal::Refusal;
use crate::server::clock::Now;

/// An open poll.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    turn: u64,
    /// Rings when it is worth asking again.
    pub(crate) bell: Arc<Notify>,
}

/// The answer to a reader of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read {
    Messages {
        entries: Vec<Arc<Entry>>,
        /// Number at which the next poll starts.
        next: u64,
        group_id: String,
        group_name: String,
        /// The user that system messages are addressed to; empty without a login.
        user: String,
    },
    Nothing {
        next: u64,
    },
    /// A newer poll took over.
    Replaced {
        next: u64,
    },
}

/// The answer to a user that listens for letters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// Letters, with the number by which all are acknowledged.
    Letters(Vec<Arc<Letter>>, u64),
    Nothing,
    /// A newer poll took over.
    Replaced,
}

impl Hub {
    /// Opens a poll of a group.
    ///
    /// # Errors
    /// The key is nobody's.
    pub(crate) fn start_reading(&mut self, key: &str, now: Now) -> Result<Ticket, Refusal> {
        let reader = self.readers.get_mut(key).ok_or(Refusal::NoSuchReader)?;
        reader.seen = now.steady;
        reader.turn += 1;
        reader.bell.notify_waiters();
        Ok(Ticket {
            turn: reader.turn,
            bell: reader.bell.clone(),
        })
    }

    /// Asks for messages from number `start` on; nobody sees what was before they joined.
    ///
    /// # Errors
    /// The reader is gone.
    pub(crate) fn read(
        &mut self,
        key: &str,
        ticket: &Ticket,
        start: u64,
        now: Now,
    ) -> Result<Read, Refusal> {
        let reader = self.readers.get_mut(key).ok_or(Refusal::NoSuchReader)?;
        let group = self.groups.get(&reader.group);
        let group = group.ok_or(Refusal::NoSuchReader)?;
        let start = start.clamp(reader.from, group.next);
        if reader.turn != ticket.turn {
            return Ok(Read::Replaced { next: start });
        }
        reader.seen = now.steady;
        let entries = group.since(start).filter(|entry| reader.sees(entry));
        let entries: Vec<_> = entries.take(self.limits.batch).collect();
        let Some(last) = entries.last() else {
            return Ok(Read::Nothing { next: start });
        };
        let session = reader.session.as_deref();
        let session = session.and_then(|tiny_id| self.sessions.get(tiny_id));
        Ok(Read::Messages {
            next: last.seq + 1,
            entries,
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            user: session.map_or(String::new(), |session| session.user.clone()),
        })
    }

    /// Begins a poll loop of a session, which ends the former one.
    pub(crate) fn begin_listening(&mut self, tiny_id: &str, poll_id: String) {
        if let Some(session) = self.sessions.get_mut(tiny_id) {
            session.poll_id = Some(poll_id);
            session.bell.notify_waiters();
        }
    }

    /// Opens a poll of the loop `poll_id`.
    ///
    /// # Errors
    /// Not logged in any more, or another loop took over.
    pub(crate) fn start_listening(
        &mut self,
        tiny_id: &str,
        poll_id: &str,
    ) -> Result<Ticket, Refusal> {
        let session = self.sessions.get_mut(tiny_id);
        let session = session.ok_or(Refusal::NotLoggedIn)?;
        if session.poll_id.as_deref() != Some(poll_id) {
            return Err(Refusal::Kicked);
        }
        session.turn += 1;
        session.bell.notify_waiters();
        Ok(Ticket {
            turn: session.turn,
            bell: session.bell.clone(),
        })
    }

    /// Asks for letters after `acknowledged`.
    ///
    /// # Errors
    /// Not logged in any more, or another loop or login took over.
    pub(crate) fn hear(
        &mut self,
        tiny_id: &str,
        poll_id: &str,
        ticket: &Ticket,
        acknowledged: u64,
    ) -> Result<Heard, Refusal> {
        let session = self.sessions.get_mut(tiny_id);
        let session = session.ok_or(Refusal::NotLoggedIn)?;
        if session.kicked || session.poll_id.as_deref() != Some(poll_id) {
            return Err(Refusal::Kicked);
        }
        if session.turn != ticket.turn {
            return Ok(Heard::Replaced);
        }
        let before = session.inbox.bytes();
        session.inbox.acknowledge(acknowledged);
        self.inbox_bytes -= before - session.inbox.bytes();
        let (letters, notice) = session.inbox.offer(self.limits.batch);
        if letters.is_empty() {
            return Ok(Heard::Nothing);
        }
        Ok(Heard::Letters(letters, notice))
    }

    /// Everything that waits for a session, which is thereby received.
    pub(crate) fn fetch(&mut self, tiny_id: &str) -> Vec<Arc<Letter>> {
        let Some(session) = self.sessions.get_mut(tiny_id) else {
            return Vec::new();
        };
        self.inbox_bytes -= session.inbox.bytes();
        let mut inbox = std::mem::take(&mut session.inbox);
        inbox.offer(usize::MAX).0
    }
}
