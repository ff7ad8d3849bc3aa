//! What the customer sees: members' pictures with the self-view in a corner and one line of
//! status, in a window or, without a screen, only in snapshots.
//!
//! One thread owns the canvas and the window. It takes the latest frames, never makes a sender
//! wait, and composes at least twice a second, so that the screen does not go stale. Without a
//! window it composes only what is asked for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use tokio::sync::{mpsc, watch};

mod canvas;
mod compose;
mod layout;
mod snapshot;
#[cfg(test)]
mod tests;
mod window;
mod worker;

use crate::config::kiosk::{DisplayBackend, Screen};
use crate::picture::Picture;

/// For a snapshot to be composed, and how many may be asked for at once.
const SNAPSHOT: Duration = Duration::from_secs(2);
const SNAPSHOTS: usize = 4;

/// The screen to open.
#[derive(Debug, Clone)]
pub struct DisplayConfig {
    pub screen: Screen,
    /// Shown while there is no member, and as the window's title.
    pub title: String,
}

/// Why there is no picture.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DisplayError {
    #[error("no desktop for a window: neither DISPLAY nor WAYLAND_DISPLAY is set")]
    NoDesktop,
    #[error("GStreamer does not start: {0}")]
    Gstreamer(String),
    #[error("no canvas of {width} by {height} pixels: {reason}")]
    Canvas {
        width: u32,
        height: u32,
        reason: String,
    },
    #[error("a canvas cannot be written to")]
    Map,
    #[error("the GStreamer element {0} is missing: install gstreamer1.0-plugins-base and -good")]
    MissingElement(&'static str),
    #[error("the window does not open: {0}")]
    Window(String),
    #[error("the display's thread does not start: {0}")]
    Thread(String),
    #[error("the display did nothing for {0:?}")]
    Timeout(Duration),
    #[error("the snapshot {}: {reason}", path.display())]
    Snapshot { path: PathBuf, reason: String },
}

/// A member that the customer sees.
#[derive(Debug, Clone)]
pub struct Remote {
    pub id: String,
    pub name: String,
    pub picture: Picture,
}

/// Where the canvas goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// On a window.
    Window,
    /// Nowhere: only snapshots show it.
    Headless,
    /// Nowhere since the user closed the window.
    Closed,
    /// Nowhere since the window broke.
    Failed(String),
}

/// Counters of the display.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DisplayStats {
    /// Canvases shown.
    pub frames: u64,
    /// Time that the last canvas took to compose.
    pub compose: Duration,
    /// From taking a member's frame to its being on the screen; smoothed.
    pub show: Duration,
}

/// A member's frame that is shown for the first time.
#[derive(Debug)]
struct Fresh {
    member: String,
    sample: gst::Sample,
    taken: Instant,
}

/// Told of each member's frame when it is shown.
type Shown = Arc<dyn Fn(&str, &gst::Sample) + Send + Sync>;

/// What is to be shown; the worker follows it.
#[derive(Clone, Default)]
struct Scene {
    remotes: Vec<Remote>,
    self_view: Option<Picture>,
    status: String,
}

/// What the worker and the handles share.
struct Shared {
    scene: watch::Sender<Scene>,
    snapshots: mpsc::Sender<worker::Reply>,
    output: watch::Sender<Output>,
    stats: watch::Sender<DisplayStats>,
    shown: Mutex<Option<Shown>>,
    size: (u32, u32),
}

