//! Text of others on the screen: nothing outside of the canvas is written.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rtckiosk::display::fuzzing::text(input));
