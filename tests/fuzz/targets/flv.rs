//! FLV as a member sends it: tags with any content.

#![no_main]

use rtckiosk::protocol::flv::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzzing::tags(input);
    fuzzing::headers(input);
});
