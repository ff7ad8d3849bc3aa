//! The cameras of a call from outside: which one delivers, another one instead, and stills.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::capture_config::CaptureConfig;
use super::device_group::Order;
use super::open_camera;
use super::snapshot::{self, SnapshotError};
use super::still::{self, Stills};
use crate::config::kiosk::Camera;
use crate::media::error::MediaError;
use crate::media::group_status::GroupStatus;
use crate::media::pipeline::{Pipeline, STATE_DEADLINE, make, off_runtime};
use crate::media::push_event::Events;
use crate::protocol::events::PushCode;

/// Time for another camera to deliver: less than a caller of the control socket waits.
const SWITCH_DEADLINE: Duration = Duration::from_secs(10);
/// Time that a camera which is opened for one still gets to find its exposure.
const WARM_UP: Duration = Duration::from_millis(700);
/// Time for such a camera to deliver its first frame: our choice.
const FIRST_FRAME: Duration = Duration::from_secs(4);

/// Seconds for a whole snapshot: less than a caller of the control socket waits.
const SNAPSHOT_SECONDS: u64 = 12;

/// Switches between the cameras of a capture and takes stills of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cameras {
    config: Arc<CaptureConfig>,
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<GroupStatus>,
    events: Events,
}

impl Cameras {
    pub(super) fn new(
        config: Arc<CaptureConfig>,
        orders: mpsc::Sender<Order>,
        status: watch::Receiver<GroupStatus>,
        events: Events,
    ) -> Self {
        Self {
            config,
            orders,
            status,
            events,
        }
    }

    /// The camera that delivers, and why others do not.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        self.status.borrow().clone()
    }

    /// Delivers from the camera of this name from now on. Until its first frame the present
    /// camera stays; so it does when the new one cannot be used.
    ///
    /// # Errors
    /// There is no such camera, or it does not deliver within ten seconds.
    pub async fn switch(&self, name: &str) -> Result<(), MediaError> {
        let place = self.place(name)?;
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.orders.send(Order::Switch(place, reply)).await.ok()?;
            answer.await.ok()
        };
        match timeout(SWITCH_DEADLINE, exchange).await {
            Ok(Some(switched)) => switched,
            Ok(None) => Err(closed()),
            Err(_) => Err(MediaError::broken(&format!(
                "camera {name} does not deliver in time"
            ))),
        }
    }

    /// Writes one frame as a JPEG file that only its owner can read: of the camera that delivers,
    /// as it comes from the device before it is made smaller, or of another one, which is opened
    /// for it in its largest mode. The stream goes on meanwhile. Event 1012 says how it went.
    ///
    /// # Errors
    /// There is no such camera, none delivers, the path cannot be used, or a file exists
    /// there.
    pub async fn snapshot(&self, name: Option<&str>, path: &Path) -> Result<(), SnapshotError> {
        let work = async {
            let target = path.to_owned();
            blocking(path, move || snapshot::check(&target)).await?;
            let jpeg = self.still(name).await?;
            let target = path.to_owned();
            blocking(path, move || snapshot::write(&target, &jpeg)).await
        };
        let done = timeout(Duration::from_secs(SNAPSHOT_SECONDS), work).await;
        let done = done.unwrap_or(Err(SnapshotError::TimedOut(SNAPSHOT_SECONDS)));
        let (code, message) = match &done {
            Ok(()) => (0, format!("snapshot written to {}", path.display())),
            Err(error) => (error.code(), error.to_string()),
        };
        let params = [Some(code.into()), None];
        self.events
            .report_with(PushCode::SnapshotResult, params, message);
        done
    }

    async fn still(&self, name: Option<&str>) -> Result<Vec<u8>, MediaError> {
        let wanted = name.map(|name| self.place(name)).transpose()?;
        let (reply, live) = oneshot::channel();
        let asked = self.orders.send(Order::Stills(reply)).await;
        asked.map_err(|_| closed())?;
        let live = live.await.map_err(|_| closed())?;
        let (place, frame) = match (wanted, live) {
            (None, Some((place, stills))) => (place, stills.take().await?),
            (Some(wanted), Some((place, stills))) if wanted == place => {
                (place, stills.take().await?)
            }
            (Some(wanted), _) => (
                wanted,
                self.open_for_one(&self.config.cameras[wanted]).await?,
            ),
            (None, None) => return Err(MediaError::broken("no camera delivers now")),
        };
        still::jpeg(&frame, self.config.cameras[place].rotation).await
    }

    fn place(&self, name: &str) -> Result<usize, MediaError> {
        let mut cameras = self.config.cameras.iter();
        cameras
            .position(|camera| camera.name == name)
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .config
                    .cameras
                    .iter()
                    .map(|c| c.name.as_str())
                    .collect();
                MediaError::NoCamera {
                    wanted: format!("none is named {name:?}, configured: {}", known.join(", ")),
                }
            })
    }

    /// Opens a camera that is not in use for one frame.
    async fn open_for_one(&self, camera: &Camera) -> Result<gst::Sample, MediaError> {
        let (config, camera) = (Arc::clone(&self.config), camera.clone());
        let built = off_runtime(move || {
            let camera = open_camera::for_still(&config, &camera)?;
            let mut chain = camera.frames()?;
            let stills = chain.last().map(Stills::of).unwrap_or_default();
            chain.push(make("fakesink", "unseen").property("sync", false).build()?);
            let pipeline = Pipeline::new("still camera");
            pipeline.chain(&chain)?;
            Ok::<_, MediaError>((pipeline, stills))
        });
        let built = timeout(STATE_DEADLINE, built)
            .await
            .ok()
            .and_then(Result::ok);
        let (mut pipeline, stills) =
            built.ok_or_else(|| MediaError::broken("the camera does not answer"))??;
        let frame = one_frame(&mut pipeline, &stills).await;
        pipeline.stop().await?;
        frame
    }
}

async fn one_frame(pipeline: &mut Pipeline, stills: &Stills) -> Result<gst::Sample, MediaError> {
    let work = async {
        stills.take_within(FIRST_FRAME).await?;
        tokio::time::sleep(WARM_UP).await;
        stills.take().await
    };
    pipeline.start().await?;
    tokio::select! {
        frame = work => frame,
        error = still::failure(pipeline) => Err(error),
    }
}

/// Runs a job on a file: a disk may hang, so it is given a thread of its own.
async fn blocking(
    path: &Path,
    job: impl FnOnce() -> Result<(), SnapshotError> + Send + 'static,
) -> Result<(), SnapshotError> {
    let died = |_| SnapshotError::Path {
        path: PathBuf::from(path),
        reason: "it cannot be worked on".to_owned(),
    };
    off_runtime(job).await.map_err(died)?
}

fn closed() -> MediaError {
    MediaError::broken("the cameras are closed")
}
