//! Certificates of servers: what is said about them is short and harmless.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rtckiosk::tls::fuzzing::certificate(input));
