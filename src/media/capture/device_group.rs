//! One kind of device that is kept delivering: its devices, its stand-in, what is told of them
//! and what can be asked. The work is done in `supervisor`, decisions are made in `device_choice`.

use tokio::sync::oneshot;

use super::capture_pipeline::Build;
use super::still::Stills;
use crate::media::devices::DeviceKind;
use crate::media::error::MediaError;
use crate::media::push_event::Events;
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

/// One device of a group.
pub(super) struct Device {
    pub(super) name: String,
    /// Finds the device and builds its pipeline; may block.
    pub(super) build: Build,
}

/// A request to a group that delivers.
pub(super) enum Order {
    /// Deliver from this device, by its place in the group. Answered when it does.
    Switch(usize, Reply),
    /// Tell the outlet of stills of what delivers now, and its place.
    Stills(oneshot::Sender<Option<(usize, Stills)>>),
}

pub(super) type Reply = oneshot::Sender<Result<(), MediaError>>;

/// Devices of one kind, their stand-in, and what is told of them.
pub(super) struct DeviceGroup {
    /// "camera" or "microphone".
    pub(super) what: &'static str,
    pub(super) kind: DeviceKind,
    pub(super) codes: Codes,
    pub(super) events: Events,
    /// Devices, at least one; the first is wanted at the start.
    pub(super) devices: Vec<Device>,
    /// Builds what flows while no device delivers.
    pub(super) stand_in: Build,
}
