//! What the hub may keep, and for how long.

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
    /// What one group keeps for readers between two polls.
    pub(in crate::server::im) history: Store,
    /// Bytes that all groups keep together; above, a group keeps only its last message.
    pub(in crate::server::im) history_total: usize,
    /// What waits for one user.
    pub(in crate::server::im) inbox: Store,
    pub(in crate::server::im) inbox_total: usize,
    /// A reader who does not ask for so long is gone.
    pub(in crate::server::im) reader_idle: Duration,
    pub(in crate::server::im) anonymous_idle: Duration,
    /// A group made through REST that nobody reads or writes for so long is gone.
    pub(in crate::server::im) group_idle: Duration,
    /// Messages and bytes of one answer.
    pub(in crate::server::im) batch: usize,
}

/// Bounds of one queue.
#[derive(Debug, Clone, Copy)]
pub(in crate::server::im) struct Store {
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
            history: Store {
                messages: 200,
                bytes: 128 << 10,
                age: minutes(1),
            },
            history_total: 64 << 20,
            inbox: Store {
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
