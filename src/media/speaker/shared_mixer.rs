//! The mixer as members, device and owner share it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use super::mixer::Mixer;
use crate::media::echo::Echo;
use crate::media::lock::lock;

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

pub(super) fn lock_mixer(mixer: &SharedMixer) -> MutexGuard<'_, Mixer> {
    lock(&mixer.mixer)
}
