//! Bodies of room requests, of every content type, as every verb reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // The first line is the content type.
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let content_type = parts.next().and_then(|line| str::from_utf8(line).ok());
    let body = parts.next().unwrap_or_default();
    rtckiosk::server::fuzzing::room_request(content_type, body);
});
