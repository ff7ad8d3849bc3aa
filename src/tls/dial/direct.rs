//! Connects to a host without anybody in between.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::order::Memory;
use super::race::{Entrant, Race, Step};
use super::resolver::Resolver;
use crate::tls::connect_error::{ConnectError, bare};

/// Time for the addresses of a name that has known ones (our choice).
const SOON: Duration = Duration::from_secs(1);

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// In the order in which they are tried; at least one.
    pub all: Vec<SocketAddr>,
    /// Whether they are those of before, because no name server answers.
    pub old: bool,
}

/// Names, addresses, and what is known of them.
#[derive(Debug, Default)]
pub(in crate::tls) struct Direct {
    pub(super) resolver: Resolver,
    memory: Mutex<Memory>,
}

impl Direct {
    /// The addresses of a host. Old ones serve while no name server answers: with a link its name
    /// servers are gone too.
    pub(in crate::tls) async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Addresses, ConnectError> {
        let name = bare(host);
        let known = self.memory().known(name, port, Instant::now());
        let resolved = self.resolver.resolve(name, port);
        let found = match known {
            None => resolved.await.map(|found| (found, false)),
            Some(known) => Ok(match timeout(SOON, resolved).await {
                Ok(Ok(found)) => (found, false),
                Ok(Err(_)) | Err(_) => (known, true),
            }),
        };
        let (found, old) = found.map_err(|source| ConnectError::Dns {
            host: host.to_owned(),
            source,
        })?;
        let now = Instant::now();
        let mut memory = self.memory();
        if old {
            log::debug!(host; "no name server answers: the addresses of before are tried");
        } else {
            memory.learn(name, &found, now);
        }
        let all = memory.order(name, found, now);
        Ok(Addresses { all, old })
    }

    /// Connects to the first of these addresses of `host` that answers.
    pub(in crate::tls) async fn reach(
        &self,
        host: &str,
        addresses: &[SocketAddr],
    ) -> Result<TcpStream, ConnectError> {
        let entrants = self.entrants(addresses);
        let mut race = Race::new(entrants, Instant::now());
        let ended = run(&mut race).await;
        let now = Instant::now();
        let mut memory = self.memory();
        memory.note_silent(&race.silent(now), now);
        let (stream, at) = ended.map_err(|source| ConnectError::Unreachable {
            host: host.to_owned(),
            port: addresses.first().map_or(0, SocketAddr::port),
            source,
        })?;
        let last = addresses.iter().position(|address| *address == at);
        let tried = last.map_or(addresses, |last| &addresses[..=last]);
        memory.note(bare(host), at, tried, now);
        drop(memory);
        if tried.len() > 1 {
            log::debug!(host, address:% = at; "not the first address answered");
        }
        // RTMP's acknowledgements must not wait for more to send.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!(error:%; "TCP_NODELAY cannot be set");
        }
        Ok(stream)
    }

    fn entrants(&self, addresses: &[SocketAddr]) -> Vec<Entrant> {
        let (memory, now) = (self.memory(), Instant::now());
        let entrant = |&address: &SocketAddr| Entrant {
            address,
            doubtful: memory.is_doubtful(address, now),
        };
        addresses.iter().map(entrant).collect()
    }

    /// A memory is of use even when somebody panicked beside it.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the race; returns the winner and its address.
