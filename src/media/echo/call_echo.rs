//! The echo of a call, as loudspeaker and microphone hold it.

use std::sync::Arc;

use gstreamer as gst;

use super::shared::{EchoStatus, Shared};
use super::voice::Voice;
use crate::config::kiosk::VoiceConfig;

/// The echo of a call, shared by loudspeaker and microphone; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    shared: Arc<Shared>,
}

impl Echo {
    #[must_use]
    pub fn new(config: VoiceConfig) -> Self {
        let shared = Arc::new(Shared::new(config));
        Self { shared }
    }

    /// Notes that the loudspeaker's device gets these mono samples at 48 kHz at the time `at` of
    /// the monotonic system clock.
    pub fn played(&self, at: gst::ClockTime, samples: &[i16]) {
        self.shared.played(at, samples);
    }

    /// A voice for a microphone that was opened; `None` when its sound is sent as it is. Takes
    /// some milliseconds. Must be called after [`init`](crate::media::init).
    #[must_use]
    pub fn voice(&self) -> Option<Voice> {
        let wanted = self.shared.config != VoiceConfig::default();
        wanted.then(|| Voice::new(Arc::clone(&self.shared)))
    }

    #[must_use]
    pub fn status(&self) -> EchoStatus {
        self.shared.status()
    }
}
