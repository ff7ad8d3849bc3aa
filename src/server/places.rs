//! Places for connections: so many in all, and nobody's share keeps the next one out. A connection proves
//! itself by what only a user can send; one that has not may have to give way.
//!
//! A newcomer that finds no place takes that of an unproven connection, from the address that holds most
//! of them. An address whose connections end unproven too often is not let in for a while.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limits::address_key;

/// Unproven connections of one address: fifty kiosks behind one that all come back at once.
const UNPROVEN: usize = 256;

/// Connections of one user that count as proven.
const PROVEN_OF_USER: usize = 32;

/// Connections of one address that may end unproven at once, and each second after that: a server that
/// was restarted breaks every handshake under way.
const VAIN: f64 = 512.0;
const VAIN_PER_SECOND: f64 = 10.0;

/// Addresses that are kept in any case.
const TIDY: usize = 1024;

/// All places of a listener.
#[derive(Debug, Clone)]
pub(super) struct Places {
    table: Arc<Mutex<Table>>,
    start: Instant,
}

/// The place of one connection; given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Mutex<Table>>,
    start: Instant,
    number: u64,
    proven: AtomicBool,
    evicted: CancellationToken,
}

/// The reason for which a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("all places are taken by proven users")]
    Everywhere,
    #[error("too many connections of this address came to nothing")]
    Here,
}

/// The holders of all places.
#[derive(Debug)]
struct Table {
    total: usize,
    /// Addresses from which on those that have been quiet are forgotten.
    tidy_at: usize,
    next: u64,
    connections: HashMap<u64, Connection>,
    addresses: HashMap<IpAddr, Share>,
    users: HashMap<String, usize>,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    /// The user that it has proven to be of.
    user: Option<String>,
    evicted: CancellationToken,
}

/// The share of an address.
#[derive(Debug, Default)]
struct Share {
    connections: usize,
    /// Numbers of those that are not proven, the oldest first.
    unproven: BTreeSet<u64>,
    /// Connections that came to nothing, less what time has forgiven.
    vain: f64,
    /// Time of the last count of `vain`.
    counted: Duration,
}

impl Share {
    fn forgive(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.counted).as_secs_f64();
        self.vain = (self.vain - seconds * VAIN_PER_SECOND).max(0.0);
        self.counted = now;
    }
}

impl Places {
    /// Places for `total` connections.
    pub(super) fn new(total: usize) -> Self {
        let table = Table {
            total,
            tidy_at: TIDY,
            next: 0,
            connections: HashMap::new(),
            addresses: HashMap::new(),
            users: HashMap::new(),
        };
        Self {
            table: Arc::new(Mutex::new(table)),
            start: Instant::now(),
        }
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// There is none that anybody could give up.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Full> {
        let evicted = CancellationToken::new();
        let now = self.start.elapsed();
        let number = lock(&self.table).take(address_key(address), evicted.clone(), now)?;
        Ok(Place {
            table: self.table.clone(),
            start: self.start,
            number,
            proven: AtomicBool::new(false),
            evicted,
        })
    }
}

impl Place {
    /// Notes that the connection is this user's.
    pub(super) fn prove(&self, user: &str) {
        if !self.proven.load(Ordering::Relaxed) && lock(&self.table).prove(self.number, user) {
            self.proven.store(true, Ordering::Relaxed);
        }
    }

    /// Cancelled when the connection has to give way.
    pub(super) fn evicted(&self) -> &CancellationToken {
        &self.evicted
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.table).leave(self.number, self.start.elapsed());
    }
}

impl Table {
    fn take(
        &mut self,
        address: IpAddr,
        evicted: CancellationToken,
        now: Duration,
    ) -> Result<u64, Full> {
        if self.addresses.len() >= self.tidy_at {
            self.tidy(now);
        }
        let share = self.addresses.entry(address).or_default();
        share.forgive(now);
        if share.vain >= VAIN {
            return Err(Full::Here);
        }
        if share.unproven.len() >= UNPROVEN {
            self.evict(address, now);
        }
        if self.connections.len() >= self.total {
            let fullest = self.fullest().ok_or(Full::Everywhere)?;
            self.evict(fullest, now);
        }
        let number = self.next;
        self.next += 1;
        let share = self.addresses.entry(address).or_default();
        share.connections += 1;
        share.unproven.insert(number);
        let connection = Connection {
            address,
            user: None,
            evicted,
        };
        self.connections.insert(number, connection);
        Ok(number)
    }

