//! The thread that owns the canvas: follows the scene, takes the latest frames, composes, shows.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::future::{pending, select_all};
use futures_util::{FutureExt, StreamExt};
use gstreamer as gst;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::compose::{Composer, Member, View};
use super::window::Window;
use super::{DisplayConfig, DisplayError, Fresh, Output, Remote, Scene, Shared};
use crate::picture::Picture;

/// Members' frames are shown as they come, but not faster than a usual panel can.
const MEMBER_PERIOD: Duration = Duration::from_millis(16);
/// Self-view frames alone: slower than a member's 30 a second, so that they ride along with those.
const SELF_PERIOD: Duration = Duration::from_millis(40);
/// At the latest: the screen never goes stale.
const IDLE_PERIOD: Duration = Duration::from_millis(500);
/// Time in which the first canvas must be shown, window and all.
const STARTING: Duration = Duration::from_secs(10);
/// Time in which the display must close.
const STOPPING: Duration = Duration::from_secs(5);

/// A canvas, or why there is none.
pub(super) type Reply = mpsc::SyncSender<Result<gst::Sample, DisplayError>>;
/// Those who ask for one.
pub(super) type Snapshots = tokio::sync::mpsc::Receiver<Reply>;

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
        snapshots: Snapshots,
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
            .recv_timeout(STARTING)
            .map_err(|_| DisplayError::Timeout(STARTING))
            .flatten()?;
        Ok(worker)
    }
}

/// Asks the thread to end and waits for it, but not for ever.
impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.ended.recv_timeout(STOPPING) == Err(mpsc::RecvTimeoutError::Timeout) {
            log::warn!("the display does not stop within {STOPPING:?}");
        }
    }
}

fn open(
    config: &DisplayConfig,
    shared: &Arc<Shared>,
    snapshots: Snapshots,
) -> Result<(Screen, tokio::runtime::Runtime), DisplayError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| DisplayError::Thread(error.to_string()))?;
    Ok((Screen::open(config, shared, snapshots)?, runtime))
}

/// What the thread works on.
struct Screen {
    shared: Arc<Shared>,
    composer: Composer,
    window: Option<Window>,
    sources: Sources,
    status: String,
    snapshots: Snapshots,
}

