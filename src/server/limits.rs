//! Limits of how often somebody may ask: by address and by user, in bounded memory.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use ipnet::IpNet;

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

/// The address that a request comes from. A proxy that is trusted is believed when it names the client
/// in `X-Forwarded-For`, whose last entry it wrote itself; the next one counts if that is a proxy too.
pub(super) fn client_address(
    peer: IpAddr,
    forwarded_for: Option<&str>,
    proxies: &[IpNet],
) -> IpAddr {
    let mut named = forwarded_for.unwrap_or_default().rsplit(',');
    let mut client = peer.to_canonical();
    while proxies.iter().any(|network| network.contains(&client)) {
        let next = named
            .next()
            .and_then(|name| name.trim().parse::<IpAddr>().ok());
        let Some(next) = next else {
            break;
        };
        client = next.to_canonical();
    }
    client
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
    }

    #[test]
    fn only_trusted_proxies_name_their_clients() {
        let trusted = ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"].map(|text| text.parse().unwrap());
        let from = |peer: &str, named: &str, proxies: &[IpNet]| {
            client_address(peer.parse().unwrap(), Some(named), proxies).to_string()
        };
        assert_eq!(from("127.0.0.1", "1.2.3.4, 10.0.0.7", &trusted), "10.0.0.7");
        assert_eq!(from("127.0.0.1", "1.2.3.4", &[]), "127.0.0.1");
        assert_eq!(from("127.0.0.1", "nonsense", &trusted), "127.0.0.1");
        assert_eq!(from("10.0.0.1", "1.2.3.4", &trusted), "10.0.0.1");
        // The client may write what it likes before the proxies' own entries.
        let chain = "6.6.6.6, 1.2.3.4, 10.1.2.3, fd00::5";
        assert_eq!(from("::ffff:127.0.0.1", chain, &trusted), "1.2.3.4");
        assert_eq!(
            from("127.0.0.1", "1.2.3.4, rubbish, 10.1.2.3", &trusted),
            "10.1.2.3"
        );
        assert_eq!(from("127.0.0.1", ",,,", &trusted), "127.0.0.1");
    }
}
