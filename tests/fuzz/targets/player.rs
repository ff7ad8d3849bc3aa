//! The player's side of RTMP after the handshake: any bytes of a relay in any pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rtckiosk::protocol::flv::fuzzing::relay(input));
