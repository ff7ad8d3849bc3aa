//! The places at the control socket. Each user of the machine has some of their own, and a
//! caller who says nothing gives way to the next one of the same user: nobody can lock
//! anybody else out, and not even themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Callers of one user at the same time.
const EACH: usize = 8;
/// Callers of all users at the same time; only the service's group may call at all.
const ALL: usize = 64;

#[derive(Debug)]
struct Caller {
    uid: u32,
    /// A request of theirs is being carried out.
    busy: bool,
    gone: CancellationToken,
}

/// Everyone who is connected, in the order of their coming. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Callers(Arc<Mutex<Vec<Caller>>>);

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    callers: Callers,
    gone: CancellationToken,
}

impl Callers {
    /// Gives a user a place; `None` when requests of theirs have all of them.
    pub(super) fn admit(&self, uid: u32) -> Option<Place> {
        let mut callers = self.lock();
        let theirs = callers.iter().filter(|caller| caller.uid == uid).count();
        if theirs >= EACH || callers.len() >= ALL {
            let idle = |caller: &Caller| caller.uid == uid && !caller.busy;
            let oldest = callers.iter().position(idle)?;
            callers.remove(oldest).gone.cancel();
        }
        let gone = CancellationToken::new();
        callers.push(Caller {
            uid,
            busy: false,
            gone: gone.clone(),
        });
        Some(Place {
            callers: self.clone(),
            gone,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Caller>> {
        // No change of the list can be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Completes when another caller has taken the place.
    pub(super) async fn taken(&self) {
        self.gone.cancelled().await;
    }

    /// Notes that a request is being carried out, or that it is done; `false` when the place
    /// was taken before.
    pub(super) fn set_busy(&self, busy: bool) -> bool {
        let mut callers = self.callers.lock();
        let mine = callers.iter_mut().find(|caller| caller.gone == self.gone);
        mine.map(|caller| caller.busy = busy).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.callers
            .lock()
            .retain(|caller| caller.gone != self.gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silent_give_way_and_the_busy_do_not() {
        let callers = Callers::default();
        let places: Vec<_> = (0..EACH).map(|_| callers.admit(1).unwrap()).collect();
        assert!(places[0].set_busy(true));
        let next = callers.admit(1).unwrap();
        assert!(!places[0].gone.is_cancelled() && places[1].gone.is_cancelled());
        assert!(!places[1].set_busy(true), "its place was taken");
        for place in places.iter().skip(2).chain([&next]) {
            place.set_busy(true);
        }
        assert!(callers.admit(1).is_none());
        let other = callers.admit(2).unwrap();
        drop(places);
        assert_eq!(callers.lock().len(), 2);
        drop((next, other));
        assert!(callers.lock().is_empty());
    }

    #[test]
    fn many_users_do_not_take_each_others_places() {
        let callers = Callers::default();
        let places: Vec<_> = (0..ALL as u32)
            .map(|uid| callers.admit(uid).unwrap())
            .collect();
        assert!(callers.admit(1000).is_none());
        assert!(places.iter().all(|place| !place.gone.is_cancelled()));
        assert!(callers.admit(3).is_some(), "takes their own");
    }
}
