//! The message hub: users that are logged in, groups, their readers, and letters that wait.
//! It decides and keeps; it does no I/O, and time and secrets are given to it.
//!
//! Floors: `limits`, `refusal`, `reader` (a place in a group); `inbox` (what waits for one user),
//! `group` (its messages); `login` (the users); `message_hub`; on top `membership` and `ticket`.
//! A poll that finds nothing waits for the bell of its session or reader.

mod group;
mod inbox;
mod limits;
mod login;
mod membership;
mod message_hub;
mod reader;
mod refusal;
#[cfg(test)]
mod tests;
mod ticket;

pub(super) use group::{Entry, Message, Origin, Posted};
pub(super) use inbox::Letter;
pub(super) use limits::Limits;
pub(super) use login::{Life, Profile, Secrets};
pub(super) use membership::Joiner;
pub(super) use message_hub::Hub;
pub(super) use refusal::Refusal;
pub(super) use ticket::{Heard, Read};
