//! The client that a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, header};

use crate::server::limits::{address_key, client_address};

/// Both ends of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

/// The address that is counted for a request.
pub(super) fn counted_address(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?.remote.ip();
    let forwarded = header_text(request.headers(), "x-forwarded-for");
    Some(address_key(client_address(peer, forwarded)))
}

/// The text of a header, if it is one.
pub(super) fn header_text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
