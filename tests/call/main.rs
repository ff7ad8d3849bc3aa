//! Whole calls: the real programs as processes, real relays, and ffmpeg as a member.

mod demo;
mod ffmpeg;
mod programs;
#[path = "../support/mod.rs"]
mod support;
