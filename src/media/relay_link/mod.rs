//! The way to the relay of a stream's URL: straight for `rtmp://`, through a tunnel of our own for
//! `rtmps://`, so that the same rules for TLS hold as everywhere (see docs/decisions/0010).

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod link;
mod tc_url;
mod tunnel;

pub(super) use link::{RelayLink, plain_to_tls};
