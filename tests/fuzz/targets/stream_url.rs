//! Stream URLs: nobody gets in without the key, and nothing secret is left after redaction.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::protocol::stream_url::{redacted, stream_id, verify_query};

fuzz_target!(|url: &str| {
    let query = url.split_once('?').map_or(url, |(_, query)| query);
    assert!(verify_query("a key that nobody knows", stream_id(url), query, 0).is_err());
    let shown = redacted(url);
    match shown.split_once('?') {
        Some((_, rest)) => assert_eq!(rest, "[redacted]"),
        None => assert_eq!(shown, url),
    }
});
