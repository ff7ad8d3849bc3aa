//! Keeps one device delivering: notices when it is gone, puts a stand-in in its place, and
//! opens it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::MediaError;
use super::super::pipeline::{BusEvent, Pipeline, STATE_DEADLINE, off_runtime};
use super::super::progress::Progress;
use super::super::push_event::Events;
use super::super::reconnect::{Backoff, Reconnect};
use crate::protocol::events::PushCode;

/// A device that delivers nothing for this long is gone.
const STALL: Duration = Duration::from_secs(2);
/// A USB camera may take this long from being opened to its first frame.
const FIRST_FRAME: Duration = Duration::from_secs(5);
/// A device that delivered for this long is well: the next fault is a new one.
const WELL: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
/// A device may come back any time: never give up.
const AGAIN: Reconnect = Reconnect {
    window: Duration::MAX,
    min: Duration::from_millis(500),
    max: Duration::from_secs(3),
};

/// A pipeline that captures, and the count of the frames it delivered.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) pipeline: Pipeline,
    pub(super) frames: Arc<AtomicU64>,
}

impl Source {
    /// Starts it and waits for its first frame.
    async fn start(&mut self) -> Result<(), MediaError> {
        if !self.pipeline.start().await? {
            return Err(broken(
                "the source is not live: it would not run in real time",
            ));
        }
        let mut patience = Progress::new(FIRST_FRAME, Instant::now());
        while self.count() == 0 {
            if let Some(error) = self.fault(&mut patience).await {
                return Err(error);
            }
        }
        Ok(())
    }

    fn count(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Looks once, for a moment, for a reason why this source no longer works.
    async fn fault(&mut self, progress: &mut Progress) -> Option<MediaError> {
        match tokio::time::timeout(LOOK, self.pipeline.next_event()).await {
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

    async fn stop(mut self) {
        if let Err(error) = self.pipeline.stop().await {
            log::warn!(error:%; "a device does not stop");
        }
    }
}

fn broken(message: &str) -> MediaError {
    MediaError::Pipeline {
        element: "source".to_owned(),
        message: message.to_owned(),
        debug: String::new(),
    }
}

/// The events of one kind of device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    /// The device is open.
    pub(super) opened: Option<PushCode>,
    pub(super) first_frame: Option<PushCode>,
    /// The device cannot be opened.
    pub(super) failed: PushCode,
    /// The device worked and is gone.
    pub(super) lost: PushCode,
    /// The device works again.
    pub(super) back: Option<PushCode>,
}

type Build = Arc<dyn Fn() -> Result<Source, MediaError> + Send + Sync>;

/// One device, its stand-in, and what is told of them.
pub(super) struct Line {
    /// "camera" or "microphone".
    pub(super) what: &'static str,
    pub(super) codes: Codes,
    pub(super) events: Events,
    /// Finds the device and builds its pipeline; may block.
    pub(super) device: Build,
    /// Builds what flows while the device is away.
    pub(super) stand_in: Build,
}

impl Line {
    /// Runs until `stop`; tells `opened` how the first try went.
    pub(super) async fn run(
        self,
        stop: CancellationToken,
        opened: oneshot::Sender<Result<(), MediaError>>,
    ) {
        let mut running = None;
        if stop
            .run_until_cancelled(self.supervise(&mut running, opened))
            .await
            .is_none()
            && let Some(source) = running
        {
            source.stop().await;
        }
    }

    /// Never returns. What delivers now is in `running`, so that the caller can stop it.
    async fn supervise(
        &self,
        running: &mut Option<Source>,
        opened: oneshot::Sender<Result<(), MediaError>>,
    ) {
        let mut opened = Some(opened);
        let mut backoff = Backoff::new(AGAIN);
        let mut ever = false;
        loop {
            let error = match self.open().await {
                Ok(device) => {
                    if let Some(stand_in) = running.replace(device) {
                        stand_in.stop().await;
                    }
                    self.tell_open(ever);
                    ever = true;
                    answer(&mut opened, Ok(()));
                    let error = self.watch(running.as_mut(), &mut backoff).await;
                    self.events
                        .tell(self.codes.lost, format!("{} lost: {error}", self.what));
                    if let Some(device) = running.take() {
                        device.stop().await;
                    }
                    error
                }
                Err(error) => {
                    if backoff.tries() == 0 {
                        self.events
                            .tell(self.codes.failed, format!("{}: {error}", self.what));
                    }
                    error
                }
            };
            if running.is_none() {
                *running = self.stand_in().await;
            }
            answer(&mut opened, Err(error.clone()));
            let wait = backoff
                .next(Instant::now(), rand::random())
                .unwrap_or(AGAIN.max);
            log::warn!(error:%, wait:?, tries = backoff.tries(); "{} is tried again", self.what);
            tokio::time::sleep(wait).await;
        }
    }

    async fn open(&self) -> Result<Source, MediaError> {
        let mut source = self.build(&self.device).await?;
        source.start().await?;
        Ok(source)
    }

    async fn stand_in(&self) -> Option<Source> {
        let started = async {
            let mut source = self.build(&self.stand_in).await?;
            source.start().await?;
            Ok::<_, MediaError>(source)
        };
        let started = started.await;
        if let Err(error) = &started {
            log::error!(error:%; "nothing can stand in for the {}", self.what);
        }
        started.ok()
    }

    async fn build(&self, build: &Build) -> Result<Source, MediaError> {
        let build = Arc::clone(build);
        let built = tokio::time::timeout(STATE_DEADLINE, off_runtime(move || build())).await;
        built
            .ok()
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(broken("the device does not answer")))
    }

    fn tell_open(&self, again: bool) {
        let code = if again {
            self.codes.back
        } else {
            self.codes.opened
        };
        for code in [code, self.codes.first_frame.filter(|_| !again)]
            .into_iter()
            .flatten()
        {
            self.events.tell(code, format!("{} delivers", self.what));
        }
    }

    /// Returns when the device is gone.
    async fn watch(&self, source: Option<&mut Source>, backoff: &mut Backoff) -> MediaError {
        let Some(source) = source else {
            return broken("the source ended");
        };
        let begun = Instant::now();
        let mut progress = Progress::new(STALL, begun);
        loop {
            if let Some(error) = source.fault(&mut progress).await {
                return error;
            }
            if begun.elapsed() >= WELL {
                backoff.succeeded();
            }
        }
    }
}

fn answer(
    opened: &mut Option<oneshot::Sender<Result<(), MediaError>>>,
    result: Result<(), MediaError>,
) {
    if let Some(opened) = opened.take() {
        // Whoever started the capture may have stopped waiting.
        let _ = opened.send(result);
    }
}