async fn run(race: &mut Race) -> io::Result<(TcpStream, SocketAddr)> {
    // The others end with the set.
    let mut attempts = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    loop {
        let until = match race.step(Instant::now()) {
            Step::Start(address) => {
                attempts.spawn(async move { (address, TcpStream::connect(address).await) });
                continue;
            }
            Step::Wait(until) => until,
            Step::Lost => return Err(last),
        };
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok((address, Ok(stream))) => return Ok((stream, address)),
                Ok((address, Err(error))) => {
                    last = error;
                    race.failed(address, Instant::now());
                }
                // Nothing in an attempt panics, and nobody else ends it.
                Err(error) => last = io::Error::other(error),
            },
            () = sleep_until(until) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::net::{TcpListener, TcpSocket};

    const DEAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const REFUSING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
    const GOOD: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// An address that swallows what comes: a listener that accepts nothing and whose queue is full.
    #[allow(dead_code, reason = "kept open")]
    struct Swallowing(TcpListener, Vec<TcpStream>);

    impl Swallowing {
        async fn at(address: SocketAddr) -> Self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(address).unwrap();
            let listener = socket.listen(1).unwrap();
            let mut waiting = Vec::new();
            let quick = Duration::from_millis(100);
            while let Ok(taken) = timeout(quick, TcpStream::connect(address)).await {
                waiting.push(taken.unwrap());
                assert!(waiting.len() < 10, "the queue is never full");
            }
            Self(listener, waiting)
        }
    }

    fn direct(known: &[(&str, &[IpAddr])]) -> Direct {
        let mut direct = Direct::default();
        let known = known.iter();
        direct.resolver.known = known
            .map(|(name, to)| ((*name).to_owned(), to.to_vec()))
            .collect();
        direct
    }

    async fn connect(direct: &Direct, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let addresses = direct.addresses(host, port).await?;
        direct.reach(host, &addresses.all).await
    }

    #[tokio::test]
    async fn a_dead_first_address_costs_a_quarter_of_a_second_once() {
        let good = TcpListener::bind((GOOD, 0)).await.unwrap();
        let port = good.local_addr().unwrap().port();
        let _dead = Swallowing::at((DEAD, port).into()).await;
        let direct = direct(&[("relay", &[DEAD, GOOD]), ("other", &[REFUSING, GOOD])]);
        let begun = Instant::now();
        let stream = connect(&direct, "relay", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), GOOD);
        let first = begun.elapsed();
        let (least, most) = (Duration::from_millis(240), Duration::from_millis(400));
        assert!((least..most).contains(&first), "{first:?}");
        // Then it is known, for every port of the name, and refusals cost nothing at all.
        for name in ["relay", "other"] {
            let begun = Instant::now();
            connect(&direct, name, port).await.unwrap();
            assert!(
                begun.elapsed() < Duration::from_millis(100),
                "{name} {:?}",
                begun.elapsed()
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_starts_again_is_not_kept_waiting_by_its_dead_address() {
        let good = TcpListener::bind((GOOD, 0)).await.unwrap();
        let port = good.local_addr().unwrap().port();
        let _dead = Swallowing::at((DEAD, port).into()).await;
        let direct = direct(&[("relay", &[DEAD, GOOD])]);
        connect(&direct, "relay", port).await.unwrap();
        drop(good);
        let begun = Instant::now();
        connect(&direct, "relay", port).await.unwrap_err();
        assert!(
            begun.elapsed() < Duration::from_millis(400),
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test]
    async fn old_addresses_serve_while_no_name_server_answers() {
        let good = TcpListener::bind((GOOD, 0)).await.unwrap();
        let port = good.local_addr().unwrap().port();
        let mut direct = direct(&[("relay.invalid", &[GOOD])]);
        connect(&direct, "relay.invalid", port).await.unwrap();
        direct.resolver.known.clear();
        let found = direct.addresses("relay.invalid", port).await.unwrap();
        let all = vec![(GOOD, port).into()];
        assert_eq!(found, Addresses { all, old: true });
        connect(&direct, "relay.invalid", port).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_named() {
        let free = std::net::TcpListener::bind((GOOD, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let direct = direct(&[("relay", &[REFUSING, GOOD])]);
        let error = connect(&direct, "relay", port)
            .await
            .unwrap_err()
            .to_string();
        let wanted = format!("cannot connect to relay:{port}: Connection refused (os error 111)");
        assert_eq!(error, wanted);
        let error = connect(&direct, "no-such-host.invalid", 1)
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::Dns { .. }), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("the name no-such-host.invalid cannot be")
        );
    }
}
