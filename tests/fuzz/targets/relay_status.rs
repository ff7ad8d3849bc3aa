//! What external relays answer when they are asked which streams run.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| rtckiosk::server::fuzzing::status_answers(body));
