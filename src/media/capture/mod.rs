//! Camera and microphone for the length of a call.
//!
//! Two pipelines, one for the picture and one for the sound, on one clock: a camera that is
//! pulled out does not stop the sound. Each ends in a [`feed::Feed`]; the uplink taps the feeds,
//! so that nothing that happens on the network reaches a device. While a device is away, a
//! picture that says so or silence flows in its place and the device is tried again. Another
//! camera is a pipeline of its own that takes over the feed with its first frame.

mod cameras;
pub(super) mod feed;
mod front;
mod line;
mod mode;
mod own;
mod placeholder;
mod rota;
mod snapshot;
mod sound;
mod source;
mod still;
mod supervisor;
mod trial;
mod v4l2;
mod video;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::cameras::Cameras;
pub use self::line::LineStatus;
pub use self::snapshot::SnapshotError;
pub(super) use self::sound::sound_caps;
pub(super) use self::video::picture_caps;

use self::feed::Feed;
use self::line::{Line, Order};
use super::echo::Echo;
use super::push_event::Events;
use super::{MediaError, PushEvent};
use crate::config::kiosk::{AudioSource, Camera, EncoderChoice, VoiceConfig};
use crate::picture::Picture;

/// Sample rate of all sound in the kiosk, mono, signed 16 bit (Tencent's PC default).
pub const SOUND_HZ: i32 = 48_000;

/// What to capture. The picture leaves as I420 of exactly this size, with black borders if the
/// camera's shape differs, and at no more than this rate.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureConfig {
    /// At least one. The first is used as long as it can be; the others stand in for it.
    pub cameras: Vec<Camera>,
    pub audio: AudioSource,
    /// What the microphone's mixer is set to when it is opened, percent; `None` leaves it.
    pub microphone_level: Option<u8>,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Whether the H.264 that a camera makes itself may be what is sent.
    pub encoder: EncoderChoice,
    /// Stamps each frame with the time at which it was captured (see `time_code`).
    pub time_code: bool,
    /// What is done to the microphone's sound.
    pub voice: VoiceConfig,
}

/// Camera and microphone, open until this is stopped or dropped.
#[derive(Debug)]
pub struct Capture {
    pub(super) config: Arc<CaptureConfig>,
    pub(super) video: Arc<Feed>,
    pub(super) sound: Arc<Feed>,
    picture: Picture,
    echo: Echo,
    cameras: Cameras,
    microphone: watch::Receiver<LineStatus>,
    lines: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Capture {
    /// Opens camera and microphone. One that fails is reported (-1301, -1302), replaced by
    /// another camera, a picture that says so, or silence, and tried again for as long as the
    /// capture lives.
    ///
    /// # Errors
    /// When neither device can be opened, or a source description of the configuration cannot
    /// be used.
    pub async fn start(
        config: CaptureConfig,
        events: mpsc::Sender<PushEvent>,
    ) -> Result<Self, MediaError> {
        if config.cameras.is_empty() {
            let wanted = "none is configured".to_owned();
            return Err(MediaError::NoCamera { wanted });
        }
        let config = Arc::new(config);
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let (shown, picture) = watch::channel(None);
        let (video, sound) = (Arc::new(Feed::showing(shown)), Arc::new(Feed::default()));
        let events = Events(events);
        let camera = spawn(video::line(&config, &video, events.clone()), &stop);
        let echo = Echo::new(config.voice);
        let microphone = spawn(
            sound::line(&config, echo.clone(), Arc::clone(&sound), events.clone()),
            &stop,
        );
        match (camera.opened.await, microphone.opened.await) {
            (Ok(Err(error @ MediaError::BadSource { .. })), _)
            | (_, Ok(Err(error @ MediaError::BadSource { .. })))
            | (Ok(Err(error)), Ok(Err(_))) => Err(error),
            _ => Ok(Self {
                cameras: Cameras::new(Arc::clone(&config), camera.orders, camera.status, events),
                config,
                video,
                sound,
                picture,
                echo,
                microphone: microphone.status,
                lines: vec![camera.task, microphone.task],
                stop: guard,
            }),
        }
    }

    /// The self-view: what is pushed, before it is encoded.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture.clone()
    }

    /// What the loudspeaker has to tell what it plays (see
    /// [`Speaker::tell`](super::Speaker::tell)), and what comes back of it.
    #[must_use]
    pub fn echo(&self) -> &Echo {
        &self.echo
    }

    /// Switches cameras and takes stills, for as long as the capture lives.
    #[must_use]
    pub fn cameras(&self) -> Cameras {
        self.cameras.clone()
    }

    /// How the microphone is.
    #[must_use]
    pub fn microphone(&self) -> LineStatus {
        self.microphone.borrow().clone()
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

/// Orders that may wait for a line.
const ORDERS: usize = 4;

/// A line that runs.
struct Started {
    task: JoinHandle<()>,
    opened: oneshot::Receiver<Result<(), MediaError>>,
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<LineStatus>,
}

fn spawn(line: Line, stop: &CancellationToken) -> Started {
    let (opened_in, opened) = oneshot::channel();
    let (orders, orders_in) = mpsc::channel(ORDERS);
    let (status_out, status) = watch::channel(LineStatus::default());
    let running = line.run(stop.clone(), orders_in, status_out, opened_in);
    Started {
        task: tokio::spawn(running),
        opened,
        orders,
        status,
    }
}

#[cfg(test)]
mod tests;
