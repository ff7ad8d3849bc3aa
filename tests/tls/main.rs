//! TLS with real certificates: the kiosk's halves and the server's, against each other and
//! against openssl, nginx, ffmpeg and GStreamer.
#![cfg(all(feature = "kiosk", feature = "server"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod call;
mod certificates;
mod cost;
mod https;
mod media;
mod nginx_tls;
mod peers;
#[allow(dead_code, reason = "the tests over plain sockets use the rest")]
#[path = "../wire/process.rs"]
mod process;
mod server;
mod status;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "the tests over plain sockets use the rest")]
#[path = "../wire/uplink_rig.rs"]
mod uplink_rig;
