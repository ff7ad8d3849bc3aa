//! Camera and microphone for the length of a call.
//!
//! Two pipelines, one for the picture and one for the sound, on one clock: a camera that is
//! pulled out does not stop the sound. Each ends in a [`feed::Feed`]; the uplink taps the feeds,
//! so that nothing that happens on the network reaches a device. While a device is away, a dark
//! picture or silence flows in its place and the device is tried again.

pub(super) mod feed;
mod line;
mod mode;
mod sound;
mod video;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use self::sound::sound_caps;
pub(super) use self::video::picture_caps;

use self::feed::Feed;
use self::line::Line;
use super::push_event::Events;
use super::{MediaError, Picture, PushEvent};

/// Sample rate of all sound in the kiosk, mono, signed 16 bit (Tencent's PC default).
pub const SOUND_HZ: i32 = 48_000;

/// Where the picture comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoSource {
    /// The first camera that V4L2 lists.
    Auto,
    /// A V4L2 device by path.
    Device(PathBuf),
    /// A camera by the name that `devices` shows, or a part of it.
    Name(String),
    /// A moving test pattern.
    Test,
    /// A GStreamer source description that ends in raw video, for example
    /// `libcamerasrc ! video/x-raw,width=1280,height=720`.
    Gst(String),
}

/// Where the sound comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum AudioSource {
    /// The first microphone that ALSA lists.
    Auto,
    /// An ALSA device by name, for example `hw:CARD=Device,DEV=0`.
    Device(String),
    /// A microphone by the name that `devices` shows, or a part of it.
    Name(String),
    /// A steady tone.
    Test { hz: f64 },
    /// A GStreamer source description that ends in raw audio.
    Gst(String),
}

/// In the words of the configuration.
impl fmt::Display for VideoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(path) => path.display().fmt(f),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Test => f.write_str("test"),
            Self::Gst(description) => write!(f, "gst:{description}"),
        }
    }
}

/// In the words of the configuration.
impl fmt::Display for AudioSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(device) => f.write_str(device),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Test { hz } => write!(f, "test:{hz}"),
            Self::Gst(description) => write!(f, "gst:{description}"),
        }
    }
}

/// What to capture. The picture leaves as I420 of exactly this size, with black borders if the
/// camera's shape differs, and at no more than this rate.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureConfig {
    pub video: VideoSource,
    pub audio: AudioSource,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Stamps each frame with the time at which it was captured (see `time_code`).
    pub time_code: bool,
}

/// Camera and microphone, open until this is stopped or dropped.
#[derive(Debug)]
pub struct Capture {
    pub(super) config: CaptureConfig,
    pub(super) video: Arc<Feed>,
    pub(super) sound: Arc<Feed>,
    picture: Picture,
    lines: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Capture {
    /// Opens both devices. One that fails is reported (-1301, -1302), replaced by a dark picture
    /// or silence, and tried again for as long as the capture lives.
    ///
    /// # Errors
    /// When neither device can be opened, or a source description of the configuration cannot
    /// be used.
    pub async fn start(
        config: CaptureConfig,
        events: mpsc::Sender<PushEvent>,
    ) -> Result<Self, MediaError> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let (shown, picture) = watch::channel(None);
        let (video, sound) = (Arc::new(Feed::showing(shown)), Arc::new(Feed::default()));
        let events = Events(events);
        let (camera, camera_opened) = spawn(
            video::line(&config, Arc::clone(&video), events.clone()),
            &stop,
        );
        let (microphone, microphone_opened) =
            spawn(sound::line(&config, Arc::clone(&sound), events), &stop);
        match (camera_opened.await, microphone_opened.await) {
            (Ok(Err(error @ MediaError::BadSource { .. })), _)
            | (_, Ok(Err(error @ MediaError::BadSource { .. })))
            | (Ok(Err(error)), Ok(Err(_))) => Err(error),
            _ => Ok(Self {
                config,
                video,
                sound,
                picture,
                lines: vec![camera, microphone],
                stop: guard,
            }),
        }
    }

    /// The self-view: what is pushed, before it is encoded.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture.clone()
    }

    /// Closes both devices; they are free when this returns.
    pub async fn stop(self) {
        drop(self.stop);
        for line in self.lines {
            if let Err(error) = line.await {
                log::error!(error:%; "a capture task failed");
            }
        }
    }
}

fn spawn(
    line: Line,
    stop: &CancellationToken,
) -> (JoinHandle<()>, oneshot::Receiver<Result<(), MediaError>>) {
    let (opened, first) = oneshot::channel();
    (tokio::spawn(line.run(stop.clone(), opened)), first)
}

#[cfg(test)]
mod tests;
