//! The wire: real peers over real sockets, exact bytes in both directions.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

mod played;
mod played_world;
mod room_client;
mod room_session;
mod room_tls;
