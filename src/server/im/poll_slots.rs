//! Slots for polls: so many may be open at once, in all and from one address.

use std::collections::HashMap;
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
}

/// One open poll; free again when dropped.
#[derive(Debug)]
pub(super) struct PollSlot {
    taken: Arc<Mutex<Taken>>,
    address: Option<IpAddr>,
}

impl PollSlots {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self {
            taken: Arc::default(),
            total,
            per_address,
        }
    }

    /// A slot for a poll from `address`; `None` = there is none.
    pub(super) fn take(&self, address: Option<IpAddr>) -> Option<PollSlot> {
        let mut taken = lock(&self.taken);
        let here = address.map_or(0, |a| taken.by_address.get(&a).copied().unwrap_or(0));
        if taken.total >= self.total || here >= self.per_address {
            return None;
        }
        taken.total += 1;
        if let Some(address) = address {
            taken.by_address.insert(address, here + 1);
        }
        Some(PollSlot {
            taken: self.taken.clone(),
            address,
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
        let Some(address) = self.address else {
            return;
        };
        if let Some(here) = taken.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&address);
            }
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
        let first = slots.take(a).unwrap();
        let second = slots.take(a).unwrap();
        assert!(slots.take(a).is_none());
        let third = slots.take(b).unwrap();
        assert!(slots.take(b).is_none());
        assert!(slots.take(None).is_none());
        drop(first);
        assert!(slots.take(None).is_some());
        drop((second, third));
        assert_eq!(slots.taken(), 0);
        assert!(lock(&slots.taken).by_address.is_empty());
    }
}
