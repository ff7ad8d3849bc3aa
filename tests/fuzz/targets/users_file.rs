//! The users file: what is understood is written as it was read.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| rtckiosk::server::fuzzing::users_file(text));
