//! The languages spoken between kiosk, room server and relay: wire types, response codes,
//! userSig, signed stream URLs and Tencent's event numbers.
//!
//! Ground floor of the house: pure values and functions, no I/O, no clock, no GStreamer.

pub mod events;
pub mod stream_url;
