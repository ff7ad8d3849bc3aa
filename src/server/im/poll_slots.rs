//! Slots for polls: so many may be open at once, in all, of one user and from one address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All slots.
#[derive(Debug)]
pub(super) struct PollSlots {
    taken: Arc<Mutex<Taken>>,
    total: usize,
    per_address: usize,
}

/// Slots that are taken.
#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    by_user: HashMap<String, usize>,
}

/// One open poll; free again when dropped.
#[derive(Debug)]
pub(super) struct PollSlot {
    taken: Arc<Mutex<Taken>>,
    address: Option<IpAddr>,
    user: Option<String>,
}

/// Polls of one user: of letters and of eight groups, and those of a client that asks again before the
/// last one has ended.
const PER_USER: usize = 16;

impl PollSlots {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self {
            taken: Arc::default(),
            total,
            per_address,
        }
    }

    /// A slot for a poll of `user` from `address`; `None` = there is none.
    pub(super) fn take(&self, address: Option<IpAddr>, user: Option<&str>) -> Option<PollSlot> {
        let mut taken = lock(&self.taken);
        let here = address.and_then(|address| taken.by_address.get(&address));
        let theirs = user.and_then(|user| taken.by_user.get(user));
        let over = |count: Option<&usize>, most| count.is_some_and(|count| *count >= most);
        if taken.total >= self.total || over(here, self.per_address) || over(theirs, PER_USER) {
            return None;
        }
        taken.total += 1;
        if let Some(address) = address {
            *taken.by_address.entry(address).or_default() += 1;
        }
        if let Some(user) = user {
            *taken.by_user.entry(user.to_owned()).or_default() += 1;
        }
        Some(PollSlot {
            taken: self.taken.clone(),
            address,
            user: user.map(str::to_owned),
        })
    }

    /// Polls that are open.
    pub(super) fn taken(&self) -> usize {
        lock(&self.taken).total
    }
}

impl Drop for PollSlot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.total -= 1;
        if let Some(address) = &self.address {
            give_back(&mut taken.by_address, address);
        }
        if let Some(user) = &self.user {
            give_back(&mut taken.by_user, user);
        }
    }
}

fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // Counts cannot be left half changed.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_in_all_and_by_address_and_come_back() {
        let slots = PollSlots::new(3, 2);
        let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().ok());
        let first = slots.take(a, None).unwrap();
        let second = slots.take(a, None).unwrap();
        assert!(slots.take(a, None).is_none());
        let third = slots.take(b, None).unwrap();
        assert!(slots.take(b, None).is_none());
        assert!(slots.take(None, None).is_none());
        drop(first);
        assert!(slots.take(None, None).is_some());
        drop((second, third));
        assert_eq!(slots.taken(), 0);
        assert!(lock(&slots.taken).by_address.is_empty());
    }

    #[test]
    fn one_user_leaves_slots_to_others() {
        let slots = PollSlots::new(100, 100);
        let held: Vec<_> = (0..PER_USER)
            .map(|_| slots.take(None, Some("eve")).unwrap())
            .collect();
        assert!(slots.take(None, Some("eve")).is_none());
        assert!(slots.take(None, Some("bob")).is_some());
        drop(held);
        assert!(lock(&slots.taken).by_user.is_empty());
    }
}
