//! The kiosk's and the server's halves against real peers over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(all(feature = "kiosk", feature = "server"))]
mod credentials;
#[cfg(feature = "kiosk")]
mod downlink;
#[cfg(feature = "server")]
mod external_relay;
#[cfg(feature = "kiosk")]
mod field_texts;
#[cfg(feature = "kiosk")]
mod flv_file;
#[cfg(feature = "kiosk")]
mod im_call;
#[cfg(feature = "kiosk")]
mod im_client;
#[cfg(all(feature = "kiosk", feature = "server"))]
mod im_gate;
#[cfg(all(feature = "kiosk", feature = "server"))]
mod im_pair;
#[cfg(feature = "server")]
mod im_server;
#[cfg(feature = "kiosk")]
mod jitter;
#[cfg(all(feature = "kiosk", feature = "server"))]
mod late_joiner;
#[cfg(feature = "kiosk")]
mod latency;
#[cfg(feature = "server")]
mod mini_program;
mod nginx;
#[cfg(feature = "kiosk")]
mod odd_relays;
#[cfg(all(feature = "kiosk", feature = "server"))]
mod own_h264;
#[cfg(feature = "kiosk")]
mod played;
#[cfg(feature = "kiosk")]
mod played_im;
#[cfg(feature = "kiosk")]
mod played_world;
#[cfg(feature = "server")]
mod process;
#[cfg(feature = "server")]
mod relay;
#[cfg(feature = "server")]
mod relay_delay;
#[cfg(feature = "server")]
mod relay_dialects;
#[cfg(feature = "kiosk")]
mod relay_double;
#[cfg(feature = "server")]
mod relay_limits;
#[cfg(feature = "server")]
mod relay_start;
#[cfg(feature = "kiosk")]
mod room_client;
#[cfg(feature = "kiosk")]
mod room_dialects;
#[cfg(all(feature = "kiosk", feature = "server"))]
mod room_pair;
#[cfg(feature = "server")]
mod room_server;
#[cfg(feature = "kiosk")]
mod room_session;
#[cfg(feature = "server")]
mod rtmp_client;
#[cfg(all(feature = "kiosk", feature = "server"))]
mod tracks;
#[cfg(feature = "kiosk")]
mod uplink;
#[cfg(feature = "kiosk")]
mod uplink_rig;