impl Screen {
    fn open(
        config: &DisplayConfig,
        shared: &Arc<Shared>,
        snapshots: Snapshots,
    ) -> Result<Self, DisplayError> {
        let composer = Composer::new(config)?;
        let mut screen = Self {
            shared: Arc::clone(shared),
            composer,
            window: None,
            sources: Sources::default(),
            status: String::new(),
            snapshots,
        };
        let first = screen.compose()?;
        if *shared.output.borrow() == Output::Window {
            let mut window = Window::new(screen.composer.caps(), &config.title, shared)?;
            window.open(&first)?;
            screen.window = Some(window);
        }
        Ok(screen)
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
                Some(message) = error => self.hear(&message),
                Some(reply) = self.snapshots.recv() => {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(self.compose());
                }
                Ok(()) = scene.changed() => {
                    self.adopt(&scene.borrow_and_update());
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

    fn adopt(&mut self, scene: &Scene) {
        self.status.clone_from(&scene.status);
        self.sources.adopt(scene);
    }

    /// Composes a canvas.
    fn compose(&mut self) -> Result<gst::Sample, DisplayError> {
        let began = Instant::now();
        self.sources.refresh();
        let view = View {
            members: self.sources.members.iter().map(Source::member).collect(),
            self_view: self
                .sources
                .own
                .as_ref()
                .and_then(|own| own.latest.as_ref()),
            status: &self.status,
        };
        let canvas = self.composer.compose(&view)?;
        let took = began.elapsed();
        self.shared.stats.send_modify(|stats| stats.compose = took);
        Ok(canvas)
    }

    /// Whether somebody looks, or is told of what could be seen. Else no frame need wake this
    /// thread.
    fn is_watched(&self) -> bool {
        self.window.is_some() || super::lock(&self.shared.shown).is_some()
    }

    fn show(&mut self) {
        if self.window.is_none() {
            // A canvas is composed when a snapshot asks for one.
            let frames = self.sources.take_fresh();
            return self.shared.report_shown(&frames);
        }
        let canvas = self.compose();
        let frames = self.sources.take_fresh();
        match (canvas, &mut self.window) {
            (Ok(canvas), Some(window)) => window.show(&canvas, frames),
            (Ok(_), None) => {}
            (Err(error), _) => log::error!(error:%; "no canvas"),
        }
    }

    /// A window that is closed or broken is given up; snapshots are still composed.
    fn hear(&mut self, message: &gst::Message) {
        if let gst::MessageView::Error(error) = message.view()
            && self.window.take().is_some()
        {
            let output = Window::outcome(error);
            log::warn!(output:?; "the window is gone");
            self.shared.output.send_replace(output);
        }
    }
}

/// Which picture changed.
#[derive(Clone, Copy)]
enum Changed {
    Member,
    Own,
}

impl Changed {
    /// Shortest time from the last canvas to one for this change.
    fn period(self) -> Duration {
        match self {
            Self::Member => MEMBER_PERIOD,
            Self::Own => SELF_PERIOD,
        }
    }
}

/// The streams of the scene with their latest frames.
#[derive(Default)]
struct Sources {
    members: Vec<Source>,
    own: Option<Source>,
}

/// One stream.
struct Source {
    remote: Remote,
    latest: Option<gst::Sample>,
    /// Whether the latest frame has not been shown.
    fresh: bool,
    taken: std::time::Instant,
    /// Whether frames may still come.
    open: bool,
}

impl Sources {
    fn adopt(&mut self, scene: &Scene) {
        let mut before = std::mem::take(&mut self.members);
        self.members = scene
            .remotes
            .iter()
            .map(|remote| {
                let known = before.iter().position(|source| {
                    source.remote.id == remote.id
                        && source.remote.picture.same_channel(&remote.picture)
                });
                let mut source =
                    known.map_or_else(|| Source::new(remote.clone()), |at| before.swap_remove(at));
                source.remote.name.clone_from(&remote.name);
                source
            })
            .collect();
        let same = match (&self.own, &scene.self_view) {
            (Some(own), Some(picture)) => own.remote.picture.same_channel(picture),
            _ => false,
        };
        if !same {
            self.own = scene.self_view.as_ref().map(Source::own);
        }
    }

    /// Takes the latest frame of each.
    fn refresh(&mut self) {
        self.members
            .iter_mut()
            .chain(&mut self.own)
            .for_each(Source::refresh);
    }

    /// Waits for a frame, on a window for one of the self-view too, and takes it; older frames not
    /// yet shown are forgotten.
    async fn changed(&mut self, window: bool) -> Changed {
        let members = self
            .members
            .iter_mut()
            .map(|source| (source, Changed::Member));
        let own = self.own.iter_mut().filter(|_| window);
        let own = own.map(|source| (source, Changed::Own));
        let open: Vec<_> = members
            .chain(own)
            .filter(|(source, _)| source.open)
            .map(|(source, which)| async move { source.changed().await.then_some(which) }.boxed())
            .collect();
        if open.is_empty() {
            return pending().await;
        }
        match select_all(open).await {
            (Some(which), ..) => which,
            // The stream closed: its tile changes all the same.
            (None, ..) => Changed::Member,
        }
    }

    /// Members' frames that are shown for the first time.
    fn take_fresh(&mut self) -> Vec<Fresh> {
        self.members
            .iter_mut()
            .filter_map(|source| {
                let fresh = std::mem::take(&mut source.fresh);
                Some(Fresh {
                    member: source.remote.id.clone(),
                    sample: source.latest.clone().filter(|_| fresh)?,
                    taken: source.taken,
                })
            })
            .collect()
    }
}

impl Source {
    fn new(remote: Remote) -> Self {
        let mut source = Self {
            remote,
            latest: None,
            fresh: false,
            taken: std::time::Instant::now(),
            open: true,
        };
        source.take_latest();
        source
    }

    fn own(picture: &Picture) -> Self {
        Self::new(Remote {
            id: String::new(),
            name: String::new(),
            picture: picture.clone(),
        })
    }

    fn member(&self) -> Member<'_> {
        Member {
            name: &self.remote.name,
            sample: self.latest.as_ref(),
        }
    }

    fn take_latest(&mut self) {
        self.latest = self.remote.picture.borrow_and_update().clone();
        self.fresh = self.latest.is_some();
        self.taken = std::time::Instant::now();
    }

    /// Waits for the next frame and takes it; false when the sender is gone.
    async fn changed(&mut self) -> bool {
        match self.remote.picture.changed().await {
            Ok(()) => self.take_latest(),
            Err(_) => self.close(),
        }
        self.open
    }

    /// Takes a frame that has come.
    fn refresh(&mut self) {
        match self.remote.picture.has_changed() {
            Ok(true) => self.take_latest(),
            Ok(false) => {}
            Err(_) => self.close(),
        }
    }

    /// The sender is gone: an old frame would be a lie.
    fn close(&mut self) {
        self.open = false;
        self.latest = None;
    }
}
