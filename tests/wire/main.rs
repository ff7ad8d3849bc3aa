//! Tests against real peers over sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod external_relay;
mod nginx;
mod process;
mod relay;
mod relay_delay;
mod relay_limits;
mod relay_start;
mod rtmp_client;
