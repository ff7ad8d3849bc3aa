//! One group: its messages, numbered from 1 in the order in which they came, and the keys of
//! its readers. Readers that fall behind what is kept go on with what is left.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::limits::QueueBounds;
use crate::protocol::webim::Element;
use crate::server::clock::Now;

/// The maker of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A room of this server.
    Room,
    /// A room server that speaks REST.
    Foreign,
}

/// A thing that was posted to a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Posted {
    Message(Message),
    /// A notice of the server, for everybody in the room.
    Notice {
        operator: String,
        content: String,
    },
    Dissolved {
        operator: String,
    },
}

/// A member's message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) from: String,
    pub(crate) random: u64,
    /// The priority as received: 1 first, 2 common, 3 last.
    pub(crate) priority: u64,
    pub(crate) body: Vec<Element>,
    /// Bytes of `body` as JSON.
    pub(crate) size: usize,
}

/// A posted message with its number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    /// Unix seconds.
    pub(crate) time: u64,
    pub(crate) what: Posted,
    /// [`Now::steady`] of the posting.
    at: Duration,
}

impl Entry {
    fn size(&self) -> usize {
        size_of::<Self>()
            + match &self.what {
                Posted::Message(message) => message.from.len() + message.size,
                Posted::Notice { operator, content } => operator.len() + content.len(),
                Posted::Dissolved { operator } => operator.len(),
            }
    }
}

/// A group, and what it keeps.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) origin: Origin,
    /// The members of the room; only they read and write texts. `None` = everybody in the group does.
    pub(super) members: Option<HashSet<String>>,
    /// Dissolved, and kept for those that have not yet heard.
    pub(super) closed: bool,
    /// Keys of the readers.
    pub(super) readers: HashSet<String>,
    /// Number of the next message.
    pub(super) next: u64,
    /// Bytes of all messages kept.
    pub(super) bytes: usize,
    /// [`Now::steady`] of the last message or joining.
    pub(super) touched: Duration,
    history: VecDeque<Arc<Entry>>,
}

impl Group {
    pub(super) fn new(id: &str, name: &str, owner: &str, origin: Origin, now: Now) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            origin,
            members: None,
            closed: false,
            readers: HashSet::new(),
            next: 1,
            bytes: 0,
            touched: now.steady,
            history: VecDeque::new(),
        }
    }

    /// Whether a user reads and writes texts; `None` = somebody without a login.
    pub(super) fn admits(&self, user: Option<&str>) -> bool {
        match &self.members {
            None => true,
            Some(members) => user.is_some_and(|user| members.contains(user)),
        }
    }

    /// Takes a message in, and lets go of what is too much; answers its number.
    pub(super) fn push(&mut self, what: Posted, limits: &QueueBounds, now: Now) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.touched = now.steady;
        let entry = Entry {
            seq,
            time: now.unix,
            what,
            at: now.steady,
        };
        self.bytes += entry.size();
        self.history.push_back(Arc::new(entry));
        while self.history.len() > 1
            && (self.history.len() > limits.messages || self.bytes > limits.bytes)
        {
            self.drop_first();
        }
        seq
    }

    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        let bytes = self.history.iter().map(|entry| entry.size()).sum();
        (self.history.len(), bytes)
    }

    fn drop_first(&mut self) -> usize {
        let size = self.history.pop_front().map_or(0, |entry| entry.size());
        self.bytes -= size;
        size
    }

    /// Drops all messages but the last; answers the bytes freed.
    pub(super) fn keep_last(&mut self) -> usize {
        let mut freed = 0;
        while self.history.len() > 1 {
            freed += self.drop_first();
        }
        freed
    }

    /// Drops messages that are too old, but not the news that the group is dissolved; answers the bytes freed.
    pub(super) fn drop_old(&mut self, limits: &QueueBounds, now: Now) -> usize {
        let kept = usize::from(self.closed);
        let mut freed = 0;
        while self.history.len() > kept
            && self
                .history
                .front()
                .is_some_and(|entry| now.steady.saturating_sub(entry.at) > limits.age)
        {
            freed += self.drop_first();
        }
        if self.history.is_empty() {
            self.history.shrink_to_fit();
        }
        freed
    }

    /// Messages from number `from` on, oldest first.
    pub(super) fn since(&self, from: u64) -> impl Iterator<Item = Arc<Entry>> {
        let first = self.history.partition_point(|entry| entry.seq < from);
        self.history.range(first..).cloned()
    }
}
