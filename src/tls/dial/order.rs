//! Orders the addresses of a name for a race (RFC 8305, section 4), and remembers which of them
//! answered last.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

/// Addresses of one name that are tried: with 250 ms between them more would not fit into the
/// time for all.
const MOST: usize = 8;
/// Names that are remembered; a kiosk connects to three or four.
const NAMES: usize = 32;
/// Time for which an answer counts: RFC 8305 wants it to be forgotten with changes of the
/// network, of which we are not told.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Time for which the addresses of a name are used when no name server answers: a day (our choice).
const OLD: Duration = Duration::from_secs(86_400);

/// The last answers of name servers, and the winners of the last races.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: HashMap<String, (Vec<SocketAddr>, Instant)>,
    winners: HashMap<String, (SocketAddr, Instant)>,
    /// The family that won when both were tried.
    ipv6: Option<(bool, Instant)>,
    /// Machines that gave no answer.
    silent: HashMap<IpAddr, ((), Instant)>,
}

impl Memory {
    /// Puts the addresses of `host` into the order in which they are tried: the one that answered
    /// last, then one of each family in turn, beginning with the family that is known to work, or
    /// with that of the resolver's first address (which follows RFC 6724); at the end those that
    /// gave no answer lately.
    pub(super) fn order(
        &self,
        host: &str,
        mut addresses: Vec<SocketAddr>,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let mut seen = Vec::new();
        addresses.retain(|address| {
            let new = !seen.contains(address);
            seen.push(*address);
            new
        });
        let fresh = |at: Instant| now.saturating_duration_since(at) < REMEMBERED;
        let resolvers = addresses.first().is_some_and(SocketAddr::is_ipv6);
        let family = self.ipv6.filter(|(_, at)| fresh(*at));
        let ipv6 = family.map_or(resolvers, |(ipv6, _)| ipv6);
        let mut ordered = in_turn(addresses, ipv6);
        ordered.sort_by_key(|address| self.is_doubtful(*address, now));
        let winner = self.winners.get(host).filter(|(_, at)| fresh(*at));
        // The port may be another one: what is known is that the machine can be reached.
        let at = winner
            .and_then(|(winner, _)| ordered.iter().position(|other| other.ip() == winner.ip()));
        if let Some(at) = at {
            ordered[..=at].rotate_right(1);
        }
        ordered.truncate(MOST);
        ordered
    }

    /// Notes the winner among the addresses that were tried.
    pub(super) fn note(
        &mut self,
        host: &str,
        winner: SocketAddr,
        tried: &[SocketAddr],
        now: Instant,
    ) {
        self.silent.remove(&winner.ip());
        if tried
            .iter()
            .any(|other| other.is_ipv6() != winner.is_ipv6())
        {
            self.ipv6 = Some((winner.is_ipv6(), now));
        }
        keep(&mut self.winners, host.to_owned(), (winner, now));
    }

    /// Notes addresses that gave no answer.
    pub(super) fn note_silent(&mut self, addresses: &[SocketAddr], now: Instant) {
        for address in addresses {
            keep(&mut self.silent, address.ip(), ((), now));
        }
    }

    /// Whether an address gave no answer lately.
    pub(super) fn is_doubtful(&self, address: SocketAddr, now: Instant) -> bool {
        let noted = self.silent.get(&address.ip());
        noted.is_some_and(|((), at)| now.saturating_duration_since(*at) < REMEMBERED)
    }

    /// Keeps the addresses of a name for the time when no name server answers.
    pub(super) fn learn(&mut self, host: &str, addresses: &[SocketAddr], now: Instant) {
        keep(&mut self.known, host.to_owned(), (addresses.to_vec(), now));
    }

    /// The addresses that a name had when it was last resolved.
    pub(super) fn known(&self, host: &str, port: u16, now: Instant) -> Option<Vec<SocketAddr>> {
        let (addresses, at) = self.known.get(host)?;
        let fresh = now.saturating_duration_since(*at) < OLD;
        let to_port = |address: &SocketAddr| (address.ip(), port).into();
        fresh.then(|| addresses.iter().map(to_port).collect())
    }
}

