//! The user at the other end of a connection.

use std::net::SocketAddr;

/// A user that publishes or plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    /// The user id; empty where the gate knows none.
    pub(super) id: String,
    pub(super) addr: SocketAddr,
}
