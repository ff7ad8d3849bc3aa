//! Connections to others, trust in them and proof of our own identity: one way of connecting and
//! one set of rules for TLS, to the room server, the message service and the relay, and on the
//! server's ports.
//!
//! TLS 1.3 and 1.2 with ephemeral keys: rustls has nothing else. No session is ever resumed, so
//! that each connection has keys of its own.
//!
//! Floors: `date`, `name`, `stamp`, `provider` and `proxy_fault`; `fault`, `trust` and `files`;
//! `connect_error` and `verifier`; `dial` and `passage`; `dialer`; `client` and `server`; `http`;
//! `fuzzing` (ways in for tests).

mod client;
mod connect_error;
mod date;
mod dial;
mod dialer;
mod fault;
#[cfg(feature = "server")]
mod files;
#[cfg(all(any(test, fuzzing), feature = "server"))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod name;
mod passage;
mod provider;
mod proxy_fault;
#[cfg(feature = "server")]
mod server;
mod stamp;
mod trust;
mod verifier;

pub use client::{ClientTls, TlsStream, certificate_end, describe};
pub use connect_error::ConnectError;
pub use dial::Addresses;
pub use dialer::Dialer;
pub use fault::TlsFault;
#[cfg(feature = "server")]
pub use files::{CertificateError, CertificateFacts, SOON_DAYS};
pub use http::{HttpClient, HttpError, NoConnection, chunk};
pub use proxy_fault::{ProxyFault, ProxyRefusal};
#[cfg(feature = "server")]
pub use server::{AcceptError, AcceptedStream, ServerTls};
#[cfg(feature = "server")]
pub(crate) use stamp::{Stamp, stamp};
pub use trust::{Pin, Trust, TrustError, TrustSettings};
