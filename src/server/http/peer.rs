//! The client that a request comes from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, header};

use ipnet::IpNet;

use crate::server::limits::{address_key, client_address};
use crate::server::places::Place;

/// Both ends of the connection that a request came by, and its place.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) place: Arc<Place>,
}

/// The address that is counted for a request.
pub(super) fn counted_address(request: &Request, proxies: &[IpNet]) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?.remote.ip();
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    // Several headers are one list.
    let forwarded = forwarded.filter_map(|header| header.to_str().ok());
    let forwarded = (!proxies.is_empty()).then(|| forwarded.collect::<Vec<_>>().join(","));
    let client = client_address(peer, forwarded.as_deref(), proxies);
    Some(address_key(client))
}

/// The text of a header, if it is one.
pub(super) fn header_text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
