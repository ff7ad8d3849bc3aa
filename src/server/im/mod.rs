//! The message service: does for RTCRoom what Tencent's does. Room servers command it by REST as
//! the administrator, clients speak webim to it, and the rooms of this server use it directly.
//!
//! Floors: `hub` (knows and decides), `poll_slots` (bounds the polls); `reply` (refusals),
//! `room_feed` (turns events of rooms into groups and notifications); `service` (holds it all),
//! `message` (the wire), `call` (a request, read); `caller` (proves its sender), `rest` (does what
//! room servers ask); `held_polls`; `client` (does what clients ask); on top `router`.

mod call;
mod caller;
mod client;
mod held_polls;
mod hub;
mod message;
mod poll_slots;
mod reply;
mod rest;
mod room_feed;
mod router;
mod service;

pub(super) use call::Origin;
pub(super) use router::{is_path, router, too_many_requests};
pub(super) use service::Im;
pub use service::ImSettings;
