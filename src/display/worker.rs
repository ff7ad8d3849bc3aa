//! The thread that owns the canvas: follows the scene, takes the latest frames, composes, shows.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::pending;
use gstreamer as gst;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::compose::{Composer, View};
use super::config::DisplayConfig;
use super::desktop;
use super::error::DisplayError;
use super::pages::status_line;
use super::scene::Scene;
use super::shared::{CanvasReply, Output, Shared, lock};
use super::sources::{MEMBER_PERIOD, Sources};
use super::window::Window;
use crate::config::kiosk::{DisplayBackend, Language};

/// Longest time from one canvas to the next: the screen never goes stale.
const IDLE_PERIOD: Duration = Duration::from_millis(500);
/// For the first canvas to be shown, the opening of a window (5 s) included.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// For the display to close; a window closes in well under a second.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Requests for a canvas.
pub(super) type SnapshotRequests = tokio::sync::mpsc::Receiver<CanvasReply>;

/// Owns the display's thread.
#[derive(Debug)]
pub(super) struct Worker {
    stop: CancellationToken,
    /// Disconnects when the thread ends.
    ended: mpsc::Receiver<()>,
}

impl Worker {
    /// Starts the thread and waits for the first canvas.
    pub(super) fn start(
        config: DisplayConfig,
        shared: Arc<Shared>,
        snapshots: SnapshotRequests,
    ) -> Result<Self, DisplayError> {
        let stop = CancellationToken::new();
        let (started, starting) = mpsc::sync_channel(1);
        let (alive, ended) = mpsc::channel();
        let stopped = stop.clone();
        thread::Builder::new()
            .name("display".to_owned())
            .spawn(move || {
                let _alive: mpsc::Sender<()> = alive;
                // Nobody listens any more when start() gave up: then stop at once, too.
                let (screen, runtime) = match open(&config, &shared, snapshots) {
                    Ok(opened) if started.send(Ok(())).is_ok() => opened,
                    Ok(_) => return,
                    Err(error) => {
                        let _gave_up = started.send(Err(error));
                        return;
                    }
                };
                runtime.block_on(screen.run(&stopped));
            })
            .map_err(|error| DisplayError::Thread(error.to_string()))?;
        let worker = Self { stop, ended };
        starting
            .recv_timeout(START_DEADLINE)
            .map_err(|_| DisplayError::Timeout(START_DEADLINE))
            .flatten()?;
        Ok(worker)
    }
}

/// Asks the thread to end and waits for it, but not for ever.
impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.ended.recv_timeout(STOP_DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            log::warn!("the display does not stop within {STOP_DEADLINE:?}");
        }
    }
}

fn open(
    config: &DisplayConfig,
    shared: &Arc<Shared>,
    snapshots: SnapshotRequests,
) -> Result<(Screen, tokio::runtime::Runtime), DisplayError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| DisplayError::Thread(error.to_string()))?;
    Ok((Screen::open(config, shared, snapshots)?, runtime))
}

/// The things that the thread works on.
struct Screen {
    shared: Arc<Shared>,
    composer: Composer,
    window: Option<Window>,
    sources: Sources,
    language: Language,
    status_line: String,
    snapshots: SnapshotRequests,
}

impl Screen {
    fn open(
        config: &DisplayConfig,
        shared: &Arc<Shared>,
        snapshots: SnapshotRequests,
    ) -> Result<Self, DisplayError> {
        let composer = Composer::new(config)?;
        let mut screen = Self {
            shared: Arc::clone(shared),
            composer,
            window: None,
            sources: Sources::default(),
            language: config.language,
            status_line: String::new(),
            snapshots,
        };
        let first = screen.compose()?;
        let backend = config.screen.backend;
        if backend == DisplayBackend::Headless {
            return Ok(screen);
        }
        match screen.open_window(&config.title, &first) {
            Ok(window) => {
                screen.window = Some(window);
                shared.output.send_replace(Output::Window);
            }
            Err(error) if backend == DisplayBackend::Auto => {
                log::warn!("no window: {error}");
                shared
                    .output
                    .send_replace(Output::NoDesktop(error.to_string()));
            }
            Err(error) => return Err(error),
        }
        Ok(screen)
    }

