//! Settings of the embedded relay, and the bounds and sockets that follow from them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use super::cache::CacheLimits;
use super::gate::Gate;
use super::hub::HubLimits;
use super::queue::QueueLimits;
use crate::server::budget::Budget;
use crate::tls::ServerTls;

/// Settings of the relay. [`RelayConfig::default`] serves anybody on loopback.
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
    /// The say over who publishes and plays. `None` (default) = the room server's that starts the
    /// relay, or without one nobody's: everybody may.
    pub gate: Option<Arc<dyn Gate>>,
    /// A late player gets the pictures since the last key frame at once. Default.
    pub gop_cache: bool,
    /// Default 16 MiB: a minute at 2 Mbit/s. A larger GOP is not cached.
    pub gop_cache_bytes: usize,
    /// Further clients are turned away. Default 256.
    pub max_connections: usize,
    /// Streams published or waited for. Default 128.
    pub max_streams: usize,
    /// Memory of all messages on their way from publishers. Default 32 MiB.
    pub receiving: Budget,
    /// Memory of all media that wait for players, and for late ones. Default 128 MiB.
    pub media: Budget,
    /// Longest message of a publisher. Default 4 MiB, far above any single picture.
    pub max_message_bytes: usize,
    /// Bytes that may wait for one player before it loses GOPs, beside the burst it starts with.
    /// Default 4 MiB.
    pub player_queue_bytes: usize,
    /// Longest wait of a message for a player before it loses GOPs. Default 3 s.
    pub player_queue_time: Duration,
    /// Longest wait of a player for a publisher to come, or to come back. Default 60 s.
    pub player_patience: Duration,
    /// Longest time from the TCP connection to an accepted publish or play. Default 5 s.
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
            gate: None,
            gop_cache: true,
            gop_cache_bytes: 16 << 20,
            max_connections: 256,
            max_streams: 128,
            receiving: Budget::new(32 << 20),
            media: Budget::new(128 << 20),
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

/// The reason for which the relay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("the relay cannot listen on {addr}: {source}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("relay config: `{field}` is {value}, must be {wanted}")]
    Config {
        field: &'static str,
        value: String,
        wanted: String,
    },
}

impl RelayConfig {
    /// Refuses values that cannot work.
    pub(super) fn check(&self) -> Result<(), RelayError> {
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

    /// Binds an address. The send buffer is set here because accepted sockets inherit it.
    pub(super) fn listener(&self, addr: SocketAddr) -> Result<TcpListener, RelayError> {
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

    pub(super) fn hub_limits(&self) -> HubLimits {
        HubLimits {
            streams: self.max_streams,
            media: self.media.clone(),
            cache: CacheLimits {
                gop: self.gop_cache,
                bytes: self.gop_cache_bytes,
            },
            queue: QueueLimits {
                bytes: self.player_queue_bytes,
                time: self.player_queue_time,
            },
            publisher_stale: self.publisher_stale,
        }
    }
}
