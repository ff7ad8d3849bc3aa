//! A player in the hub: its queue, which the publisher's task fills, and its counters.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::queue::PlayerQueue;
use super::status::PlayerStatus;
use super::user::User;

/// A player of a stream.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) user: User,
    pub(super) cancel: CancellationToken,
    pub(super) queue: Mutex<PlayerQueue>,
    /// The publisher said goodbye and the player has not been told.
    pub(super) ended: AtomicBool,
    pub(super) wake: Notify,
    pub(super) bytes_out: AtomicU64,
}

impl Player {
    pub(super) fn status(&self) -> PlayerStatus {
        let queue = lock(&self.queue);
        PlayerStatus {
            addr: self.user.addr,
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            dropped_gops: queue.dropped_gops(),
            queued_bytes: queue.bytes(),
        }
    }
}

/// A poisoned lock means another task panicked between two assignments: the data is usable.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
