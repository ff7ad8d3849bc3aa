//! The display from outside: its start and end, and a handle that gives it what to show.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use tokio::sync::{mpsc, watch};

use super::config::DisplayConfig;
use super::error::DisplayError;
use super::page::Page;
use super::scene::MemberPicture;
use super::shared::{DisplayStats, Output, Shared, lock};
use super::snapshot::write_png;
use super::worker::Worker;
use crate::picture::Picture;

/// For a snapshot to be composed; composing takes some 10 ms.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(2);
/// Snapshots that may be asked for at once.
const SNAPSHOT_QUEUE: usize = 4;

/// A running display; dropping it stops it.
#[derive(Debug)]
pub struct Display {
    handle: DisplayHandle,
    _worker: Worker,
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
        let (snapshots, snapshot_requests) = mpsc::channel(SNAPSHOT_QUEUE);
        let shared = Arc::new(Shared {
            scene: watch::Sender::default(),
            snapshots,
            output: watch::Sender::new(Output::Headless),
            stats: watch::Sender::default(),
            on_shown: Mutex::default(),
            size: (config.screen.width, config.screen.height),
        });
        let worker = Worker::start(config, Arc::clone(&shared), snapshot_requests)?;
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

/// Gives a display what it is to show; cheap to clone, never waits.
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
    /// Shows these members, in this order. A member whose picture's sender is gone, or has sent
    /// none yet, gets a panel with its name.
    pub fn set_members(&self, members: Vec<MemberPicture>) {
        self.shared
            .scene
            .send_modify(|scene| scene.members = members);
    }

    /// Shows the kiosk's own picture, mirrored if so configured, or none.
    pub fn set_self_view(&self, picture: Option<Picture>) {
        self.shared
            .scene
            .send_modify(|scene| scene.self_view = picture);
    }

    /// Shows a page, in the configured language. Letters other than Latin ones show as `?`.
    pub fn show(&self, page: Page) {
        self.shared.scene.send_if_modified(|scene| {
            let page = Some(page);
            let changed = scene.page != page;
            scene.page = page;
            changed
        });
    }

    /// Calls back, on a thread of the display, with member id and frame whenever a member's
    /// frame is handed to the screen. It must not block. Replaces the one before.
    pub fn on_shown(&self, call: impl Fn(&str, &gst::Sample) + Send + Sync + 'static) {
        *lock(&self.shared.on_shown) = Some(Arc::new(call));
        // The worker may sleep through frames that nobody waits for.
        self.shared.scene.send_modify(|_| {});
    }

    /// Writes the canvas of this moment as PNG. Blocks for tens of milliseconds.
    ///
    /// # Errors
    /// When the file cannot be written, or the display has stopped.
    pub fn snapshot_png(&self, path: &Path) -> Result<(), DisplayError> {
        let (reply, canvas) = std::sync::mpsc::sync_channel(1);
        let requested = self.shared.snapshots.try_send(reply);
        let composed = requested
            .ok()
            .and_then(|()| canvas.recv_timeout(SNAPSHOT_DEADLINE).ok());
        let canvas = composed.ok_or(DisplayError::Timeout(SNAPSHOT_DEADLINE))??;
        write_png(&canvas, path)
    }

    /// Width and height of the canvas in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        self.shared.size
    }

    /// The place where the canvas goes, as it changes: the user may close the window.
    #[must_use]
    pub fn output(&self) -> watch::Receiver<Output> {
        self.shared.output.subscribe()
    }

    #[must_use]
    pub fn stats(&self) -> DisplayStats {
        *self.shared.stats.borrow()
    }
}
