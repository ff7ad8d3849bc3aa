//! Trust in others and proof of our own identity: one set of rules for every TLS connection, to
//! the room server, the message service and the relay, and on the server's ports.
//!
//! TLS 1.3 and 1.2 with ephemeral keys: rustls has nothing else. No session is ever resumed, so
//! that each connection has keys of its own.
//!
//! Floors: `date`, `name`, `stamp` and `provider`; `fault`, `trust` and `files`; `verifier`; `client` and
//! `server`; `fuzzing` (ways in for tests).

mod client;
mod date;
mod fault;
#[cfg(feature = "server")]
mod files;
#[cfg(all(any(test, fuzzing), feature = "server"))]
#[doc(hidden)]
pub mod fuzzing;
mod name;
mod provider;
#[cfg(feature = "server")]
mod server;
mod stamp;
mod trust;
mod verifier;

pub use client::{ClientTls, ConnectError, TlsStream, certificate_end, describe};
pub use fault::TlsFault;
#[cfg(feature = "server")]
pub use files::{CertificateError, CertificateFacts, SOON_DAYS};
#[cfg(feature = "server")]
pub use server::{AcceptError, AcceptedStream, ServerTls};
#[cfg(feature = "server")]
pub(crate) use stamp::{Stamp, stamp};
pub use trust::{Pin, Trust, TrustError, TrustSettings};