    /// Opens a window by the first sink that can.
    fn open_window(&self, title: &str, first: &gst::Sample) -> Result<Window, DisplayError> {
        let mut failed = None;
        for sink in desktop::sinks().map_err(DisplayError::NoDesktop)? {
            let window = Window::new(sink, self.composer.caps(), title, &self.shared);
            match window.and_then(|mut window| window.open(first).map(|()| window)) {
                Ok(window) => {
                    log::debug!(sink; "a window opens");
                    return Ok(window);
                }
                Err(error) => {
                    log::debug!(sink, error:%; "this sink opens no window");
                    failed = Some(error);
                }
            }
        }
        Err(failed.unwrap_or(DisplayError::MissingElement("ximagesink")))
    }

    async fn run(mut self, stop: &CancellationToken) {
        let mut scene = self.shared.scene.subscribe();
        scene.mark_changed();
        let mut errors = self
            .window
            .as_ref()
            .and_then(Window::bus)
            .map(|bus| bus.stream());
        let mut last = Instant::now();
        let mut due = last + IDLE_PERIOD;
        loop {
            let error = async {
                match errors.as_mut() {
                    Some(messages) => messages.next().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(message) = error => self.handle_bus_message(&message),
                Some(reply) = self.snapshots.recv() => {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(self.compose());
                }
                Ok(()) = scene.changed() => {
                    self.follow(&scene.borrow_and_update());
                    due = due.min(last + MEMBER_PERIOD);
                }
                source = self.sources.changed(self.window.is_some()), if self.is_watched() => {
                    due = due.min(last + source.period());
                }
                () = sleep_until(due) => {
                    last = Instant::now();
                    due = last + IDLE_PERIOD;
                    self.show();
                }
            }
        }
    }

    fn follow(&mut self, scene: &Scene) {
        let page = scene.page.as_ref();
        let line = page.map(|page| status_line(page, self.language));
        self.status_line = line.unwrap_or_default();
        self.sources.follow(scene);
    }

    /// Composes a canvas.
    fn compose(&mut self) -> Result<gst::Sample, DisplayError> {
        let began = Instant::now();
        self.sources.refresh();
        let view = View {
            members: self.sources.members(),
            self_view: self.sources.self_view(),
            status_line: &self.status_line,
        };
        let canvas = self.composer.compose(&view)?;
        let took = began.elapsed();
        self.shared.stats.send_modify(|stats| stats.compose = took);
        Ok(canvas)
    }

    /// Whether somebody looks, or wants to know of each frame. Else no frame need wake this
    /// thread.
    fn is_watched(&self) -> bool {
        self.window.is_some() || lock(&self.shared.on_shown).is_some()
    }

    fn show(&mut self) {
        if self.window.is_none() {
            // A canvas is composed when a snapshot asks for one.
            let frames = self.sources.take_new_frames();
            return self.shared.report_shown(&frames);
        }
        let canvas = self.compose();
        let frames = self.sources.take_new_frames();
        match (canvas, &mut self.window) {
            (Ok(canvas), Some(window)) => window.show(&canvas, frames),
            (Ok(_), None) => {}
            (Err(error), _) => log::error!(error:%; "no canvas"),
        }
    }

    /// Gives up a window that is closed or broken; snapshots are still composed.
    fn handle_bus_message(&mut self, message: &gst::Message) {
        if let gst::MessageView::Error(error) = message.view()
            && self.window.take().is_some()
        {
            let output = Window::outcome(error);
            log::warn!(output:?; "the window is gone");
            self.shared.output.send_replace(output);
        }
    }
}
