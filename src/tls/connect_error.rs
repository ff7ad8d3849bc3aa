//! Reasons for which there is no connection to a server: each names the hop that failed.

use std::io;

use super::fault::TlsFault;
use super::proxy_fault::ProxyFault;

/// Reasons for which there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the name {host} cannot be resolved: {source}")]
    Dns { host: String, source: io::Error },
    #[error("cannot connect to {host}:{port}: {source}")]
    Unreachable {
        host: String,
        port: u16,
        source: io::Error,
    },
    #[error(transparent)]
    Proxy(Box<ProxyFault>),
    #[error("no TLS session with {host}:{port}: {fault}")]
    Tls {
        host: String,
        port: u16,
        fault: TlsFault,
    },
}

/// A host without the brackets that an IPv6 address has in a URL.
pub(super) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
