//! The kiosk's and the server's halves against real peers over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "kiosk")]
mod downlink;
#[cfg(feature = "server")]
mod external_relay;
#[cfg(feature = "kiosk")]
mod latency;
mod nginx;
#[cfg(feature = "server")]
mod process;
#[cfg(feature = "server")]
mod relay;
#[cfg(feature = "server")]
mod relay_delay;
#[cfg(feature = "server")]
mod relay_limits;
#[cfg(feature = "server")]
mod relay_start;
#[cfg(feature = "server")]
mod rtmp_client;
#[cfg(feature = "kiosk")]
mod uplink;
