//! A pipeline that captures: started until its first frame has come, watched while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::MediaError;
use super::super::pipeline::{BusEvent, Pipeline, STATE_DEADLINE, off_runtime};
use super::super::progress::Progress;
use super::feed::Turn;
use super::line::Build;
use super::own::Own;
use super::still::Stills;
use super::v4l2;

/// A device that delivers nothing for this long is gone.
const STALL: Duration = Duration::from_secs(2);
/// A USB camera may take this long from being opened to its first frame.
const FIRST_FRAME: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);
/// Until the first frame: somebody may wait for it.
const SHORT_LOOK: Duration = Duration::from_millis(10);

/// A pipeline that captures, and the count of the frames it delivered.
pub(super) struct Source {
    pub(super) pipeline: Pipeline,
    pub(super) frames: Arc<AtomicU64>,
    /// Its way into the feed.
    pub(super) turn: Arc<Turn>,
    /// Where its frames can be had as the device made them; a camera's only.
    pub(super) stills: Option<Stills>,
    /// The camera's own H.264.
    pub(super) own: Option<Arc<Own>>,
    /// Why that is not used.
    pub(super) refused: Option<String>,
    /// Opens the same camera without it.
    pub(super) plain: Option<Build>,
}

/// Builds and starts a pipeline; its first frame has come when this returns. A camera whose own
/// H.264 does not hold what it promises is opened without it.
pub(super) async fn open(build: Build) -> Result<Source, MediaError> {
    let mut source = built(build).await?;
    let Err(error) = source.start().await.map_err(v4l2::explain) else {
        return Ok(source);
    };
    let (Some(own), Some(plain)) = (source.own.take(), source.plain.take()) else {
        return Err(error);
    };
    log::info!(error:%; "a camera is opened again without its own H.264");
    source.stop().await;
    let mut source = built(plain).await?;
    source.start().await.map_err(v4l2::explain)?;
    // What else works without it was not its fault.
    let reason = error.to_string();
    own.refuse(&reason);
    source.refused = Some(reason);
    Ok(source)
}

async fn built(build: Build) -> Result<Source, MediaError> {
    let built = timeout(STATE_DEADLINE, off_runtime(move || build())).await;
    let built = built.ok().and_then(Result::ok);
    built.unwrap_or_else(|| Err(broken("the device does not answer")))
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
        let mut trial = None;
        while self.count() == 0 || self.own.as_ref().is_some_and(|own| !own.is_settled()) {
            if let Some(error) = self.fault(&mut patience, SHORT_LOOK).await {
                return Err(error);
            }
            if let Some(reason) = self.own.as_ref().and_then(|own| own.attend(&mut trial)) {
                return Err(broken(&reason));
            }
        }
        Ok(())
    }

    /// What is known of the camera's own H.264, in the words of `status`.
    pub(super) fn own_h264(&self) -> Option<String> {
        let refused = |reason: &String| format!("refused: {reason}");
        let own = self.own.as_ref().map(|own| own.describe());
        own.or_else(|| self.refused.as_ref().map(refused))
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
        match timeout(look, self.pipeline.next_event()).await {
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
