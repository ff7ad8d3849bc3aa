//! Names for exchanges that broke before there was an answer, with the room server or the
//! message service.

use crate::tls::TlsFault;

/// The kind of failure that broke an exchange before there was an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// No whole answer before the deadline.
    Timeout,
    /// The name of the server could not be resolved.
    Dns,
    /// Nothing listens there, or there is no way to it.
    Connect,
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
    pub(super) fn is_about_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Untrusted)
    }

    /// Says it in words, for an exchange with `peer`.
    pub(super) fn with(self, peer: &str) -> String {
        match self {
            Self::Timeout => "no answer in time".into(),
            Self::Dns => format!("{peer}'s name cannot be resolved"),
            Self::Connect => format!("{peer} cannot be connected"),
            Self::Tls => format!("no TLS session with {peer}"),
            Self::Untrusted => format!("{peer} cannot be trusted"),
            Self::NotHttp => {
                format!("{peer} does not speak HTTP at this address (https in place of http?)")
            }
            Self::Broken => format!("the connection to {peer} broke"),
        }
    }

    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_dns() {
            Self::Dns
        } else if let Some(fault) = TlsFault::find(error) {
            match fault.is_distrust() {
                true => Self::Untrusted,
                false => Self::Tls,
            }
        } else if is_no_http(error) {
            Self::NotHttp
        } else if error.is_connect() {
            Self::Connect
        } else {
            Self::Broken
        }
    }
}

/// Describes a failed exchange with `peer`, with the fault of its certificate or its TLS.
pub(super) fn explain(kind: TransportKind, peer: &str, source: Option<&reqwest::Error>) -> String {
    let fault = source.and_then(|error| TlsFault::find(error));
    match fault.filter(|_| kind.is_about_tls()) {
        Some(fault) => format!("{}: {fault}", kind.with(peer)),
        None => kind.with(peer),
    }
}

/// Whether the answer was not HTTP at all.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_parse() && !error.is_parse_too_large())
        {
            return true;
        }
        next = error.source();
    }
    false
}
