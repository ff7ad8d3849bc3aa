//! Agents must not hear themselves: echo return loss and double talk with the real canceller,
//! faster than real time, and a whole call whose kiosk stands in a simulated room.
#![cfg(feature = "kiosk")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "server")]
mod call;
mod canceller;
#[cfg(feature = "server")]
mod room;
mod speech;
#[cfg(feature = "server")]
#[path = "../support/mod.rs"]
mod support;
