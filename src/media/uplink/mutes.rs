//! The switches that the session may turn while frames flow.

use std::sync::atomic::AtomicBool;

/// The switches that the session may turn while frames flow.
#[derive(Debug, Default)]
pub(super) struct Mutes {
    pub(super) sound: AtomicBool,
    pub(super) video: AtomicBool,
}
