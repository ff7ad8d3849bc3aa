//! The status of a session.

use std::collections::BTreeMap;

use serde::Serialize;

use super::transition::Transition;
use crate::media::codecs::CodecReport;
use crate::media::{DownlinkStats, EchoStatus, GroupStatus, UplinkStats};
use crate::room::RoomSnapshot;

/// The status of a kiosk, as `rtckiosk status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Choices of the configuration that are allowed, but not safe.
    pub warnings: Vec<String>,
    pub session: Transition,
    pub in_state_seconds: f64,
    pub room: RoomSnapshot,
    /// Only in a call.
    pub devices: Option<DeviceStatus>,
    pub uplink: Option<UplinkStats>,
    /// From handing a member's picture to the screen to its being shown there, in ms; smoothed.
    pub screen_ms: Option<f64>,
    /// By userID.
    pub downlinks: BTreeMap<String, DownlinkStats>,
    /// In a call.
    pub echo: Option<EchoStatus>,
    /// Encoders and decoders that work, and why others do not.
    pub codecs: Option<CodecReport>,
    /// The last messages of others, oldest first.
    pub messages: Vec<Received>,
    /// The last events, oldest first, with seconds since the start.
    pub events: Vec<String>,
}

/// The devices that a call uses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceStatus {
    pub camera: GroupStatus,
    pub microphone: GroupStatus,
    pub speaker: GroupStatus,
}

/// A message of somebody else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Received {
    /// Since the start of the session.
    pub seconds: f64,
    /// The sender's userID.
    pub from: String,
    /// The name they give themselves.
    pub name: String,
    /// To this kiosk alone, not to the room.
    pub private: bool,
    /// Absent in a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<String>,
    pub text: String,
}
