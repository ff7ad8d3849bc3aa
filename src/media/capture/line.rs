//! One kind of device that is kept delivering: its devices, its stand-in, what is told of them
//! and what can be asked. The work is done in `supervisor`, decisions are made in `rota`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::super::MediaError;
use super::super::devices::hotplug::Kind;
use super::super::push_event::Events;
use super::source::Source;
use super::still::Stills;
use super::supervisor::Supervisor;
use crate::protocol::events::PushCode;

/// The events of one kind of device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    /// The device is open.
    pub(super) opened: Option<PushCode>,
    pub(super) first_frame: Option<PushCode>,
    /// The device cannot be opened.
    pub(super) failed: PushCode,
    /// The device worked and is gone.
    pub(super) lost: PushCode,
    /// The device works again.
    pub(super) back: Option<PushCode>,
}

pub(super) type Build = Arc<dyn Fn() -> Result<Source, MediaError> + Send + Sync>;

/// One device of a line.
pub(super) struct Device {
    pub(super) name: String,
    /// Finds the device and builds its pipeline; may block.
    pub(super) build: Build,
}

/// What is asked of a line that runs.
pub(super) enum Order {
    /// Deliver from this device, by its place in the line. Answered when it does.
    Switch(usize, Reply),
    /// Where stills of what delivers now can be had, and its place.
    Stills(oneshot::Sender<Option<(usize, Stills)>>),
}

pub(super) type Reply = oneshot::Sender<Result<(), MediaError>>;

/// One kind of device as `status` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LineStatus {
    /// The device that delivers; none while a stand-in does.
    pub live: Option<String>,
    /// The device that is to deliver.
    pub wanted: String,
    /// Why a device does not deliver, by name; renewed with each try.
    pub faults: BTreeMap<String, String>,
    /// Of cameras, by name: whether the H.264 that they make themselves can be sent, or why not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub own_h264: BTreeMap<String, String>,
}

/// Devices of one kind, their stand-in, and what is told of them.
pub(super) struct Line {
    /// "camera" or "microphone".
    pub(super) what: &'static str,
    pub(super) kind: Kind,
    pub(super) codes: Codes,
    pub(super) events: Events,
    /// At least one; the first is wanted at the start.
    pub(super) devices: Vec<Device>,
    /// Builds what flows while no device delivers.
    pub(super) stand_in: Build,
}

impl Line {
    /// Runs until `stop`; tells `opened` how the first try of each device went, or that one
    /// delivers.
    pub(super) async fn run(
        self,
        stop: CancellationToken,
        orders: mpsc::Receiver<Order>,
        status: watch::Sender<LineStatus>,
        opened: Reply,
    ) {
        let mut supervisor = Supervisor::new(self, status, opened);
        stop.run_until_cancelled(supervisor.supervise(orders)).await;
        supervisor.close().await;
    }
}
