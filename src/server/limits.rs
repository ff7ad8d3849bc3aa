//! Limits of how often somebody may ask: by address and by user, in bounded memory.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Addresses or users that are counted apart; all further ones share one count.
const MAX_KEYS: usize = 50_000;

/// A rate at which something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Long-term average.
    pub per_second: NonZeroU32,
    /// So many at once after a pause.
    pub burst: NonZeroU32,
}

/// One count per key.
#[derive(Debug)]
pub(super) struct Limiter<K: Hash + Eq + Clone> {
    by_key: DefaultKeyedRateLimiter<K>,
    /// The one count of keys beyond [`MAX_KEYS`].
    rest: DefaultDirectRateLimiter,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(super) fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            by_key: RateLimiter::keyed(quota),
            rest: RateLimiter::direct(quota),
        }
    }

    /// Counts one request; `false` = one too many.
    pub(super) fn admits(&self, key: &K) -> bool {
        if self.by_key.len() >= MAX_KEYS {
            return self.rest.check().is_ok();
        }
        self.by_key.check_key(key).is_ok()
    }

    /// Forgets the keys that have been quiet; to be called every few seconds.
    pub(super) fn tidy(&self) {
        self.by_key.retain_recent();
        self.by_key.shrink_to_fit();
    }
}

/// The part of an address that is counted as one: of IPv6 the /64, which a single customer
/// usually has.
pub(super) fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The address that a request comes from. A proxy on this machine is believed when it names
/// the client (the last entry of `X-Forwarded-For` is the one that it wrote itself).
pub(super) fn client_address(peer: IpAddr, forwarded_for: Option<&str>) -> IpAddr {
    let named = || forwarded_for?.rsplit(',').next()?.trim().parse().ok();
    let is_local = peer.to_canonical().is_loopback();
    is_local.then(named).flatten().unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn one_key_cannot_use_up_another() {
        let limiter = Limiter::new(rate(1, 3));
        let admitted = (0..10).filter(|_| limiter.admits(&"a")).count();
        assert_eq!(admitted, 3);
        assert!(limiter.admits(&"b"));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(rate(1, 1));
        for key in 0..MAX_KEYS + 10 {
            limiter.admits(&key);
        }
        assert!(limiter.by_key.len() <= MAX_KEYS);
        assert!(!limiter.admits(&usize::MAX));
    }

    #[test]
    fn addresses_are_those_of_customers() {
        let key = |text: &str| address_key(text.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(key("::ffff:10.0.0.7"), "10.0.0.7");
        let from = |peer: &str, named: &str| {
            client_address(peer.parse().unwrap(), Some(named)).to_string()
        };
        assert_eq!(from("127.0.0.1", "1.2.3.4, 10.0.0.7"), "10.0.0.7");
        assert_eq!(from("127.0.0.1", "nonsense"), "127.0.0.1");
        assert_eq!(from("10.0.0.1", "1.2.3.4"), "10.0.0.1");
    }
}
