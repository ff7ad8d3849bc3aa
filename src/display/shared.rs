//! The state that the display's thread and its handles share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use tokio::sync::{mpsc, watch};

use super::error::DisplayError;
use super::scene::Scene;

/// The place where the canvas goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// On a window.
    Window,
    /// Nowhere, as configured: only snapshots show it.
    Headless,
    /// The same because a window had no desktop to open on, for this reason.
    NoDesktop(String),
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
pub(super) struct NewFrame {
    pub member: String,
    pub sample: gst::Sample,
    pub taken: Instant,
}

/// Called with each member's frame when it is shown.
pub(super) type OnShown = Arc<dyn Fn(&str, &gst::Sample) + Send + Sync>;

/// Takes a canvas, or the reason why there is none.
pub(super) type CanvasReply = std::sync::mpsc::SyncSender<Result<gst::Sample, DisplayError>>;

/// Shared by the display's thread, its window and its handles.
pub(super) struct Shared {
    pub scene: watch::Sender<Scene>,
    /// Requests for a canvas.
    pub snapshots: mpsc::Sender<CanvasReply>,
    pub output: watch::Sender<Output>,
    pub stats: watch::Sender<DisplayStats>,
    pub on_shown: Mutex<Option<OnShown>>,
    /// Width and height of the canvas, pixels.
    pub size: (u32, u32),
}

impl Shared {
    /// Reports that a canvas with these members' frames is on the screen.
    pub(super) fn report_shown(&self, frames: &[NewFrame]) {
        self.stats.send_modify(|stats| {
            stats.frames += 1;
            for frame in frames {
                stats.show = (stats.show * 15 + frame.taken.elapsed()) / 16;
            }
        });
        let on_shown = lock(&self.on_shown).clone();
        if let Some(on_shown) = on_shown {
            for NewFrame { member, sample, .. } in frames {
                on_shown(member, sample);
            }
        }
    }
}

/// Locks also after a panic elsewhere: what is behind these locks is never half written.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
