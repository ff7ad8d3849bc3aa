//! Names for exchanges that broke before there was an answer, with the room server or the
//! message service.

use crate::tls::{ConnectError, HttpError, NoConnection, TlsFault};

/// The kind of failure that broke an exchange before there was an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// No whole answer before the deadline.
    Timeout,
    /// The name of the server could not be resolved.
    Dns,
    /// Nothing listens there, or there is no way to it.
    Connect,
    /// The proxy cannot be reached, or does not let us through.
    Proxy,
    /// No TLS session.
    Tls,
    /// The server could not prove its identity: an untrusted certificate, or a wrong clock.
    Untrusted,
    /// The answer was not HTTP: a port for TLS, or for something else.
    NotHttp,
    /// The connection ended in the middle.
    Broken,
}

impl std::fmt::Display for TransportKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.with("the room server"))
    }
}

impl TransportKind {
    /// Whether more than the kind is known, which people need to mend it.
    pub(super) fn is_explained(self) -> bool {
        matches!(self, Self::Proxy | Self::Tls | Self::Untrusted)
    }

    /// Says it in words, for an exchange with `peer`.
    pub(super) fn with(self, peer: &str) -> String {
        match self {
            Self::Timeout => "no answer in time".into(),
            Self::Dns => format!("{peer}'s name cannot be resolved"),
            Self::Connect => format!("{peer} cannot be connected"),
            Self::Proxy => format!("{peer} cannot be reached through the proxy"),
            Self::Tls => format!("no TLS session with {peer}"),
            Self::Untrusted => format!("{peer} cannot be trusted"),
            Self::NotHttp => {
                format!("{peer} does not speak HTTP at this address (https in place of http?)")
            }
            Self::Broken => format!("the connection to {peer} broke"),
        }
    }

    pub(super) fn of(error: &HttpError) -> Self {
        match error.no_connection() {
            Some(NoConnection::Late { .. }) => Self::Timeout,
            Some(NoConnection::Failed(failed)) => Self::of_connect(failed),
            None if error.is_no_http() => Self::NotHttp,
            None => match TlsFault::find(error) {
                Some(fault) => Self::of_tls(&fault),
                None => Self::Broken,
            },
        }
    }

    fn of_connect(error: &ConnectError) -> Self {
        match error {
            ConnectError::Dns { .. } => Self::Dns,
            ConnectError::Unreachable { source, .. } => match source.kind() {
                std::io::ErrorKind::TimedOut => Self::Timeout,
                _ => Self::Connect,
            },
            ConnectError::Proxy(_) => Self::Proxy,
            ConnectError::Tls { fault, .. } => Self::of_tls(fault),
        }
    }

    fn of_tls(fault: &TlsFault) -> Self {
        match fault.is_distrust() {
            true => Self::Untrusted,
            false => Self::Tls,
        }
    }
}

/// Describes a failed exchange with `peer`, with what is known of the proxy, of its certificate or
/// its TLS.
pub(super) fn explain(kind: TransportKind, peer: &str, source: Option<&HttpError>) -> String {
    let no_connection = source.and_then(HttpError::no_connection);
    let detail = match no_connection {
        Some(NoConnection::Failed(ConnectError::Proxy(fault))) => Some(fault.to_string()),
        Some(NoConnection::Failed(ConnectError::Tls { fault, .. })) => Some(fault.to_string()),
        Some(late @ NoConnection::Late { proxy: Some(_), .. }) => Some(late.to_string()),
        _ => source
            .and_then(|error| TlsFault::find(error))
            .map(|fault| fault.to_string()),
    };
    match detail {
        Some(detail) => format!("{}: {detail}", kind.with(peer)),
        None => kind.with(peer),
    }
}
