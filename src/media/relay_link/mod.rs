//! The way to the relay of a stream's URL: straight for `rtmp://` with one address, through a tunnel
//! of our own for all else, so that the same rules hold as everywhere for TLS (see
//! docs/decisions/0010), for proxies and for names with several addresses (0020).

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod link;
mod socket;
mod tc_url;
mod tunnel;

pub(super) use link::{RelayLink, plain_to_tls};
pub(super) use socket::Socket;