    /// Forgets addresses that have been quiet.
    fn tidy(&mut self, now: Duration) {
        self.addresses.retain(|_, share| {
            share.forgive(now);
            share.connections > 0 || share.vain > 0.0
        });
        self.tidy_at = TIDY.max(2 * self.addresses.len());
    }

    /// The address with most unproven connections.
    fn fullest(&self) -> Option<IpAddr> {
        let shares = self.addresses.iter();
        let unproven = shares.filter(|(_, share)| !share.unproven.is_empty());
        unproven
            .max_by_key(|(_, share)| share.unproven.len())
            .map(|(address, _)| *address)
    }

    /// Takes the place of the oldest unproven connection of an address.
    fn evict(&mut self, address: IpAddr, now: Duration) {
        let share = self.addresses.get(&address);
        if let Some(oldest) = share.and_then(|share| share.unproven.first().copied()) {
            if let Some(connection) = self.connections.get(&oldest) {
                connection.evicted.cancel();
            }
            self.leave(oldest, now);
        }
    }

    fn prove(&mut self, number: u64, user: &str) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else {
            return false;
        };
        let count = self.users.entry(user.to_owned()).or_default();
        if connection.user.is_some() || *count >= PROVEN_OF_USER {
            return false;
        }
        *count += 1;
        connection.user = Some(user.to_owned());
        if let Some(share) = self.addresses.get_mut(&connection.address) {
            share.unproven.remove(&number);
        }
        true
    }

    fn leave(&mut self, number: u64, now: Duration) {
        let Some(connection) = self.connections.remove(&number) else {
            return;
        };
        if let Some(share) = self.addresses.get_mut(&connection.address) {
            share.connections -= 1;
            if share.unproven.remove(&number) {
                share.forgive(now);
                share.vain += 1.0;
            }
        }
        let Some(user) = connection.user else {
            return;
        };
        if let Some(count) = self.users.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(&user);
            }
        }
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // Every change is made in one go.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_with_most_unproven_connections_gives_way() {
        let places = Places::new(10);
        let kiosks: Vec<_> = (0..4).map(|_| places.take(address(1)).unwrap()).collect();
        for kiosk in &kiosks {
            kiosk.prove("kiosk");
        }
        let flood: Vec<_> = (0..5).map(|_| places.take(address(2)).unwrap()).collect();
        let other = places.take(address(3)).unwrap();
        let next = places.take(address(1)).unwrap();
        assert!(flood[0].evicted().is_cancelled(), "the oldest of the flood");
        assert!(!other.evicted().is_cancelled() && !next.evicted().is_cancelled());
        // The flood keeps no more than it had, however often it comes.
        let again: Vec<_> = (0..50).map(|_| places.take(address(2)).unwrap()).collect();
        assert_eq!(
            again.iter().filter(|p| !p.evicted().is_cancelled()).count(),
            4
        );
        assert!(
            kiosks
                .iter()
                .chain([&other, &next])
                .all(|p| !p.evicted().is_cancelled())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn proven_users_stay_and_then_nobody_else_gets_in() {
        let places = Places::new(3);
        let users: Vec<_> = (0..3).map(|_| places.take(address(1)).unwrap()).collect();
        for (n, user) in users.iter().enumerate() {
            user.prove(&n.to_string());
        }
        assert_eq!(places.take(address(2)).err(), Some(Full::Everywhere));
        drop(users);
        assert!(places.take(address(2)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_user_proves_a_share_of_connections() {
        let places = Places::new(100);
        let mine: Vec<_> = (0..40).map(|_| places.take(address(1)).unwrap()).collect();
        for place in &mine {
            place.prove("eve");
        }
        let proven = mine
            .iter()
            .filter(|place| place.proven.load(Ordering::Relaxed));
        assert_eq!(proven.count(), PROVEN_OF_USER);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_proves_anything_waits() {
        let places = Places::new(10_000);
        for _ in 0..512 {
            drop(places.take(address(1)).unwrap());
        }
        assert_eq!(places.take(address(1)).err(), Some(Full::Here));
        assert!(places.take(address(2)).is_ok(), "others do not");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(places.take(address(1)).is_ok());
        tokio::time::advance(Duration::from_secs(100)).await;
        let mut table = lock(&places.table);
        table.tidy(places.start.elapsed());
        assert!(table.addresses.is_empty());
        drop(table);
        // Those that prove themselves may come as often as they like.
        for _ in 0..2000 {
            places.take(address(3)).unwrap().prove("kiosk");
        }
        assert!(places.take(address(3)).is_ok());
        assert!(lock(&places.table).users.is_empty());
    }
}
