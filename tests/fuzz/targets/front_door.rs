//! Whole requests of several users to one room server, rooms and message service alike.

#![no_main]

libfuzzer_sys::fuzz_target!(|script: &str| rtckiosk::server::fuzzing::front_door(script));
