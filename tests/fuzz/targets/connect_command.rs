//! The words of GStreamer's element to the relay: nothing but the address is changed on the way.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    rtckiosk::media::relay_link::fuzzing::connect_command(input);
});
