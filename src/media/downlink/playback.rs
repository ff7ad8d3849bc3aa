//! A running player, as its owner holds it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::play_config::DownlinkConfig;
use super::play_stats::DownlinkStats;
use super::player::Player;
use crate::media::play_event::PlayEvent;
use crate::picture::Picture;

/// A running player; dropping it stops it.
#[derive(Debug)]
pub struct Downlink {
    picture: Picture,
    stats: watch::Receiver<DownlinkStats>,
    task: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Downlink {
    /// Begins to play. Must be called in a tokio runtime, after [`init`](crate::media::init).
    ///
    /// Events that do not fit into `events` are dropped: a reader that is behind must not stop
    /// the stream.
    #[must_use]
    pub fn start(config: DownlinkConfig, events: mpsc::Sender<PlayEvent>) -> Self {
        let (picture_out, picture) = watch::channel(None);
        let (stats_out, stats) = watch::channel(DownlinkStats::default());
        let stop = CancellationToken::new();
        let player = Player::new(config, events, Arc::new(picture_out), stats_out);
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
