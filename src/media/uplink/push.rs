//! A running push, as its owner holds it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::mutes::Mutes;
use super::push_config::UplinkConfig;
use super::push_stats::UplinkStats;
use super::taps::Taps;
use super::task::Task;
use crate::media::capture::Capture;
use crate::media::push_event::{Events, PushEvent};

/// Waits between the key frames for a player that joins: it may connect at any moment of the
/// next second, and the encoder's rate control pays for each of them.
const WELCOME: [Duration; 4] = [
    Duration::from_millis(150),
    Duration::from_millis(200),
    Duration::from_millis(250),
    Duration::from_millis(400),
];

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
