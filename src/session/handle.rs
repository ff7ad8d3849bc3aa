//! The session from outside: settings to start it with, and a handle to command and watch it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::shell::{QUEUE, Shell};
use super::{Command, Outgoing, Patience, Transition};
use crate::config::kiosk::Role;
use crate::config::kiosk::{AudioSink, Video};
use crate::display::DisplayHandle;
use crate::media::codecs::{CodecReport, Shape};
use crate::media::{Cameras, CaptureConfig, DownlinkStats, EchoStatus, GroupStatus, UplinkStats};
use crate::process::backoff::Reconnect;
use crate::room::{RoomEvent, RoomHandle, RoomSnapshot};
use crate::tls::ClientTls;

/// For the session to answer a request; it never waits, so this is generous.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// For a message to be confirmed: longer than the room client waits for it.
const SEND_DEADLINE: Duration = Duration::from_secs(12);
/// Requests that may wait.
const REQUESTS: usize = 16;

/// Media and room profile of every call that a session makes.
#[derive(Debug, Clone)]
pub struct Settings {
    pub role: Role,
    pub patience: Patience,
    /// Start a call whenever none is running, as an agent's side does.
    pub auto_call: bool,
    /// `userName` in the room.
    pub user_name: String,
    /// Id of the room a host opens; empty lets the server choose.
    pub room_id: String,
    /// `roomInfo` of the room a host opens; at most 1024 bytes.
    pub room_info: String,
    pub capture: CaptureConfig,
    pub video: Video,
    pub audio_kbps: u32,
    pub speaker: AudioSink,
    /// What the speaker's mixer is set to when it is opened, percent; `None` leaves it.
    pub speaker_level: Option<u8>,
    /// Loudness of the speaker, 0.0 to 1.0.
    pub volume: f64,
    /// For a lost stream to come back before its player or pusher gives up.
    pub reconnect: Reconnect,
    /// Whom to trust as a relay.
    pub relay_tls: ClientTls,
    /// What a technician should know of the configuration; in the status.
    pub warnings: Vec<String>,
}

impl Settings {
    /// What encoders are tried with, before there is a call.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            width: self.capture.width,
            height: self.capture.height,
            fps: self.capture.fps,
            kbps: self.video.bitrate_kbps,
        }
    }
}

/// What `rtckiosk status` shows.
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
    /// Which encoders and decoders work, and why others do not.
    pub codecs: Option<CodecReport>,
    /// The last messages of others, oldest first.
    pub messages: Vec<Received>,
    /// The last events, oldest first, with seconds since the start.
    pub events: Vec<String>,
}

/// Which devices a call uses.
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
    /// The sender's user id.
    pub from: String,
    /// What he calls himself.
    pub name: String,
    /// To this kiosk alone, not to the room.
    pub private: bool,
    /// Absent in a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<String>,
    pub text: String,
}

/// Why a session did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{0}")]
    Refused(String),
    #[error("the session has stopped")]
    Stopped,
}

pub(super) enum Request {
    Command(Command, oneshot::Sender<Result<(), String>>),
    Send(Outgoing, oneshot::Sender<Result<(), String>>),
    Cameras(oneshot::Sender<Result<Cameras, String>>),
    Status(oneshot::Sender<Status>),
}

/// A running session; stop it to leave the room in good order.
#[derive(Debug)]
pub struct Session {
    handle: SessionHandle,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Commands a session and watches it; cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    requests: mpsc::Sender<Request>,
    transitions: watch::Receiver<Transition>,
}

impl Session {
    /// Starts a session for a room client and its events.
    #[must_use]
    pub fn start(
        settings: Settings,
        room: RoomHandle,
        room_events: mpsc::Receiver<RoomEvent>,
        display: Option<DisplayHandle>,
    ) -> Self {
        let (requests, request_queue) = mpsc::channel(REQUESTS);
        let (outcomes, outcome_queue) = mpsc::channel(QUEUE);
        let (shown, transitions) = watch::channel(Transition::Starting);
        let stop = CancellationToken::new();
        let shell = Shell::new(settings, room, display, shown, outcomes);
        let task = tokio::spawn(shell.run(request_queue, room_events, outcome_queue, stop.clone()));
        Self {
            handle: SessionHandle {
                requests,
                transitions,
            },
            stop,
            task,
        }
    }

    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    /// Leaves the room and closes the devices; done within [`Patience::leave`].
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            log::error!("the session ended badly: {error}");
        }
    }
}

impl SessionHandle {
    /// Gives a command.
    ///
    /// # Errors
    /// `Refused`, with words for the person, when it makes no sense in the present state.
    pub async fn command(&self, command: Command) -> Result<(), CommandError> {
        self.ask(|reply| Request::Command(command, reply))
            .await?
            .map_err(CommandError::Refused)
    }

    /// Sends a message to the other members.
    ///
    /// # Errors
    /// `Refused`, with words for the person: no call, no message channel, too long, or not
    /// confirmed.
    pub async fn send(&self, message: Outgoing) -> Result<(), CommandError> {
        self.ask_within(SEND_DEADLINE, |reply| Request::Send(message, reply))
            .await?
            .map_err(CommandError::Refused)
    }

    /// Takes the picture from another camera from now on; returns when it does.
    ///
    /// # Errors
    /// `Refused`, with words for the person: no call, no such camera, or one that does not
    /// deliver; the camera stays as it was.
    pub async fn switch_camera(&self, name: &str) -> Result<(), CommandError> {
        let switched = self.cameras().await?.switch(name).await;
        switched.map_err(|error| CommandError::Refused(error.to_string()))
    }

    /// Writes a picture of the camera that is in use, or of another one, as a JPEG file.
    ///
    /// # Errors
    /// `Refused`, with words for the person: no call, no such camera, no picture, a path that
    /// cannot be used, or a file that exists.
    pub async fn snapshot(&self, camera: Option<&str>, path: &Path) -> Result<(), CommandError> {
        let written = self.cameras().await?.snapshot(camera, path).await;
        written.map_err(|error| CommandError::Refused(error.to_string()))
    }

    async fn cameras(&self) -> Result<Cameras, CommandError> {
        let cameras = self.ask(Request::Cameras).await?;
        cameras.map_err(CommandError::Refused)
    }

    /// Everything about the session now.
    ///
    /// # Errors
    /// `Stopped` when the session does not run any more.
    pub async fn status(&self) -> Result<Status, CommandError> {
        self.ask(Request::Status).await
    }

    /// The state, now and as it changes.
    #[must_use]
    pub fn transitions(&self) -> watch::Receiver<Transition> {
        self.transitions.clone()
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, CommandError> {
        self.ask_within(ANSWER_DEADLINE, request).await
    }

    async fn ask_within<T>(
        &self,
        deadline: Duration,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.requests.send(request(reply)).await.ok()?;
            answer.await.ok()
        };
        timeout(deadline, exchange)
            .await
            .ok()
            .flatten()
            .ok_or(CommandError::Stopped)
    }
}
