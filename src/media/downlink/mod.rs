//! The player of one member's stream: RTMP in, newest picture and sound out.
//!
//! One task owns the connection. It reconnects with back-off, watches progress instead of
//! believing that a pipeline in PLAYING plays, and reports by Tencent's numbers.

mod arrivals;
mod branch;
mod catch_up;
pub(super) mod decoder;
mod fault;
mod figures;
mod jitter;
mod passage;
mod player;
mod playout;
mod progress;
mod rates;

use std::sync::Arc;

use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::speaker::SpeakerInput;
pub use super::tone::AudioLevel;
use crate::picture::Picture;
use crate::process::backoff::Reconnect;
use crate::protocol::events::PlayCode;
use crate::protocol::net_status::NetStatus;
use crate::tls::ClientTls;

/// What to play, and where.
#[derive(Debug, Clone)]
pub struct DownlinkConfig {
    /// `rtmp://` or `rtmps://`, with the stream and its signature.
    pub url: SecretString,
    pub reconnect: Reconnect,
    /// `None` plays no sound; its level is measured all the same.
    pub speaker: Option<SpeakerInput>,
    /// For `rtmps://`.
    pub tls: ClientTls,
}

/// Something happened to the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlayEvent {
    pub code: PlayCode,
    /// For people; carries no secret.
    pub message: String,
    /// `EVT_PARAM1` and `EVT_PARAM2`: width and height of 2009, the try of 2103, the stall in
    /// ms of 2105, kbit/s and frames per second of 200002.
    pub params: [Option<i64>; 2],
}

/// Figures of one downlink, renewed twice a second and with each event.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DownlinkStats {
    /// Pictures shown since the start.
    pub frames: u64,
    /// Of the last second or two.
    pub fps: f64,
    /// Received, media and container, of the last second or two.
    pub kbps: f64,
    /// Pixels; 0 before the first picture.
    pub width: u32,
    pub height: u32,
    /// From the start of the downlink to the first picture.
    pub first_frame_ms: Option<u64>,
    /// How often what was playing stood still for over 500 ms.
    pub freezes: u32,
    pub reconnects: u32,
    /// The server has accepted us, and media flow or may flow.
    pub connected: bool,
    /// What is heard now.
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
    /// The decoder's element, empty before the first video.
    pub decoder: &'static str,
    /// The TLS version, cipher and key exchange of the connection; empty without TLS.
    pub tls: String,
    /// The last record of 200002.
    pub net_status: NetStatus,
}

/// Where the delay comes from that this kiosk adds to what it receives. In ms, each the mean of
/// late; absent while there is nothing to measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PlayDelay {
    pub picture: Option<PictureDelay>,
    pub sound: Option<SoundDelay>,
    /// Sound is heard so long after its picture is handed to the screen; negative: before it.
    pub sound_after_picture: Option<f64>,
    /// By so much nearly all media arrive later than the quickest.
    pub picture_jitter: f64,
    pub sound_jitter: f64,
}

/// From the arrival of a picture until it is handed to the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PictureDelay {
    /// Until the decoder took it.
    pub queue: f64,
    pub decode: f64,
    /// Held back for the sake of an even picture, or of its sound.
    pub hold: f64,
    pub total: f64,
}

/// From the arrival of the quickest sound until it is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SoundDelay {
    /// Decoding, and waiting for the loudspeaker.
    pub buffer: f64,
    /// In the loudspeaker's own buffer.
    pub device: f64,
    pub total: f64,
}

/// A running player; dropping it stops it.
#[derive(Debug)]
pub struct Downlink {
    picture: Picture,
    stats: watch::Receiver<DownlinkStats>,
    task: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Downlink {
    /// Begins to play. Must be called in a tokio runtime, after [`init`](super::init).
    ///
    /// Events that do not fit into `events` are dropped: a reader that is behind must not stop
    /// the stream.
    #[must_use]
    pub fn start(config: DownlinkConfig, events: mpsc::Sender<PlayEvent>) -> Self {
        let (picture_out, picture) = watch::channel(None);
        let (stats_out, stats) = watch::channel(DownlinkStats::default());
        let stop = CancellationToken::new();
        let player = player::Player::new(config, events, Arc::new(picture_out), stats_out);
        let task = tokio::spawn(player.run(stop.clone()));
        Self {
            picture,
            stats,
            task: Some(task),
            stop,
        }
    }

    /// The newest picture; `None` before the first one and after the stream was given up.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture.clone()
    }

    #[must_use]
    pub fn stats(&self) -> watch::Receiver<DownlinkStats> {
        self.stats.clone()
    }

    /// Stops; the connection is closed when this returns (within ten seconds, even if the
    /// network hangs).
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            log::error!(error:%; "the player's task failed");
        }
    }
}

impl Drop for Downlink {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
