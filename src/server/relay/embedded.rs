//! The embedded relay itself: listens, turns away clients that are too many, and runs one task per
//! connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{RelayConfig, RelayError};
use super::connection::{Shared, serve};
use super::gate::Anybody;
use super::handle::RelayHandle;
use super::hub::Hub;
use crate::server::clock::Calendar;

/// Longest wait for connections to say goodbye when the relay stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between attempts when the system gives no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Pause between warnings about clients that are turned away.
const FULL_WARNING_EVERY: Duration = Duration::from_secs(10);

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
        let slots = Arc::new(Semaphore::new(self.shared.config.max_connections));
        let connections = TaskTracker::new();
        let mut warned: Option<Instant> = None;
        loop {
            let (socket, peer, tls) = tokio::select! {
                (socket, peer) = accept(&self.listener) => {
                    (socket, peer, self.shared.config.tls.clone())
                }
                (socket, peer) = accept_plain(self.plain.as_ref()) => (socket, peer, None),
                () = stop.cancelled() => break,
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                if warned.is_none_or(|at| at.elapsed() >= FULL_WARNING_EVERY) {
                    warned = Some(Instant::now());
                    let limit = self.shared.config.max_connections;
                    log::warn!(peer:%, limit; "the relay is full, clients are turned away");
                }
                continue;
            };
            let shared = Arc::clone(&self.shared);
            let served = serve(socket, peer, tls, shared, stop.clone());
            connections.spawn(async move {
                served.await;
                drop(slot);
            });
        }
        connections.close();
        if timeout(STOP_TIMEOUT, connections.wait()).await.is_err() {
            log::warn!(left = connections.len(); "relay connections did not close in time");
        }
    }
}

/// Waits for the next client.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                log::warn!(error:%; "the relay cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept_plain(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    match listener {
        Some(listener) => accept(listener).await,
        None => std::future::pending().await,
    }
}
