//! Bounds of what the hub keeps, in number, bytes and time.

use std::time::Duration;

/// Bounds of the hub's memory.
#[derive(Debug, Clone, Copy)]
pub(in crate::server::im) struct Limits {
    /// Users logged in at once; with more, the login that ends first ends now.
    pub(in crate::server::im) sessions: usize,
    /// Groups made through REST; those of our own rooms are bounded by the rooms.
    pub(in crate::server::im) foreign_groups: usize,
    /// Groups that a user can be in; the one unread for longest is left.
    pub(in crate::server::im) groups_per_user: usize,
    /// Readers without a login in one group.
    pub(in crate::server::im) anonymous_per_group: usize,
    /// The messages that one group keeps for readers between two polls.
    pub(in crate::server::im) history: QueueBounds,
    /// Bytes that all groups keep together; above, a group keeps only its last message.
    pub(in crate::server::im) history_total: usize,
    /// The letters that wait for one user.
    pub(in crate::server::im) inbox: QueueBounds,
    /// Bytes of all letters that wait.
    pub(in crate::server::im) inbox_total: usize,
    /// A reader that does not ask for so long is gone.
    pub(in crate::server::im) reader_idle: Duration,
    /// The same for a reader without a login.
    pub(in crate::server::im) anonymous_idle: Duration,
    /// A group made through REST that nobody reads or writes for so long is gone.
    pub(in crate::server::im) group_idle: Duration,
    /// Messages of one answer.
    pub(in crate::server::im) batch: usize,
}

/// Bounds of one queue.
#[derive(Debug, Clone, Copy)]
pub(in crate::server::im) struct QueueBounds {
    pub(in crate::server::im) messages: usize,
    pub(in crate::server::im) bytes: usize,
    pub(in crate::server::im) age: Duration,
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
