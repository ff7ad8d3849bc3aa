//! The handle by which others ask and command a room server.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::http::App;
use super::relay::RelayHandle;
use super::rooms::{Occupancy, RoomEvent};
use crate::tls::ServerTls;

/// Asks and commands a room server, also while it runs.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    pub(super) app: Arc<App>,
    pub(super) relay: Option<RelayHandle>,
    pub(super) tls: Option<ServerTls>,
}

/// Numbers of what a room server does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ServerStats {
    #[serde(flatten)]
    pub occupancy: Occupancy,
    /// Users that are logged in.
    pub sessions: usize,
    /// Users that are logged in for messages.
    pub message_sessions: usize,
    /// Polls that are held for them.
    pub polls: usize,
    /// Streams of the embedded relay; `None` with an external one.
    pub streams: Option<usize>,
}

impl ServerHandle {
    /// Counts what the server does at the moment.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        ServerStats {
            occupancy: self.app.rooms.occupancy(),
            sessions: self.app.auth.sessions_open(),
            message_sessions: self.app.im.sessions_open(),
            polls: self.app.im.polls_held(),
            streams: self.relay.as_ref().map(|relay| relay.streams().len()),
        }
    }

    /// Subscribes to everything that happens to rooms from now on.
    #[must_use]
    pub fn room_events(&self) -> broadcast::Receiver<RoomEvent> {
        self.app.rooms.subscribe()
    }

    /// Reads the certificate and its key from their files again, if there are any.
    pub fn reload_certificate(&self) {
        match &self.tls {
            Some(tls) => tls.reload(),
            None => log::info!("there is no certificate to read again"),
        }
    }

    /// The handle of the embedded relay.
    #[must_use]
    pub fn relay(&self) -> Option<&RelayHandle> {
        self.relay.as_ref()
    }
}