/// Keeps a value for a key; the oldest makes place for it.
fn keep<K: Hash + Eq + Clone, T>(map: &mut HashMap<K, (T, Instant)>, key: K, value: (T, Instant)) {
    if map.len() >= NAMES && !map.contains_key(&key) {
        let oldest = map.iter().min_by_key(|(_, (_, at))| *at);
        if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
            map.remove(&oldest);
        }
    }
    map.insert(key, value);
}

/// One of each family in turn, each family in its own order.
fn in_turn(addresses: Vec<SocketAddr>, ipv6_first: bool) -> Vec<SocketAddr> {
    let (first, second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == ipv6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 443).into()
    }

    fn six(last: u16) -> SocketAddr {
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 443).into()
    }

    #[test]
    fn families_take_turns() {
        let now = Instant::now();
        let order = |addresses: &[SocketAddr]| Memory::default().order("h", addresses.into(), now);
        for (given, wanted) in [
            (vec![], vec![]),
            (vec![four(1), four(1)], vec![four(1)]),
            (
                vec![six(1), six(2), six(3), four(1), four(2)],
                vec![six(1), four(1), six(2), four(2), six(3)],
            ),
            (
                vec![four(1), four(2), six(1)],
                vec![four(1), six(1), four(2)],
            ),
        ] {
            assert_eq!(order(&given), wanted);
        }
        let many: Vec<_> = (0..100).map(four).collect();
        assert_eq!(order(&many).len(), MOST);
    }

    #[test]
    fn the_last_winner_comes_first_for_a_while() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let all = vec![six(1), four(1), four(2)];
        let mut memory = Memory::default();
        memory.note("h", four(2), &[six(1), four(1), four(2)], start);
        let wanted = vec![four(2), four(1), six(1)];
        assert_eq!(memory.order("h", all.clone(), at(599)), wanted);
        // Other names have a family that works.
        let wanted = vec![four(1), six(1), four(2)];
        assert_eq!(memory.order("other", all.clone(), at(599)), wanted);
        let wanted = vec![six(1), four(1), four(2)];
        assert_eq!(memory.order("h", all, at(600)), wanted);
        // An address that the name has no more.
        assert_eq!(memory.order("h", vec![four(7)], at(1)), [four(7)]);
    }

    #[test]
    fn a_winner_without_a_rival_says_nothing_of_its_family() {
        let now = Instant::now();
        let mut memory = Memory::default();
        memory.note("h", four(1), &[four(1)], now);
        let all = vec![six(1), four(2)];
        assert_eq!(memory.order("other", all.clone(), now), all);
    }

    #[test]
    fn silence_is_remembered_until_there_is_an_answer() {
        let start = Instant::now();
        let mut memory = Memory::default();
        memory.note_silent(&[four(1), four(2)], start);
        memory.note("h", four(2), &[four(2)], start);
        assert_eq!(
            memory.order("o", vec![four(1), four(3)], start),
            [four(3), four(1)]
        );
        let doubtful = |last, at| memory.is_doubtful(four(last), start + Duration::from_secs(at));
        assert_eq!(
            [doubtful(1, 599), doubtful(1, 600), doubtful(2, 1)],
            [true, false, false]
        );
    }

    #[test]
    fn addresses_are_known_for_a_day() {
        let start = Instant::now();
        let mut memory = Memory::default();
        memory.learn("h", &[four(1)], start);
        let at = |seconds| memory.known("h", 1935, start + Duration::from_secs(seconds));
        assert_eq!(at(86_399), Some(vec![([192, 0, 2, 1], 1935).into()]));
        assert_eq!(at(86_400), None);
        assert_eq!(memory.known("other", 443, start), None);
    }

    #[test]
    fn few_names_are_remembered() {
        let start = Instant::now();
        let mut memory = Memory::default();
        for n in 0..100 {
            let name = format!("h{n}");
            memory.note(&name, four(2), &[four(2)], start + Duration::from_secs(n));
        }
        assert_eq!(memory.winners.len(), NAMES);
        let order = |name| memory.order(name, vec![four(1), four(2)], start);
        assert_eq!(order("h99"), [four(2), four(1)]);
        assert_eq!(order("h0"), [four(1), four(2)]);
    }
}
