//! The kiosk's and the server's halves against real peers over real sockets.

#[cfg(feature = "kiosk")]
mod downlink;
#[cfg(feature = "kiosk")]
mod latency;
mod nginx;
#[cfg(feature = "server")]
mod room_server;
#[cfg(feature = "kiosk")]
mod uplink;
