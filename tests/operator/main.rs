//! The operator's commands as programs: set up, users, check, and the chapter of the README for two
//! machines, word for word.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod commands;
mod renewal;
#[path = "../support/mod.rs"]
mod support;
mod two_machines;
