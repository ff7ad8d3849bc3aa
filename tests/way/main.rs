//! The ways to servers: real programs of ours on two machines, of which one reaches the other only
//! through a proxy, or by the second of two addresses. Skipped, with the reason, where network
//! namespaces cannot be made; but in CI (`CI=true`) that is a failure.
#![cfg(all(feature = "kiosk", feature = "server"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod branch;
mod machines;
mod proxies;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
