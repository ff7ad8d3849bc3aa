//! Keeps the agent from hearing himself: what the loudspeaker plays is taken out of what the
//! microphone hears, and the voice in front of the kiosk is cleaned.
//!
//! [`Echo`] is what loudspeaker and microphone share in a call. The loudspeaker notes what it
//! plays; each microphone that is opened gets a [`Voice`], through which its sound goes. The
//! echo is taken out by GStreamer's `webrtcdsp`; where that does not exist or fails, the
//! microphone is turned down while the far end speaks.

mod canceller;
mod delay;
mod half_duplex;
pub mod level;
mod reference;
mod voice;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use serde::Serialize;

use self::canceller::Canceller;
use self::level::Return;
use self::reference::{Played, Reference};
pub use self::voice::Voice;
use super::MediaError;
use crate::config::kiosk::{EchoControl, VoiceConfig};

/// Samples in 10 ms, the only length that `webrtcdsp` works on.
pub const BLOCK: usize = super::speaker::SAMPLE_RATE as usize / 100;
/// Mono, 48 kHz.
pub type Block = [i16; BLOCK];

/// What `status` tells of the echo.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EchoStatus {
    /// What is done in fact.
    pub mode: EchoControl,
    /// Why it is not what the configuration asks for.
    pub reason: Option<String>,
    /// How loud the loudspeaker comes back at the microphone, in dB relative to what it plays.
    /// Measured in the last seconds in which the far end spoke.
    pub heard_db: Option<f64>,
    /// The same of what is sent: what the far end hears of itself.
    pub sent_db: Option<f64>,
}

/// Shared by the loudspeaker and the microphone of a call; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    config: VoiceConfig,
    reference: Mutex<Reference>,
    status: Mutex<EchoStatus>,
}

/// No code that could panic half-way runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Echo {
    #[must_use]
    pub fn new(config: VoiceConfig) -> Self {
        let shared = Arc::new(Shared {
            config,
            ..Shared::default()
        });
        Self { shared }
    }

    /// The loudspeaker's device gets these mono samples at 48 kHz at the time `at` of the
    /// monotonic system clock.
    pub fn played(&self, at: gst::ClockTime, samples: &[i16]) {
        if self.shared.config.echo != EchoControl::Off {
            lock(&self.shared.reference).played(at.into(), samples);
        }
    }

    /// For a microphone that was opened; `None` when its sound is sent as it is. Takes some
    /// milliseconds. Must be called after [`init`](super::init).
    #[must_use]
    pub fn voice(&self) -> Option<Voice> {
        let wanted = self.shared.config != VoiceConfig::default();
        wanted.then(|| Voice::new(self.clone()))
    }

    #[must_use]
    pub fn status(&self) -> EchoStatus {
        lock(&self.shared.status).clone()
    }

    fn config(&self) -> VoiceConfig {
        self.shared.config
    }

    fn played_at(&self, time: gst::ClockTime) -> Played {
        lock(&self.shared.reference).at(time.into())
    }

    /// The microphone hears what is played after so many samples.
    fn found(&self, delay: usize) {
        lock(&self.shared.reference).echoes_after(delay);
    }

    fn tell(&self, mode: EchoControl, reason: Option<String>) {
        let mut status = lock(&self.shared.status);
        (status.mode, status.reason) = (mode, reason);
    }

    fn measured(&self, Return { heard_db, sent_db }: Return) {
        // A tenth is more than the measurement is worth.
        let tenths = |db: f64| Some((db * 10.0).round() / 10.0);
        let mut status = lock(&self.shared.status);
        (status.heard_db, status.sent_db) = (tenths(heard_db), tenths(sent_db));
    }
}

/// Tries the voice processor for a moment.
///
/// # Errors
/// Why it does not work: it is missing, or does not start.
pub fn probe() -> Result<(), MediaError> {
    Canceller::start(VoiceConfig::default(), true).map(drop)
}

/// Signed 16-bit samples, little-endian.
pub(super) fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests;
