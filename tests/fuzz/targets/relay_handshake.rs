//! The relay's handshake: any bytes in any pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rtckiosk::server::fuzzing::handshake(input));
