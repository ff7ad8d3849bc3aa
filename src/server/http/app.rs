//! The things that a request may need, and the bounds within which it is served.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::hooks::RelayHooks;
use crate::server::auth::Auth;
use crate::server::budget::Budget;
use crate::server::clock::Clock;
use crate::server::im::Im;
use crate::server::limits::{Limiter, Rate};
use crate::server::relay::RelayHandle;
use crate::server::rooms::Rooms;
use crate::server::urls::StreamUrls;
use crate::tls::ServerTls;

/// Bounds of the front door.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// HTTPS; `None` = plain HTTP.
    pub tls: Option<ServerTls>,
    /// Web origins that may call; `None` = all.
    pub cors_origins: Option<Vec<String>>,
    /// Longest request body in bytes.
    pub max_body: usize,
    /// Memory for those that are longer than usual.
    pub bodies: Budget,
    /// Longest time from the end of a request's head to the answer, and for a client to take a
    /// piece of it.
    pub request_timeout: Duration,
    /// Longest time for a request's head, and for the pause before it on a connection kept open.
    pub header_timeout: Duration,
    /// Age at which a connection is closed, between two requests.
    pub max_connection_age: Duration,
    pub max_connections: usize,
    /// Networks of proxies that are believed about their clients.
    pub trusted_proxies: Vec<IpNet>,
    /// Time that open requests get to finish when the server stops.
    pub shutdown_timeout: Duration,
    pub per_address: Rate,
    pub per_user: Rate,
}

/// Everything that a request may need.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) im: Arc<Im>,
    pub(crate) urls: StreamUrls,
    pub(crate) clock: Clock,
    pub(super) http: HttpSettings,
    /// An external relay that asks.
    pub(super) hooks: Option<RelayHooks>,
    /// The embedded relay.
    relay: Option<RelayHandle>,
    pub(super) by_address: Limiter<IpAddr>,
    pub(super) by_user: Limiter<String>,
}

impl App {
    pub(crate) fn new(
        rooms: Arc<Rooms>,
        auth: Arc<Auth>,
        im: Arc<Im>,
        urls: StreamUrls,
        clock: Clock,
        http: HttpSettings,
    ) -> Self {
        Self {
            hooks: None,
            relay: None,
            by_address: Limiter::new(http.per_address),
            by_user: Limiter::new(http.per_user),
            rooms,
            auth,
            im,
            urls,
            clock,
            http,
        }
    }

    /// The same, with an external relay that asks.
    pub(crate) fn with_hooks(self, hooks: Option<RelayHooks>) -> Self {
        Self { hooks, ..self }
    }

    /// The same, beside an embedded relay.
    pub(crate) fn with_relay(self, relay: Option<RelayHandle>) -> Self {
        Self { relay, ..self }
    }

    /// Whether a stream is known to run at this moment.
    pub(super) fn runs(&self, stream: &str) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.runs(stream))
    }

    /// Frees the memory of clients that have been quiet; to be called every few seconds.
    pub(crate) fn tidy(&self) {
        self.by_address.tidy();
        self.by_user.tidy();
        self.im.tidy();
    }
}
