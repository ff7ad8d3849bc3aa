//! Asks the system for the addresses of a name: off the workers, with a deadline, and few
//! questions at a time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Time for an answer: glibc asks a silent name server again after 5 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions at a time. Each one without an answer keeps a thread for as long as glibc waits (10 s
/// for one name server), and each stream that wants to come back asks three times a second.
const AT_A_TIME: usize = 32;

/// The way to addresses.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    places: Arc<Semaphore>,
    /// Names of tests, which no system knows.
    #[cfg(test)]
    pub(super) known: Vec<(String, Vec<IpAddr>)>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_A_TIME)),
            #[cfg(test)]
            known: Vec::new(),
        }
    }
}

impl Resolver {
    /// The addresses of a host, which may be an address itself.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        #[cfg(test)]
        if let Some((_, known)) = self.known.iter().find(|(name, _)| name == host) {
            return Ok(known.iter().map(|ip| (*ip, port).into()).collect());
        }
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s");
        let found = timeout(PATIENCE, self.ask(host.to_owned(), port));
        let found = found.await.map_err(late)??;
        if found.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "it has no addresses",
            ));
        }
        Ok(found)
    }

    async fn ask(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| io::Error::other("the resolver has ended"))?;
        let answer = tokio::task::spawn_blocking(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            // Held for as long as the thread, not only for as long as somebody waits.
            drop(place);
            found.map(Iterator::collect)
        });
        answer.await.map_err(io::Error::other)?
    }
}
