//! What to capture.

use crate::config::kiosk::{AudioSource, Camera, EncoderChoice, VoiceConfig};

/// What to capture. The picture leaves as I420 of exactly this size, with black borders if the
/// camera's shape differs, and at no more than this rate.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureConfig {
    /// At least one. The first is used as long as it can be; the others stand in for it.
    pub cameras: Vec<Camera>,
    pub audio: AudioSource,
    /// What the microphone's mixer is set to when it is opened, percent; `None` leaves it.
    pub microphone_level: Option<u8>,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Whether the H.264 that a camera makes itself may be what is sent.
    pub encoder: EncoderChoice,
    /// Stamps each frame with the time at which it was captured (see `time_code`).
    pub time_code: bool,
    /// What the picture says while no camera works.
    pub away: AwayText,
    /// What is done to the microphone's sound.
    pub voice: VoiceConfig,
}

/// The lines of text of the picture that is sent while no camera works, in the customer's
/// language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwayText {
    pub title: String,
    /// Below the title.
    pub reason: String,
}
