//! Camera and microphone that are open, as their owner holds them.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::camera_handle::Cameras;
use super::capture_config::CaptureConfig;
use super::device_group::{DeviceGroup, Order};
use super::feed::Feed;
use super::supervisor::Supervisor;
use super::{camera_pipeline, microphone_pipeline};
use crate::media::echo::Echo;
use crate::media::error::MediaError;
use crate::media::group_status::GroupStatus;
use crate::media::push_event::{Events, PushEvent};
use crate::picture::Picture;

/// Camera and microphone, open until this is stopped or dropped.
#[derive(Debug)]
pub struct Capture {
    pub(crate) config: Arc<CaptureConfig>,
    pub(crate) video: Arc<Feed>,
    pub(crate) sound: Arc<Feed>,
    picture: Picture,
    echo: Echo,
    cameras: Cameras,
    microphone: watch::Receiver<GroupStatus>,
    tasks: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Capture {
    /// Opens camera and microphone. One that fails is reported (-1301, -1302), replaced by
    /// another camera, a picture that says so, or silence, and tried again for as long as the
    /// capture lives.
    ///
    /// # Errors
    /// Neither device can be opened, or a source description of the configuration cannot
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
        let camera = spawn(
            camera_pipeline::group(&config, &video, events.clone()),
            &stop,
        );
        let echo = Echo::new(config.voice);
        let microphone = spawn(
            microphone_pipeline::group(&config, echo.clone(), Arc::clone(&sound), events.clone()),
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
                tasks: vec![camera.task, microphone.task],
                stop: guard,
            }),
        }
    }

    /// The self-view: what is pushed, before it is encoded.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture.clone()
    }

    /// The echo, to which the loudspeaker has to report what it plays (see
    /// [`Speaker::report_to`](crate::media::Speaker::report_to)), and what comes back of it.
    #[must_use]
    pub fn echo(&self) -> &Echo {
        &self.echo
    }

    /// Switches cameras and takes stills, for as long as the capture lives.
    #[must_use]
    pub fn cameras(&self) -> Cameras {
        self.cameras.clone()
    }

    /// The state of the microphone.
    #[must_use]
    pub fn microphone(&self) -> GroupStatus {
        self.microphone.borrow().clone()
    }

    /// Closes both devices; they are free when this returns.
    pub async fn stop(self) {
        drop(self.stop);
        for task in self.tasks {
            if let Err(error) = task.await {
                log::error!(error:%; "a capture task failed");
            }
        }
    }
}

/// Orders that may wait for a group of devices.
const ORDERS: usize = 4;

/// A group of devices that is kept delivering.
struct Started {
    task: JoinHandle<()>,
    opened: oneshot::Receiver<Result<(), MediaError>>,
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<GroupStatus>,
}

fn spawn(group: DeviceGroup, stop: &CancellationToken) -> Started {
    let (opened_in, opened) = oneshot::channel();
    let (orders, orders_in) = mpsc::channel(ORDERS);
    let (status_out, status) = watch::channel(GroupStatus::default());
    let running = Supervisor::run(group, stop.clone(), orders_in, status_out, opened_in);
    Started {
        task: tokio::spawn(running),
        opened,
        orders,
        status,
    }
}
