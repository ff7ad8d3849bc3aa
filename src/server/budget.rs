//! Memory that many share: each takes what it needs, and is refused before there is too little for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes for one purpose.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    most: usize,
}

/// The part of a budget that one holder has; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            used: Arc::default(),
            most,
        }
    }

    /// A share with nothing in it yet.
    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// A share of so many bytes; `None` = there are not so many left.
    pub(super) fn take(&self, bytes: usize) -> Option<Share> {
        let mut share = self.share();
        share.set(bytes).then_some(share)
    }

    /// Bytes that are taken.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Whether more than half of the budget is taken.
    pub(super) fn is_scarce(&self) -> bool {
        self.budget.used() > self.budget.most / 2
    }

    /// Takes more, or gives some back; `false` = there are not so many left, and the share is as it was.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes) else {
            self.budget
                .used
                .fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
            return true;
        };
        let most = self.budget.most;
        let take = |used: usize| {
            used.checked_add(more)
                .filter(|used| more == 0 || *used <= most)
        };
        let taken = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_ok() {
            self.bytes = bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The parts of the memory that a server may use, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Rooms with their members' texts: an eighth.
    pub rooms: usize,
    /// Messages that groups keep, and letters that wait: a sixteenth each.
    pub messages: usize,
    pub letters: usize,
    /// Bodies of requests on their way: a sixteenth.
    pub bodies: usize,
    /// RTMP messages on their way from publishers: a sixteenth.
    pub receiving: usize,
    /// Media that wait for players, and for late ones: a quarter.
    pub media: usize,
}

impl Budgets {
    /// Divides the memory. Three eighths are left for connections and the program itself.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self {
            rooms: bytes / 8,
            messages: bytes / 16,
            letters: bytes / 16,
            bodies: bytes / 16,
            receiving: bytes / 16,
            media: bytes / 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_taken_grown_and_given_back() {
        let budget = Budget::new(100);
        let mut first = budget.take(60).unwrap();
        assert!(budget.take(41).is_none());
        let mut second = budget.take(30).unwrap();
        assert!(!second.set(41) && second.set(40));
        assert!(first.set(10) && second.set(90));
        assert_eq!(budget.used(), 100);
        drop(second);
        assert_eq!(budget.used(), 10);
        assert!(!first.is_scarce() && first.set(50) && !first.is_scarce());
        assert!(first.set(51) && first.is_scarce());
        assert!(first.set(0));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_parts_leave_something_for_the_program() {
        let Budgets {
            rooms,
            messages,
            letters,
            bodies,
            receiving,
            media,
        } = Budgets::of(512 << 20);
        let all = rooms + messages + letters + bodies + receiving + media;
        assert_eq!(all, 320 << 20);
    }
}
