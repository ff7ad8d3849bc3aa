//! Pictures and sound: devices, uplink and downlink, on GStreamer.

pub mod time_code;
pub mod tone;
