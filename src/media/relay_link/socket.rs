//! The socket over which a stream leaves this machine.

use std::net::SocketAddr;

use tokio::net::TcpStream;

/// The socket over which a stream leaves this machine: to the relay, or to a proxy before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Socket {
    /// The port at its other end.
    pub(crate) port: u16,
    /// Its own address, if it is known.
    pub(crate) local: Option<SocketAddr>,
}

impl Socket {
    pub(super) fn of(stream: &TcpStream) -> Option<Self> {
        Some(Self {
            port: stream.peer_addr().ok()?.port(),
            local: stream.local_addr().ok(),
        })
    }
}