impl Shared {
    /// Tells that canvases with these members' frames are on the screen.
    fn report_shown(&self, frames: &[Fresh]) {
        self.stats.send_modify(|stats| {
            stats.frames += 1;
            for fresh in frames {
                stats.show = (stats.show * 15 + fresh.taken.elapsed()) / 16;
            }
        });
        let shown = lock(&self.shown).clone();
        if let Some(shown) = shown {
            for Fresh { member, sample, .. } in frames {
                shown(member, sample);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running display; dropping it stops it.
#[derive(Debug)]
pub struct Display {
    handle: DisplayHandle,
    _worker: worker::Worker,
}

impl Display {
    /// Opens the display and shows its first canvas. Blocks for up to 10 s: from async code,
    /// call it on a blocking thread.
    ///
    /// # Errors
    /// When there is no desktop for a window that is asked for, an element is missing, or the
    /// window does not open in time.
    pub fn start(config: DisplayConfig) -> Result<Self, DisplayError> {
        gst::init().map_err(|error| DisplayError::Gstreamer(error.to_string()))?;
        let desktop = ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let output = match (config.screen.backend, desktop) {
            (DisplayBackend::Window, false) => return Err(DisplayError::NoDesktop),
            (DisplayBackend::Window | DisplayBackend::Auto, true) => Output::Window,
            (DisplayBackend::Headless, _) | (DisplayBackend::Auto, false) => Output::Headless,
        };
        let (snapshots, asked) = mpsc::channel(SNAPSHOTS);
        let shared = Arc::new(Shared {
            scene: watch::Sender::default(),
            snapshots,
            output: watch::Sender::new(output),
            stats: watch::Sender::default(),
            shown: Mutex::default(),
            size: (config.screen.width, config.screen.height),
        });
        let worker = worker::Worker::start(config, Arc::clone(&shared), asked)?;
        Ok(Self {
            handle: DisplayHandle { shared },
            _worker: worker,
        })
    }

    #[must_use]
    pub fn handle(&self) -> DisplayHandle {
        self.handle.clone()
    }

    /// Closes the display. Blocks for up to 5 s, as dropping does.
    pub fn stop(self) {
        drop(self);
    }
}

/// Tells a display what to show; cheap to clone, never waits.
#[derive(Clone)]
pub struct DisplayHandle {
    shared: Arc<Shared>,
}

impl fmt::Debug for DisplayHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DisplayHandle")
            .field("size", &self.shared.size)
            .field("output", &*self.shared.output.borrow())
            .finish_non_exhaustive()
    }
}

impl DisplayHandle {
    /// The members to show, in this order. A member whose picture's sender is gone, or has sent
    /// none yet, gets a panel with its name.
    pub fn set_remotes(&self, remotes: Vec<Remote>) {
        self.shared
            .scene
            .send_modify(|scene| scene.remotes = remotes);
    }

    /// The kiosk's own picture; shown mirrored.
    pub fn set_self_view(&self, picture: Option<Picture>) {
        self.shared
            .scene
            .send_modify(|scene| scene.self_view = picture);
    }

    /// One line at the bottom; empty = no line. Latin letters only: others show as `?`.
    pub fn set_status(&self, status: impl Into<String>) {
        let status = status.into();
        self.shared.scene.send_if_modified(|scene| {
            let changed = scene.status != status;
            scene.status = status;
            changed
        });
    }

    /// Calls back, on a thread of the display, with member id and frame whenever a member's
    /// frame is handed to the screen. It must not block. Replaces the one before.
    pub fn on_shown(&self, shown: impl Fn(&str, &gst::Sample) + Send + Sync + 'static) {
        *lock(&self.shared.shown) = Some(Arc::new(shown));
        // The worker may sleep through frames that nobody was told of.
        self.shared.scene.send_modify(|_| {});
    }

    /// Writes what is to be seen now as PNG. Blocks for tens of milliseconds.
    ///
    /// # Errors
    /// When the file cannot be written, or the display has stopped.
    pub fn snapshot_png(&self, path: &Path) -> Result<(), DisplayError> {
        let (reply, canvas) = std::sync::mpsc::sync_channel(1);
        let asked = self.shared.snapshots.try_send(reply);
        let composed = asked.ok().and_then(|()| canvas.recv_timeout(SNAPSHOT).ok());
        let canvas = composed.ok_or(DisplayError::Timeout(SNAPSHOT))??;
        snapshot::write_png(&canvas, path)
    }

    /// Width and height of the canvas in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        self.shared.size
    }

    /// Where the canvas goes, and changes of that: the user may close the window.
    #[must_use]
    pub fn output(&self) -> watch::Receiver<Output> {
        self.shared.output.subscribe()
    }

    #[must_use]
    pub fn stats(&self) -> DisplayStats {
        *self.shared.stats.borrow()
    }
}
