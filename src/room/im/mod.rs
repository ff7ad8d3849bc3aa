//! The message channel: events and texts beside the room server's lists, over webim.
//!
//! It is a convenience, never a condition: what it announces is checked with the room server,
//! and while it is down the member list is polled instead. `channel` owns it and survives its
//! losses, `online` is one login with its `ordinary` poll, the group's `listener` and what is
//! `sending`, `client` one exchange; `hold`, `receive` and `trouble` decide and are pure.

mod channel;
mod channel_handle;
mod client;
mod effect;
mod group_listener;
mod online;
mod ordinary_poll;
mod poll_hold;
mod retry;
mod send_queue;
mod settings;
mod task;
mod trouble;

pub(super) use channel_handle::{ChannelHandle, Group};
pub use settings::ImSettings;
pub(super) use task::start;
