//! Attacks on the real programs in a locked configuration, with nothing but the network and, in some,
//! a genuine identity of somebody else's. None may succeed, and a call beside them goes on.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod beside;
mod crowd;
mod flood;
mod memory;
mod published;
mod relays;
#[path = "../wire/rtmp_client.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod rtmp_client;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
