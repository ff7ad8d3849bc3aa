//! The way to the relay of a stream's URL. The player has a connection of its own (`relay_stream`);
//! GStreamer's element, which pushes, goes straight for `rtmp://` and through a tunnel of ours for
//! `rtmps://`, so that the same rules for TLS hold as everywhere (see docs/decisions/0010).

mod link;
mod relay_stream;
mod tc_url;
mod tunnel;

pub(super) use link::{RelayLink, plain_to_tls};
pub(super) use relay_stream::{RelayStream, Wire};
