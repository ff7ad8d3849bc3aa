//! Fits what we send to what the link takes: gives up bitrate, then frames, then size, then the
//! picture, and takes them back in reverse. Sound is never given up.
//!
//! Down is fast and measured: a queue that stands (its minimum over a moment, so that a key
//! frame is none) means that what went through meanwhile is all that the link takes. Up is a
//! probe: a little more each second, slower near the rate at which the last probe failed.
//!
//! Pure: counters and time come from the caller.

mod controller;
mod ladder;
mod ledger;
#[cfg(test)]
mod tests;

pub use controller::{Controller, Facts, Step};
pub use ladder::{Limits, Quality, Stage};
pub use ledger::{Ledger, Reading};
