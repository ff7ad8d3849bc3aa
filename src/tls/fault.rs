//! The faults that prevent a TLS session, in words that say what to do about them.

use std::error::Error;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::{date, name};

/// The reason for which there is no TLS session with a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error("its certificate is for {}, not for {wanted}", names(.presented))]
    WrongName {
        wanted: String,
        presented: Vec<String>,
    },
    #[error("its certificate expired at {}; the clock here says {}", date::words(*.until), date::words(*.now))]
    Expired { until: UnixTime, now: UnixTime },
    #[error("its certificate is valid only from {}, but the clock here says {}: {}",
        date::words(*.from), date::words(*.now), clock(*.now))]
    NotYetValid { from: UnixTime, now: UnixTime },
    #[error("its certificate is signed by itself and not trusted here (tls.ca_file)")]
    SelfSigned,
    #[error("its certificate is from {}, which is not trusted here (tls.ca_file)", issuer(.0.as_deref()))]
    UnknownCa(Option<String>),
    #[error("none of the keys that vouch for it is pinned here")]
    NotPinned,
    #[error(
        "no CA certificate is trusted here: the package ca-certificates or tls.ca_file is missing"
    )]
    NoCa,
    #[error("its certificate is not acceptable: {0}")]
    Certificate(String),
    #[error("it does not speak TLS")]
    NotTls,
    #[error("it offers neither TLS 1.3 nor TLS 1.2 with forward secrecy ({0})")]
    Incompatible(String),
    #[error("it ended the handshake with the alert {0}")]
    Rejected(String),
    #[error("it closed the connection instead of a handshake: is this a port for TLS?")]
    Closed,
    #[error("no handshake within {0:?}: is this a port for TLS?")]
    NoAnswer(Duration),
    #[error("{0}")]
    Broken(String),
}

impl TlsFault {
    /// Whether the peer could not prove its identity: asking again soon gives the same answer.
    #[must_use]
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::WrongName { .. }
                | Self::Expired { .. }
                | Self::NotYetValid { .. }
                | Self::SelfSigned
                | Self::UnknownCa(_)
                | Self::NotPinned
                | Self::NoCa
                | Self::Certificate(_)
        )
    }

    /// Finds the TLS fault in a chain of errors, if there is one. An `io::Error` hides the error
    /// that it wraps from `source()`.
    #[must_use]
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = error.downcast_ref::<rustls::Error>() {
                return Some(fault.into());
            }
            next = match error.downcast_ref::<std::io::Error>() {
                // The words of tokio-rustls.
                Some(io) if io.to_string() == "tls handshake eof" => return Some(Self::Closed),
                Some(io) => io.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        None
    }

    /// Finds the fault of a handshake that failed.
    pub(super) fn of_io(error: &std::io::Error) -> Self {
        Self::find(error).unwrap_or_else(|| match error.kind() {
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Broken(error.to_string()),
        })
    }
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => other
                .0
                .downcast_ref::<Self>()
                .cloned()
                .unwrap_or_else(|| Self::Certificate(other.to_string())),
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error.to_string()),
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            rustls::Error::PeerIncompatible(reason) => Self::Incompatible(format!("{reason:?}")),
            rustls::Error::AlertReceived(
                alert @ (AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion
                | AlertDescription::InsufficientSecurity),
            ) => Self::Incompatible(format!("{alert:?}")),
            rustls::Error::AlertReceived(alert) => Self::Rejected(format!("{alert:?}")),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// Maximum number of a certificate's names that are shown.
const SHOWN: usize = 4;

fn names(presented: &[String]) -> String {
    let mut names = presented.to_vec();
    for name in &mut names {
        // webpki writes DnsName("a.example"), IpAddress(127.0.0.1).
        let bare = name.rsplit('(').next().unwrap_or(name);
        *name = name::shown(bare.trim_matches(['"', ')']));
    }
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("others".to_owned());
    }
    match names.as_slice() {
        [] => "no name at all".to_owned(),
        names => names.join(", "),
    }
}

fn issuer(name: Option<&str>) -> String {
    name.map_or_else(|| "a CA".to_owned(), |name| format!("the CA {name:?}"))
}

/// A moment before this program was written, in unix seconds: 1 January 2026.
const BEFORE_PROGRAM: u64 = 1_767_225_600;

fn clock(now: UnixTime) -> &'static str {
    if now.as_secs() < BEFORE_PROGRAM {
        "that clock is wrong, it has not been set since the start"
    } else {
        "is that clock right?"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_clock_that_was_never_set_is_named() {
        let from = at(1_790_000_000);
        let words = |now| TlsFault::NotYetValid { from, now }.to_string();
        let unset = words(at(3600));
        assert!(unset.contains("the clock here says 1970-01-01T01:00:00Z"));
        assert!(unset.contains("that clock is wrong"), "{unset}");
        assert!(words(at(1_789_000_000)).contains("is that clock right?"));
    }

    #[test]
    fn names_are_readable_and_few() {
        let wrong = |presented: &[&str]| {
            let presented = presented.iter().map(|&name| name.to_owned()).collect();
            let wanted = "b.example".to_owned();
            TlsFault::WrongName { wanted, presented }.to_string()
        };
        assert_eq!(
            wrong(&["DnsName(\"a.example\")", "IpAddress(127.0.0.1)"]),
            "its certificate is for a.example, 127.0.0.1, not for b.example"
        );
        assert!(wrong(&[]).contains("no name at all"));
        assert!(wrong(&["a", "b", "c", "d", "e"]).contains("d, others, not"));
    }

    #[test]
    fn faults_are_found_behind_other_errors() {
        let alert = rustls::Error::AlertReceived(AlertDescription::ProtocolVersion);
        let io = std::io::Error::new(std::io::ErrorKind::InvalidData, alert);
        let found = TlsFault::find(&io).expect("is one");
        assert!(matches!(found, TlsFault::Incompatible(_)), "{found:?}");
        assert!(!found.is_distrust());
        let other = std::io::Error::other("disk");
        assert_eq!(TlsFault::find(&other), None);
        assert_eq!(TlsFault::of_io(&other), TlsFault::Broken("disk".to_owned()));
        let reset = std::io::ErrorKind::ConnectionReset.into();
        assert_eq!(TlsFault::of_io(&reset), TlsFault::Closed);
    }
}
