//! The relay after the handshake: two connections, any bytes in any pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rtckiosk::server::fuzzing::relay(input));
