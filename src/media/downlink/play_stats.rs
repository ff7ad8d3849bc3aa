//! The figures of one downlink.

use serde::Serialize;

use crate::media::tone::AudioLevel;
use crate::protocol::net_status::NetStatus;

/// Figures of one downlink, renewed twice a second and with each event.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DownlinkStats {
    /// Pictures shown since the start.
    pub frames: u64,
    /// Frames per second, of the last second or two.
    pub fps: f64,
    /// Received, media and container, of the last second or two.
    pub kbps: f64,
    /// Pixels; 0 before the first picture.
    pub width: u32,
    pub height: u32,
    /// Time from the start of the downlink to the first picture.
    pub first_frame_ms: Option<u64>,
    /// Times that what was playing stood still for over 500 ms.
    pub freezes: u32,
    pub reconnects: u32,
    /// The server has accepted us, and media flow or may flow.
    pub connected: bool,
    /// Level and tone of now.
    pub audio: AudioLevel,
    /// Video received and not decoded yet, in ms of media time.
    pub buffer_ms: u64,
    /// Pictures shown after their time, and those not shown because newer ones were due.
    pub late: u64,
    pub skipped: u64,
    /// Sound squeezed out or stretched in to keep the delay, and sound cut because that would
    /// have taken too long; in ms. And how often the sound ran out.
    pub stretched_ms: u64,
    pub cut_ms: u64,
    pub gaps: u64,
    pub delay_ms: PlayDelay,
    /// The reasons for which the picture and the sound that come are not played, as "H.265 instead of
    /// H.264"; empty if they are.
    pub picture_refused: String,
    pub sound_refused: String,
    /// The decoder's element, empty before the first video.
    pub decoder: &'static str,
    /// The TLS version, cipher and key exchange of the connection; empty without TLS.
    pub tls: String,
    /// The last record of 200002.
    pub net_status: NetStatus,
}

/// Parts of the delay that this kiosk adds to what it receives. In ms, each the mean of
/// late; absent while there is nothing to measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PlayDelay {
    pub picture: Option<PictureDelay>,
    pub sound: Option<SoundDelay>,
    /// Sound is heard so long after its picture is handed to the screen; negative: before it.
    pub sound_after_picture: Option<f64>,
    /// Time by which nearly all media arrive later than the quickest.
    pub picture_jitter: f64,
    pub sound_jitter: f64,
}

/// Delay from the arrival of a picture until it is handed to the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PictureDelay {
    /// Wait until the decoder took it.
    pub queue: f64,
    pub decode: f64,
    /// Held back for the sake of an even picture, or of its sound.
    pub hold: f64,
    pub total: f64,
}

/// Delay from the arrival of the quickest sound until it is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SoundDelay {
    /// Decoding, and waiting for the loudspeaker.
    pub buffer: f64,
    /// Time in the loudspeaker's own buffer.
    pub device: f64,
    pub total: f64,
}
