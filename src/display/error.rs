//! Faults of the display.

use std::path::PathBuf;
use std::time::Duration;

/// A reason why there is no picture.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DisplayError {
    #[error("no desktop for a window: {0}")]
    NoDesktop(String),
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
    #[error(
        "the GStreamer element {0} is missing: install gstreamer1.0-plugins-base, gstreamer1.0-x and -bad"
    )]
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
