//! The state that loudspeaker and microphone of a call share: what was played, how the echo is.

use std::sync::Mutex;

use gstreamer as gst;
use serde::Serialize;

use super::level::Return;
use super::reference::{FarEnd, Reference};
use crate::config::kiosk::{EchoControl, VoiceConfig};
use crate::media::lock::lock;

/// The echo as `status` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EchoStatus {
    /// The measure taken in fact.
    pub mode: EchoControl,
    /// The reason why it is not what the configuration asks for.
    pub reason: Option<String>,
    /// Level of the loudspeaker at the microphone, in dB relative to what it plays.
    /// Measured in the last seconds in which the far end spoke.
    pub heard_db: Option<f64>,
    /// The same of what is sent: what the far end hears of itself.
    pub sent_db: Option<f64>,
}

/// Noted by the loudspeaker, read by the microphone.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) config: VoiceConfig,
    reference: Mutex<Reference>,
    status: Mutex<EchoStatus>,
}

impl Shared {
    pub(super) fn new(config: VoiceConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Notes that the loudspeaker's device gets these samples at `at`.
    pub(super) fn played(&self, at: gst::ClockTime, samples: &[i16]) {
        if self.config.echo != EchoControl::Off {
            lock(&self.reference).played(at.into(), samples);
        }
    }

    pub(super) fn played_at(&self, time: gst::ClockTime) -> FarEnd {
        lock(&self.reference).at(time.into())
    }

    /// Notes that the microphone hears what is played after this many samples. Returns whether
    /// the echo is now at another place of the reference.
    pub(super) fn found(&self, delay: usize) -> bool {
        lock(&self.reference).echoes_after(delay)
    }

    pub(super) fn status(&self) -> EchoStatus {
        lock(&self.status).clone()
    }

    /// Notes what is done, and why it is not what the configuration asks for.
    pub(super) fn set_mode(&self, mode: EchoControl, reason: Option<String>) {
        let mut status = lock(&self.status);
        (status.mode, status.reason) = (mode, reason);
    }

    pub(super) fn measured(&self, Return { heard_db, sent_db }: Return) {
        // A tenth is more than the measurement is worth.
        let tenths = |db: f64| Some((db * 10.0).round() / 10.0);
        let mut status = lock(&self.status);
        (status.heard_db, status.sent_db) = (tenths(heard_db), tenths(sent_db));
    }
}
