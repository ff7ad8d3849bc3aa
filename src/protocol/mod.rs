//! The languages spoken between kiosk, room server and relay: wire types, response codes,
//! userSig, signed stream URLs and Tencent's event numbers.
//!
//! Ground floor of the house: pure values and functions, no I/O, no clock, no GStreamer.
//! Floors inside: `excerpt`, `shown`, `json`, `verb` and `limits`; the languages `code`, `answer`,
//! `request`, `rtmp`, `user_sig`, `stream_url` and `webim`; `im_rest`, the server's side of webim, and
//! `flv`, which RTMP carries.

pub mod answer;
pub mod code;
pub mod events;
mod excerpt;
pub mod flv;
pub mod im_rest;
pub mod json;
mod limits;
pub mod net_status;
#[cfg(test)]
mod odd_fields;
pub mod request;
pub mod rtmp;
pub mod shown;
pub mod stream_url;
pub mod user_sig;
pub mod verb;
pub mod webim;

pub use code::Code;
pub use excerpt::excerpt;
pub use limits::{ROOM_INFO_LIMIT, is_plain_id};
pub use verb::{RoomType, Verb};
