//! Readers: the places of users in groups, each with a key that only its holder knows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::group::{Entry, Posted};

/// A user, or somebody without a login, in a group.
#[derive(Debug)]
pub(super) struct Reader {
    /// Number of the group.
    pub(super) group: u64,
    /// The session; `None` = without a login.
    pub(super) session: Option<String>,
    /// Number of the first message that they may see.
    pub(super) from: u64,
    /// Number of the first text that they may see; `None` = the server's notices only.
    pub(super) texts_from: Option<u64>,
    /// [`Now::steady`](crate::server::clock::Now::steady) of the last poll.
    pub(super) seen: Duration,
    /// Number of the newest poll.
    pub(super) turn: u64,
    /// Rings when it is worth asking again.
    pub(super) bell: Arc<Notify>,
}

impl Reader {
    /// Whether this reader sees what was posted.
    pub(super) fn sees(&self, entry: &Entry) -> bool {
        let is_text = matches!(entry.what, Posted::Message(_));
        entry.seq >= self.from && (!is_text || self.texts_from.is_some_and(|n| entry.seq >= n))
    }
}
