//! The embedded relay itself: listens, turns away clients that are too many, and runs one task per
//! connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{RelayConfig, RelayError};
use super::connection::{Client, Shared, serve};
use super::gate::Anybody;
use super::handle::RelayHandle;
use super::hub::Hub;
use crate::server::accept::{Acceptor, Told};
use crate::server::clock::Calendar;
use crate::server::places::Places;

/// Longest wait for connections to say goodbye when the relay stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A bound relay, not yet serving.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    plain: Option<TcpListener>,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Relay {
    /// Checks the configuration and binds its address. `unix_now` gives unix seconds.
    ///
    /// # Errors
    /// A value that cannot work, or an address that cannot be bound.
    #[expect(
        clippy::unused_async,
        reason = "needs the runtime's reactor, like all of it"
    )]
    pub async fn bind(
        config: RelayConfig,
        unix_now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, RelayError> {
        config.check()?;
        let addr = config.listen;
        let listener = config.listener(addr)?;
        let plain = config.plain_listen.map(|addr| config.listener(addr));
        let local_addr = listener
            .local_addr()
            .map_err(|source| RelayError::Listen { addr, source })?;
        let hub = Arc::new(Hub::new(config.hub_limits()));
        let calendar = Calendar::new(unix_now);
        Ok(Self {
            listener,
            plain: plain.transpose()?,
            local_addr,
            shared: Arc::new(Shared {
                gate: config.gate.clone().unwrap_or_else(|| Arc::new(Anybody)),
                config,
                calendar,
                hub,
            }),
        })
    }

    /// The address that it listens at, with the port that was found if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The scheme of stream URLs.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.shared.config.tls {
            Some(_) => "rtmps",
            None => "rtmp",
        }
    }

    /// The address of plain RTMP besides RTMPS.
    #[must_use]
    pub fn plain_addr(&self) -> Option<SocketAddr> {
        self.plain.as_ref()?.local_addr().ok()
    }

    /// A handle for status and control from elsewhere, also while it runs.
    #[must_use]
    pub fn handle(&self) -> RelayHandle {
        RelayHandle {
            hub: Arc::clone(&self.shared.hub),
        }
    }

    /// Serves until `stop` is cancelled; then every connection is closed, within 2 s.
    pub async fn run(self, stop: CancellationToken) {
        let places = Places::new(self.shared.config.max_connections);
        let connections = TaskTracker::new();
        let mut full = Told::default();
        let mut listener = Acceptor::new(self.listener, "the relay");
        let mut plain = self.plain.map(|plain| Acceptor::new(plain, "the relay"));
        loop {
            let (socket, peer, tls) = tokio::select! {
                (socket, peer) = listener.next() => {
                    (socket, peer, self.shared.config.tls.clone())
                }
                (socket, peer) = accept_plain(plain.as_mut()) => (socket, peer, None),
                () = stop.cancelled() => break,
            };
            let place = match places.take(peer.ip()) {
                Ok(place) => place,
                Err(reason) => {
                    if let Some(times) = full.again() {
                        log::warn!(peer:%, reason:%, times; "clients of the relay are turned away");
                    }
                    continue;
                }
            };
            let shared = Arc::clone(&self.shared);
            let client = Client {
                socket,
                peer,
                tls,
                place,
            };
            connections.spawn(serve(client, shared, stop.clone()));
        }
        connections.close();
        if timeout(STOP_TIMEOUT, connections.wait()).await.is_err() {
            log::warn!(left = connections.len(); "relay connections did not close in time");
        }
    }
}

async fn accept_plain(listener: Option<&mut Acceptor>) -> (TcpStream, SocketAddr) {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}
