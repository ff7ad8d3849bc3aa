//! The embedded RTMP relay: publish and play under `rtmp://host/live/{streamId}`.
//!
//! One task per connection; a publisher's task puts media straight into the bounded queues
//! of its players. In production nginx-rtmp, SRS or a CDN takes its place ([`external`]).

mod cache;
mod chunk_reader;
mod chunk_writer;
mod command;
mod connection;
mod external;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod hub;
mod media;
mod message;
mod probe;
mod publisher;
mod queue;
mod session;
mod socket;
mod status;
mod transport;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::tls::ServerTls;

use cache::CacheLimits;
use connection::Shared;
pub use external::{ExternalError, ExternalRelay};
use hub::{Hub, HubLimits};
pub use probe::{StreamProbe, StreamState};
use queue::QueueLimits;
pub use status::{PlayerStatus, PublisherStatus, StreamStatus};

/// How the relay behaves. [`RelayConfig::default`] serves anybody on loopback.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Default 127.0.0.1:1935.
    pub listen: SocketAddr,
    /// RTMPS at `listen`; `None` (default) = plain RTMP.
    pub tls: Option<ServerTls>,
    /// Plain RTMP at another address besides. Default: none.
    pub plain_listen: Option<SocketAddr>,
    /// The one application served: `live`.
    pub app: String,
    /// Key of `txSecret`; `None` (default) serves URLs without signature.
    pub push_key: Option<SecretString>,
    /// Players need a signature too, as their URLs come signed from the room server. Default.
    pub signed_play: bool,
    /// A late player gets the pictures since the last key frame at once. Default.
    pub gop_cache: bool,
    /// Default 4 MiB: ten seconds at 3 Mbit/s. A longer GOP is not cached.
    pub gop_cache_bytes: usize,
    /// Default 10 s of media time, above the longest GOP that encoders make by default.
    pub gop_cache_time: Duration,
    /// Further clients are turned away. Default 256.
    pub max_connections: usize,
    /// Streams published or waited for. Default 128.
    pub max_streams: usize,
    /// Longest message of a publisher. Default 4 MiB, far above any single picture.
    pub max_message_bytes: usize,
    /// What may wait for one player before it loses GOPs, beside the burst it starts with.
    /// Default 4 MiB.
    pub player_queue_bytes: usize,
    /// How long the oldest message may wait for a player before it loses GOPs. Default 3 s.
    pub player_queue_time: Duration,
    /// How long a player waits for a publisher to come, or to come back. Default 60 s.
    pub player_patience: Duration,
    /// From the TCP connection to an accepted publish or play. Default 5 s.
    pub handshake_timeout: Duration,
    /// A publisher that sends nothing for so long is disconnected. Default 10 s.
    pub idle_timeout: Duration,
    /// A publisher silent for longer is replaced by a new one at once. Default 2 s: the old
    /// connection of a kiosk whose network changed must not keep it out.
    pub publisher_stale: Duration,
    /// A client that reads nothing for so long is disconnected. Default 30 s.
    pub write_timeout: Duration,
    /// Kernel send buffer per connection (`SO_SNDBUF`). Default 64 KiB: large enough for
    /// 2.5 Mbit/s at 200 ms, small enough not to hide seconds of delay.
    pub send_buffer_bytes: u32,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 1935)),
            tls: None,
            plain_listen: None,
            app: "live".to_owned(),
            push_key: None,
            signed_play: true,
            gop_cache: true,
            gop_cache_bytes: 4 << 20,
            gop_cache_time: Duration::from_secs(10),
            max_connections: 256,
            max_streams: 128,
            max_message_bytes: 4 << 20,
            player_queue_bytes: 4 << 20,
            player_queue_time: Duration::from_secs(3),
            player_patience: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(10),
            publisher_stale: Duration::from_secs(2),
            write_timeout: Duration::from_secs(30),
            send_buffer_bytes: 64 << 10,
        }
    }
}

/// Why the relay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("relay cannot listen on {addr}: {source}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("relay config: `{field}` is {value}, must be {wanted}")]
    Config {
        field: &'static str,
        value: String,
        wanted: String,
    },
}

/// Unix seconds; injected, so that tests choose when a signature expires.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What stopping waits for connections to say goodbye.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Between attempts when the system gives no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Between warnings about clients turned away.
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
        let clock = Clock(Arc::new(unix_now));
        Ok(Self {
            listener,
            plain: plain.transpose()?,
            local_addr,
            shared: Arc::new(Shared { config, clock, hub }),
        })
    }

    /// Where it listens: the port is known here even if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Of stream URLs.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.shared.config.tls {
            Some(_) => "rtmps",
            None => "rtmp",
        }
    }

    /// Where plain RTMP is served besides RTMPS.
    #[must_use]
    pub fn plain_addr(&self) -> Option<SocketAddr> {
        self.plain.as_ref()?.local_addr().ok()
    }

    /// Status and control from elsewhere, also while it runs.
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
                    log::warn!(peer:%, limit; "relay is full, clients are turned away");
                }
                continue;
            };
            let shared = Arc::clone(&self.shared);
            let served = connection::serve(socket, peer, tls, shared, stop.clone());
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

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                log::warn!(error:%; "relay cannot accept a connection");
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

impl RelayConfig {
    fn check(&self) -> Result<(), RelayError> {
        let error = |field, value: &dyn ToString, wanted: String| {
            let value = value.to_string();
            Err(RelayError::Config {
                field,
                value,
                wanted,
            })
        };
        if self.app.is_empty() || self.app.contains(['/', '?']) {
            return error("app", &self.app, "a name without `/` and `?`".to_owned());
        }
        if !(64 << 10..16 << 20).contains(&self.max_message_bytes) {
            let wanted = "64 KiB to below 16 MiB".to_owned();
            return error("max_message_bytes", &self.max_message_bytes, wanted);
        }
        Ok(())
    }

    /// The send buffer is set here because accepted sockets inherit it.
    fn listener(&self, addr: SocketAddr) -> Result<TcpListener, RelayError> {
        let listener = || {
            let socket = match addr {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.set_reuseaddr(true)?;
            socket.set_send_buffer_size(self.send_buffer_bytes)?;
            socket.bind(addr)?;
            socket.listen(128)
        };
        listener().map_err(|source| RelayError::Listen { addr, source })
    }

    fn hub_limits(&self) -> HubLimits {
        HubLimits {
            streams: self.max_streams,
            cache: CacheLimits {
                gop: self.gop_cache,
                bytes: self.gop_cache_bytes,
                time: self.gop_cache_time,
            },
            queue: QueueLimits {
                bytes: self.player_queue_bytes,
                time: self.player_queue_time,
            },
            publisher_stale: self.publisher_stale,
        }
    }
}

/// Asks and commands a relay.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    hub: Arc<Hub>,
}

impl RelayHandle {
    /// A stream that is published or waited for.
    #[must_use]
    pub fn stream(&self, id: &str) -> Option<StreamStatus> {
        self.hub.status(id)
    }

    /// All streams, by id.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.hub.statuses()
    }

    /// Disconnects a stream's publisher and players; `false` if there is no such stream.
    #[must_use]
    pub fn kick(&self, id: &str) -> bool {
        self.hub.kick(id)
    }
}
