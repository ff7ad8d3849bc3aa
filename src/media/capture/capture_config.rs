//! The settings of a capture.

use crate::config::kiosk::{AudioSource, Camera, EncoderChoice, VoiceConfig};

/// The devices and the form of what they deliver. The picture leaves as I420 of exactly this size,
/// with black borders if the camera's shape differs, and at no more than this rate.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureConfig {
    /// Cameras, at least one. The first is used as long as it can be; the others stand in for it.
    pub cameras: Vec<Camera>,
    pub audio: AudioSource,
    /// Setting of the microphone's mixer when it is opened, percent; `None` leaves it.
    pub microphone_level: Option<u8>,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// The encoder of what is sent, which may be the camera itself.
    pub encoder: EncoderChoice,
    /// Stamps each frame with the time at which it was captured (see `time_code`).
    pub time_code: bool,
    /// Words of the picture while no camera works.
    pub away: AwayText,
    /// The processing of the microphone's sound.
    pub voice: VoiceConfig,
}

/// The lines of text of the picture that is sent while no camera works, in the customer's
/// language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwayText {
    pub title: String,
    /// Line below the title.
    pub reason: String,
}
