//! Answers of external relays that are asked for their streams.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| rtckiosk::server::fuzzing::status_answers(body));
