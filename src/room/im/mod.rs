//! The message channel: events and texts beside the room server's lists, over webim.
//!
//! It is a convenience, never a condition: what it announces is checked with the room server,
//! and while it is down the member list is polled instead. `channel` owns it and survives its
//! losses, `online` is one login, `client` one exchange; `hold`, `receive` and `trouble`
//! decide and are pure.

mod channel;
mod client;
mod error;
mod hold;
mod listener;
mod online;
mod receive;
mod trouble;

pub(super) use channel::{ChannelHandle, Group, start};
pub use client::ImSettings;
pub use error::ImError;
