//! The stream we push: frames of a capture, encoded, to an RTMP relay.
//!
//! Every connection is a pipeline of its own (see `leg`), so that each starts with a key frame
//! and with frames of now. One task (see `run`) makes, watches and replaces them.

mod batch;
mod decide;
mod flv;
mod frames;
mod kernel_queue;
mod leg;
mod outbox;
mod pace;
mod queue;
mod run;
mod selector;
mod sock_diag;
mod stages;
mod stall;
mod steer;
mod switch;
mod tagger;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::leg::Taps;
use self::run::Task;
pub(super) use self::tagger::avc_caps;
use super::PushEvent;
use super::capture::Capture;
use super::congestion::Quality;
use super::push_event::Events;
use crate::config::kiosk::EncoderChoice;
use crate::process::backoff::Reconnect;
use crate::protocol::net_status::NetStatus;
use crate::tls::ClientTls;

/// Waits between the key frames for a player that joins: it may connect at any moment of the
/// next second, and the encoder's rate control pays for each of them.
const WELCOME: [Duration; 4] = [
    Duration::from_millis(150),
    Duration::from_millis(200),
    Duration::from_millis(250),
    Duration::from_millis(400),
];

/// What is pushed, where to, and how.
#[derive(Debug, Clone)]
pub struct UplinkConfig {
    /// The signed push URL: `rtmp[s]://host[:port]/app/stream?bizid=..&txSecret=..&txTime=..`.
    pub url: SecretString,
    /// Of the picture: at the start, and the range in which it follows the link. Below the least
    /// no picture is sent.
    pub bitrate_kbps: u32,
    pub min_kbps: u32,
    pub max_kbps: u32,
    pub audio_kbps: u32,
    /// Seconds between key frames, 1 to 2: a player that joins waits for one.
    pub gop_seconds: f64,
    pub encoder: EncoderChoice,
    pub reconnect: Reconnect,
    /// For `rtmps://`.
    pub tls: ClientTls,
}

/// What the uplink does now.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct UplinkStats {
    /// GStreamer's name of the encoder in use, or "camera (...)" while the camera's own is sent.
    pub encoder: String,
    /// Frames encoded since the start.
    pub frames: u64,
    /// Pictures given to our own encoder since the start.
    pub encoded: u64,
    /// Over the last two seconds.
    pub fps: f64,
    /// Bytes to the relay over the last two seconds, in kbit/s.
    pub kbps: f64,
    /// Since the start, over all connections.
    pub bytes_sent: u64,
    /// How long what is encoded now waits in our queue and the kernel's.
    pub backlog_ms: f64,
    /// The least time seen from sending to the peer's acknowledgement.
    pub rtt_ms: Option<f64>,
    /// What the link allows: target bitrate, frame rate and size.
    pub quality: Quality,
    /// Why that is not the best, or was raised: the last step's reason.
    pub reason: String,
    /// Where the delay comes from.
    pub delay_ms: PushDelay,
    /// Packets of sound and picture that were too old to be sent.
    pub dropped: u64,
    pub reconnects: u32,
    /// Media is flowing.
    pub connected: bool,
    /// The last record of 200001.
    pub net_status: NetStatus,
    /// The TLS version, cipher and key exchange of the connection; empty without TLS.
    pub tls: String,
}

/// Where what is sent is delayed, in ms, each the mean of late; absent while nothing is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PushDelay {
    pub picture: Option<SendDelay>,
    pub sound: Option<SendDelay>,
}

/// From leaving the device to reaching the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SendDelay {
    /// In the device's pipeline: scaling, conversion.
    pub capture: f64,
    pub encode: f64,
    /// In our own queue before the network.
    pub queue: f64,
    /// Age of the oldest byte in the kernel's send buffer, less the network's time.
    pub kernel: f64,
    /// Half of the round trip to the relay, once it is known.
    pub network: Option<f64>,
    pub total: f64,
}

/// What the session may switch while frames flow.
#[derive(Debug, Default)]
struct Mutes {
    sound: AtomicBool,
    video: AtomicBool,
}

/// A running push. Dropping it ends it.
#[derive(Debug)]
pub struct Uplink {
    key_frames: mpsc::Sender<()>,
    mutes: Arc<Mutes>,
    stats: watch::Receiver<UplinkStats>,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Uplink {
    /// Starts to push what `capture` delivers. Whether it works is told by events: 1002 when
    /// media flows, -1307 when it is given up (with [`PushEvent::cause`]).
    #[must_use]
    pub fn start(capture: &Capture, config: UplinkConfig, events: mpsc::Sender<PushEvent>) -> Self {
        let stop = CancellationToken::new();
        let mutes = Arc::new(Mutes::default());
        // One is enough: a second request before the first is served asks for the same.
        let (key_frames, key_frames_in) = mpsc::channel(1);
        let (stats_out, stats) = watch::channel(UplinkStats::default());
        let taps = Taps::new(capture, Arc::clone(&mutes));
        let task = Task::new(taps, config, Events(events), stats_out, key_frames_in);
        let stopped = stop.clone();
        let task = tokio::spawn(async move { task.run(stopped).await });
        Self {
            key_frames,
            mutes,
            stats,
            task,
            stop: stop.drop_guard(),
        }
    }

    /// Asks the encoder for a key frame now: a player has joined.
    pub fn request_key_frame(&self) {
        // Full means that one is asked for already, closed that the push is over.
        let _ = self.key_frames.try_send(());
    }

    /// A player joins: asks for a key frame now and again while it connects, or it would wait for
    /// the next one where the relay keeps none.
    pub fn welcome(&self) {
        self.request_key_frame();
        let key_frames = self.key_frames.clone();
        tokio::spawn(async move {
            for wait in WELCOME {
                tokio::time::sleep(wait).await;
                if let Err(mpsc::error::TrySendError::Closed(())) = key_frames.try_send(()) {
                    break;
                }
            }
        });
    }

    /// Sends silence in place of the sound.
    pub fn set_audio_muted(&self, muted: bool) {
        self.mutes.sound.store(muted, Ordering::Relaxed);
    }

    /// Sends a black picture in place of the camera's.
    pub fn set_video_muted(&self, muted: bool) {
        self.mutes.video.store(muted, Ordering::Relaxed);
    }

    /// Figures, renewed every two seconds and on each change of the connection.
    #[must_use]
    pub fn stats(&self) -> watch::Receiver<UplinkStats> {
        self.stats.clone()
    }

    /// Ends the push; the connection is closed when this returns.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            log::error!(error:%; "the uplink task failed");
        }
    }
}
