//! The way of one member's sound into the mixer.

use std::sync::Arc;

use super::input::{Input, Played, Timing};
use super::shared_mixer::{SharedMixer, lock_mixer};

/// The input for one member's sound. Clones are the same input; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct SpeakerInput {
    inner: Arc<InputHandle>,
}

#[derive(Debug)]
struct InputHandle {
    member: Arc<str>,
    mixer: SharedMixer,
}

impl SpeakerInput {
    pub(super) fn new(member: &str, mixer: &SharedMixer) -> Self {
        let member: Arc<str> = member.into();
        let fresh = (Arc::clone(&member), Input::default());
        lock_mixer(mixer).inputs.push(fresh);
        let mixer = Arc::clone(mixer);
        Self {
            inner: Arc::new(InputHandle { member, mixer }),
        }
    }

    /// Hands over mono samples at [`SAMPLE_RATE`](crate::media::speaker::SAMPLE_RATE), to be
    /// played at their time. Never blocks; at most 500 ms are kept.
    pub fn push(&self, samples: &[i16], timing: Timing) {
        self.with(|input| input.push(samples, timing));
    }

    /// Figures of the member's sound.
    #[must_use]
    pub fn played(&self) -> Played {
        self.with(|input| input.played).unwrap_or_default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Input) -> T) -> Option<T> {
        let InputHandle { member, mixer } = &*self.inner;
        let mut mixer = lock_mixer(mixer);
        let mut inputs = mixer.inputs.iter_mut();
        let mine = inputs.find(|(name, _)| Arc::ptr_eq(name, member));
        mine.map(|(_, input)| act(input))
    }
}

impl Drop for InputHandle {
    fn drop(&mut self) {
        let member = &self.member;
        lock_mixer(&self.mixer)
            .inputs
            .retain(|(name, _)| !Arc::ptr_eq(name, member));
    }
}
