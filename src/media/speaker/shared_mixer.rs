//! The mixer as members, device and owner share it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::mixer::Mixer;
use crate::media::echo::Echo;

#[derive(Debug)]
pub(super) struct Sound {
    mixer: Mutex<Mixer>,
    /// The listener to what the device gets.
    pub(super) echo: OnceLock<Echo>,
}

pub(super) type SharedMixer = Arc<Sound>;

impl Sound {
    pub(super) fn shared() -> SharedMixer {
        Arc::new(Self {
            mixer: Mutex::new(Mixer::new()),
            echo: OnceLock::new(),
        })
    }
}

/// Locks the mixer; no code that could panic half-way runs under this lock.
pub(super) fn lock(mixer: &SharedMixer) -> MutexGuard<'_, Mixer> {
    mixer.mixer.lock().unwrap_or_else(PoisonError::into_inner)
}
