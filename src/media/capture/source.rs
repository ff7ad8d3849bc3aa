//! A pipeline that captures: started until its first frame has come, watched while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::super::MediaError;
use super::super::pipeline::{BusEvent, Pipeline};
use super::super::progress::Progress;
use super::feed::Turn;
use super::still::Stills;

/// A device that delivers nothing for this long is gone.
const STALL: Duration = Duration::from_secs(2);
/// A USB camera may take this long from being opened to its first frame.
const FIRST_FRAME: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);
/// Until the first frame: somebody may wait for it.
const SHORT_LOOK: Duration = Duration::from_millis(10);

/// A pipeline that captures, and the count of the frames it delivered.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) pipeline: Pipeline,
    pub(super) frames: Arc<AtomicU64>,
    /// Its way into the feed.
    pub(super) turn: Arc<Turn>,
    /// Where its frames can be had as the device made them; a camera's only.
    pub(super) stills: Option<Stills>,
}

impl Source {
    /// Starts it and waits for its first frame.
    pub(super) async fn start(&mut self) -> Result<(), MediaError> {
        if !self.pipeline.start().await? {
            return Err(broken(
                "the source is not live: it would not run in real time",
            ));
        }
        let mut patience = Progress::new(FIRST_FRAME, Instant::now());
        while self.count() == 0 {
            if let Some(error) = self.fault(&mut patience, SHORT_LOOK).await {
                return Err(error);
            }
        }
        Ok(())
    }

    /// What a source that runs well is measured by.
    pub(super) fn progress() -> Progress {
        Progress::new(STALL, Instant::now())
    }

    fn count(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Looks once, for a moment, for a reason why this source no longer works. Safe to drop.
    pub(super) async fn look(&mut self, progress: &mut Progress) -> Option<MediaError> {
        self.fault(progress, LOOK).await
    }

    async fn fault(&mut self, progress: &mut Progress, look: Duration) -> Option<MediaError> {
        match tokio::time::timeout(look, self.pipeline.next_event()).await {
            Ok(BusEvent::Error(error)) => return Some(error),
            Ok(BusEvent::Eos) => return Some(broken("the source ended")),
            Ok(BusEvent::Warning { element, message }) => {
                log::warn!(element; "{message}");
            }
            Err(_) => {}
        }
        let still = progress.stalled(Instant::now(), self.count())?;
        Some(broken(&format!(
            "no frame for {:.1} s",
            still.as_secs_f64()
        )))
    }

    pub(super) async fn stop(mut self) {
        if let Err(error) = self.pipeline.stop().await {
            log::warn!(error:%; "a device does not stop");
        }
    }
}

pub(super) fn broken(message: &str) -> MediaError {
    MediaError::Pipeline {
        element: "source".to_owned(),
        message: message.to_owned(),
        debug: String::new(),
    }
}
