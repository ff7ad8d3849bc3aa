//! The troubles of a branch, for real: relays and servers die, peers vanish, answers are
//! garbage. The daemon says what is going on, and the call comes back.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

mod garbage;
mod hostile;
mod peers;
mod relay;
mod room_server;
#[path = "../support/mod.rs"]
mod support;
