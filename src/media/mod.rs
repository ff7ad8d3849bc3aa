//! Cameras, microphones, encoders and streams: what the kiosk pushes and what it plays.
//!
//! Devices live in `capture`, the stream we push in `uplink`; both meet only through frames, so
//! that trouble on the network never touches a device. Pictures leave this room as [`Picture`](crate::picture::Picture).

pub mod capture;
pub mod codecs;
pub mod congestion;
mod cpu;
pub mod devices;
pub mod downlink;
pub mod echo;
mod elements;
mod encoder;
mod loss;
mod pipeline;
mod progress;
mod push_event;
mod reach;
mod relay_link;
mod relay_url;
mod smooth;
pub mod speaker;
pub mod time_code;
pub mod tone;
pub mod uplink;

use std::time::Duration;

pub use capture::{Cameras, Capture, CaptureConfig, LineStatus, SnapshotError};
pub use downlink::{Downlink, DownlinkConfig, DownlinkStats, PlayEvent};
pub use echo::{Echo, EchoStatus};
pub use loss::LossCause;
pub use push_event::PushEvent;
pub use speaker::Speaker;
pub use uplink::{Uplink, UplinkConfig, UplinkStats};

/// What can go wrong with devices and pipelines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("GStreamer cannot start: {0}")]
    Init(String),
    #[error("GStreamer elements are missing: {}", elements::describe(.0))]
    MissingElements(Vec<elements::Missing>),
    /// No encoder or decoder of this kind works; with what was tried and the reasons.
    #[error("no {kind} can be used: {tried}")]
    NoCodec { kind: &'static str, tried: String },
    #[error("{pipeline} did not reach {state} within {deadline:?}")]
    StateTimeout {
        pipeline: &'static str,
        state: &'static str,
        deadline: Duration,
    },
    /// An element reported an error; `element` is its name in our pipeline.
    #[error("{element}: {message}")]
    Pipeline {
        element: String,
        message: String,
        debug: String,
    },
    /// A pipeline cannot be put together: a fault of the installation.
    #[error("a pipeline cannot be built: {0}")]
    Build(String),
    #[error("no camera: {wanted}")]
    NoCamera { wanted: String },
    #[error("no microphone: {wanted}")]
    NoMicrophone { wanted: String },
    #[error("no loudspeaker: {wanted}")]
    NoSpeaker { wanted: String },
    /// A source description from the configuration that GStreamer does not accept.
    #[error("source description {description:?} cannot be used: {reason}")]
    BadSource { description: String, reason: String },
}

impl From<gstreamer::glib::BoolError> for MediaError {
    fn from(error: gstreamer::glib::BoolError) -> Self {
        Self::Build(error.to_string())
    }
}

/// Starts GStreamer (once) and checks that every element the code needs exists.
///
/// # Errors
/// `Init` when GStreamer itself cannot start, `MissingElements` with each missing element and
/// the Debian package that brings it.
pub fn init() -> Result<(), MediaError> {
    gstreamer::init().map_err(|error| MediaError::Init(error.to_string()))?;
    elements::check()
}
