//! The room server as its clients know it: raw requests over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, with the value"
)]

mod codes;
mod conversations;
mod front_door;
mod odd_requests;
pub(crate) mod peer;
mod program;
mod reaper;
