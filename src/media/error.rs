//! The errors of devices, codecs and pipelines.

use std::time::Duration;

/// Something that went wrong with a device, a codec or a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("GStreamer cannot start: {0}")]
    Init(String),
    #[error("GStreamer elements are missing: {}", describe(.0))]
    MissingElements(Vec<Missing>),
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

impl MediaError {
    /// A source that does not do what it should.
    pub(super) fn broken(message: &str) -> Self {
        Self::Pipeline {
            element: "source".to_owned(),
            message: message.to_owned(),
            debug: String::new(),
        }
    }
}

impl From<gstreamer::glib::BoolError> for MediaError {
    fn from(error: gstreamer::glib::BoolError) -> Self {
        Self::Build(error.to_string())
    }
}

/// An element that this machine does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub element: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
}

/// "alsasrc (gstreamer1.0-alsa), v4l2src (gstreamer1.0-plugins-good)"
fn describe(missing: &[Missing]) -> String {
    let listed: Vec<String> = missing
        .iter()
        .map(|Missing { element, package }| format!("{element} ({package})"))
        .collect();
    listed.join(", ")
}
