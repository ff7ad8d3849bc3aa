//! Settings of a session.

use std::path::PathBuf;

use super::facts::Patience;
use crate::config::kiosk::{AudioSink, Role, Video};
use crate::media::CaptureConfig;
use crate::media::codecs::Shape;
use crate::process::backoff::Reconnect;
use crate::tls::ClientTls;

/// Media and room profile of every call that a session makes.
#[derive(Debug, Clone)]
pub struct Settings {
    pub role: Role,
    /// Agents that may be called: user ids, or beginnings followed by `*`. Empty: all.
    pub agents: Vec<String>,
    pub patience: Patience,
    /// Start a call whenever none is running, as an agent's side does.
    pub auto_call: bool,
    /// `userName` in the room.
    pub user_name: String,
    /// Id of the room a host opens; empty lets the server choose.
    pub room_id: String,
    /// `roomInfo` of the room a host opens; at most 1024 bytes.
    pub room_info: String,
    /// Directory that snapshots are written to by command, and no other.
    pub snapshot_dir: PathBuf,
    pub capture: CaptureConfig,
    pub video: Video,
    pub audio_kbps: u32,
    pub speaker: AudioSink,
    /// Level that the speaker's mixer gets when it is opened, percent; `None` leaves it.
    pub speaker_level: Option<u8>,
    /// Loudness of the speaker, 0.0 to 1.0.
    pub volume: f64,
    /// The largest picture of others that is decoded, width and height in pixels.
    pub largest_picture: (u32, u32),
    /// For a lost stream to come back before its player or pusher gives up.
    pub reconnect: Reconnect,
    /// Trust in relays.
    pub relay_tls: ClientTls,
    /// Remarks on the configuration for a technician; in the status.
    pub warnings: Vec<String>,
}

impl Settings {
    /// The pictures that encoders are tried with, before there is a call.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            width: self.capture.width,
            height: self.capture.height,
            fps: self.capture.fps,
            kbps: self.video.bitrate_kbps,
        }
    }
}
