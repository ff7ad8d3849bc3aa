//! The message channel: events and texts beside the room server's lists, over webim.
//!
//! It is a convenience, never a condition: its announcements are checked with the room server,
//! and while it is down the member list is polled instead.
//!
//! Floors, each of which imports only from below: `settings`, `retry`, `effect` and `trouble`
//! (the last two decide and are pure); `client`, one exchange, and `poll_hold`; `channel_handle`,
//! the commands from outside; `channel`, the state that outlives a login, `ordinary_poll`,
//! `group_listener` and `send_queue`; `online`, one login with all of these; `task`, which
//! survives the loss of logins. From room they import only what stands below `im` there.

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
