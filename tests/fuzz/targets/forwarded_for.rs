//! X-Forwarded-For: nobody chooses the address that is counted but trusted proxies.

#![no_main]

libfuzzer_sys::fuzz_target!(|value: &str| rtckiosk::server::fuzzing::forwarded_for(value));
