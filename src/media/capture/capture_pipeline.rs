//! A pipeline that captures: started until its first frame has come, watched while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::camera_fault::explain;
use super::camera_h264::CameraH264;
use super::feed::Turn;
use super::still::Stills;
use crate::media::error::MediaError;
use crate::media::pipeline::{BusEvent, Pipeline, STATE_DEADLINE, off_runtime};
use crate::media::progress::Progress;

/// Time after which a device that delivers nothing is gone: our choice.
const STALL: Duration = Duration::from_secs(2);
/// Time that a USB camera may take from being opened to its first frame: our choice.
const FIRST_FRAME: Duration = Duration::from_secs(5);
/// Length of one look at a source that runs.
const LOOK: Duration = Duration::from_millis(250);
/// Length of one look until the first frame, for which somebody may wait.
const SHORT_LOOK: Duration = Duration::from_millis(10);

/// Finds a device and builds its pipeline; may block.
pub(super) type Build = Arc<dyn Fn() -> Result<CapturePipeline, MediaError> + Send + Sync>;

/// A pipeline that captures, and the count of the frames it delivered.
pub(super) struct CapturePipeline {
    pub(super) pipeline: Pipeline,
    pub(super) frames: Arc<AtomicU64>,
    /// Its way into the feed.
    pub(super) turn: Arc<Turn>,
    /// The outlet of frames as the device made them; a camera's only.
    pub(super) stills: Option<Stills>,
    /// The camera's own H.264.
    pub(super) h264: Option<Arc<CameraH264>>,
    /// The reason why that is not used.
    pub(super) refused: Option<String>,
    /// Opens the same camera without it.
    pub(super) plain: Option<Build>,
}

/// Builds and starts a pipeline; its first frame has come when this returns. A camera whose own
/// H.264 does not hold what it promises is opened without it.
pub(super) async fn open(build: Build) -> Result<CapturePipeline, MediaError> {
    let mut source = built(build).await?;
    let Err(error) = source.start().await.map_err(explain) else {
        return Ok(source);
    };
    let (Some(h264), Some(plain)) = (source.h264.take(), source.plain.take()) else {
        return Err(error);
    };
    log::info!(error:%; "a camera is opened again without its own H.264");
    source.stop().await;
    let mut source = built(plain).await?;
    source.start().await.map_err(explain)?;
    // What else works without it was not its fault.
    let reason = error.to_string();
    h264.refuse(&reason);
    source.refused = Some(reason);
    Ok(source)
}

async fn built(build: Build) -> Result<CapturePipeline, MediaError> {
    let built = timeout(STATE_DEADLINE, off_runtime(move || build())).await;
    let built = built.ok().and_then(Result::ok);
    built.unwrap_or_else(|| Err(MediaError::broken("the device does not answer")))
}

impl CapturePipeline {
    /// Starts it and waits for its first frame.
    pub(super) async fn start(&mut self) -> Result<(), MediaError> {
        if !self.pipeline.start().await? {
            return Err(MediaError::broken(
                "the source is not live: it would not run in real time",
            ));
        }
        let mut patience = Progress::new(FIRST_FRAME, Instant::now());
        let mut trial = None;
        while self.count() == 0 || self.h264.as_ref().is_some_and(|h264| !h264.is_settled()) {
            if let Some(error) = self.fault(&mut patience, SHORT_LOOK).await {
                return Err(error);
            }
            if let Some(reason) = self.h264.as_ref().and_then(|h264| h264.attend(&mut trial)) {
                return Err(MediaError::broken(&reason));
            }
        }
        Ok(())
    }

    /// The state of the camera's own H.264, in the words of `status`.
    pub(super) fn own_h264(&self) -> Option<String> {
        let refused = |reason: &String| format!("refused: {reason}");
        let h264 = self.h264.as_ref().map(|h264| h264.describe());
        h264.or_else(|| self.refused.as_ref().map(refused))
    }

    /// The measure of a source that runs well.
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
        match timeout(look, self.pipeline.next_event()).await {
            Ok(BusEvent::Error(error)) => return Some(error),
            Ok(BusEvent::Eos) => return Some(MediaError::broken("the source ended")),
            Ok(BusEvent::Warning { element, message }) => {
                log::warn!(element; "{message}");
            }
            Err(_) => {}
        }
        let still = progress.stalled(Instant::now(), self.count())?;
        Some(MediaError::broken(&format!(
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
