//! The way to the relay of a stream's URL. The player has a connection of its own (`relay_stream`);
//! GStreamer's element, which pushes, goes straight for `rtmp://` with one address, and through a tunnel
//! of ours for all else, so that the same rules hold as everywhere for TLS (see docs/decisions/0010),
//! for proxies and for names with several addresses (0020).

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod link;
mod relay_stream;
mod socket;
mod tc_url;
mod tunnel;

pub(super) use link::{RelayLink, plain_to_tls};
pub(super) use relay_stream::{RelayStream, Wire};
pub(super) use socket::Socket;
