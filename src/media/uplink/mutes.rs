//! What the session may switch while frames flow.

use std::sync::atomic::AtomicBool;

/// What the session may switch while frames flow.
#[derive(Debug, Default)]
pub(super) struct Mutes {
    pub(super) sound: AtomicBool,
    pub(super) video: AtomicBool,
}
