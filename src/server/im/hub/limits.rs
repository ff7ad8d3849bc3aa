//! Bounds of what the hub keeps, in number, bytes and time.

use std::time::Duration;

/// Bounds of the hub's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Users logged in at once; with more, the login that ends first ends now.
    pub(crate) sessions: usize,
    /// Groups made through REST; those of our own rooms are bounded by the rooms.
    pub(crate) foreign_groups: usize,
    /// Groups that a user can be in; the one unread for longest is left.
    pub(crate) groups_per_user: usize,
    /// Readers without a login in one group.
    pub(crate) anonymous_per_group: usize,
    /// The messages that one group keeps for readers between two polls.
    pub(crate) history: QueueBounds,
    /// Bytes that all groups keep together; above, a group keeps only its last message.
    pub(crate) history_total: usize,
    /// The letters that wait for one user.
    pub(crate) inbox: QueueBounds,
    /// Bytes of all letters that wait.
    pub(crate) inbox_total: usize,
    /// A reader that does not ask for so long is gone.
    pub(crate) reader_idle: Duration,
    /// The same for a reader without a login.
    pub(crate) anonymous_idle: Duration,
    /// A group made through REST that nobody reads or writes for so long is gone.
    pub(crate) group_idle: Duration,
    /// Messages of one answer.
    pub(crate) batch: usize,
}

/// Bounds of one queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueBounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            sessions: 100_000,
            foreign_groups: 10_000,
            groups_per_user: 8,
            anonymous_per_group: 0,
            // A reader on a poor line is back within a minute, or has more to catch up with
            // than messages.
            history: QueueBounds {
                messages: 200,
                bytes: 128 << 10,
                age: minutes(1),
            },
            history_total: 64 << 20,
            inbox: QueueBounds {
                messages: 100,
                bytes: 128 << 10,
                age: minutes(10),
            },
            inbox_total: 64 << 20,
            reader_idle: minutes(10),
            anonymous_idle: minutes(2),
            group_idle: minutes(24 * 60),
            batch: 50,
        }
    }
}
