//! The languages spoken between kiosk, room server and relay: wire types, response codes,
//! userSig, signed stream URLs and Tencent's event numbers.
//!
//! Ground floor of the house: pure values and functions, no I/O, no clock, no GStreamer.

pub mod answer;
pub mod code;
pub mod events;
mod excerpt;
pub mod im_rest;
pub mod json;
pub mod net_status;
pub mod request;
pub mod stream_url;
pub mod user_sig;
pub mod verb;
pub mod webim;

pub use code::Code;
pub use excerpt::{excerpt, excerpt_of_bytes};
pub use verb::{RoomType, Verb};

/// Most bytes of UTF-8 that `roomInfo` may have on every known server.
pub const ROOM_INFO_LIMIT: usize = 1024;

/// Whether an id may stand unescaped in stream ids and URLs: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[must_use]
pub fn is_plain_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    #[test]
    fn plain_ids_need_no_escaping() {
        assert!(super::is_plain_id("kiosk_01-a"));
        for bad in ["", "a b", "a/b", "ä", "a?b", &"x".repeat(65)] {
            assert!(!super::is_plain_id(bad), "{bad}");
        }
    }
}
