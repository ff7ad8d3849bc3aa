//! Whole calls: the real programs as processes, real relays, and ffmpeg as a member.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

mod bench;
mod demo;
mod ffmpeg;
mod four;
mod messages;
mod programs;
#[path = "../support/mod.rs"]
mod support;
