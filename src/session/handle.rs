//! A handle that commands a session and watches it.

use std::path::Path;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::command::{Command, Outgoing};
use super::status::Status;
use super::transition::Transition;
use crate::media::Cameras;

/// For the session to answer a request; it never waits, so this is generous.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// For a message to be confirmed: longer than the room client waits for it.
const SEND_DEADLINE: Duration = Duration::from_secs(12);

/// A reason why a session did not obey.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{0}")]
    Refused(String),
    #[error("the session has stopped")]
    Stopped,
}

/// A request to a session, with the place for its answer.
pub(super) enum Request {
    Command(Command, oneshot::Sender<Result<(), String>>),
    Send(Outgoing, oneshot::Sender<Result<(), String>>),
    Cameras(oneshot::Sender<Result<Cameras, String>>),
    Status(oneshot::Sender<Status>),
}

/// Commands a session and watches it; cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    requests: mpsc::Sender<Request>,
    transitions: watch::Receiver<Transition>,
}

impl SessionHandle {
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        transitions: watch::Receiver<Transition>,
    ) -> Self {
        Self {
            requests,
            transitions,
        }
    }

    /// Gives a command.
    ///
    /// # Errors
    /// `Refused`, with the reason, when it makes no sense in the present state.
    pub async fn command(&self, command: Command) -> Result<(), CommandError> {
        self.ask(|reply| Request::Command(command, reply))
            .await?
            .map_err(CommandError::Refused)
    }

    /// Sends a message to the other members.
    ///
    /// # Errors
    /// `Refused`, with the reason: no call, no message channel, too long, or not
    /// confirmed.
    pub async fn send(&self, message: Outgoing) -> Result<(), CommandError> {
        self.ask_within(SEND_DEADLINE, |reply| Request::Send(message, reply))
            .await?
            .map_err(CommandError::Refused)
    }

    /// Takes the picture from another camera from now on; returns when it does.
    ///
    /// # Errors
    /// `Refused`, with the reason: no call, no such camera, or one that does not
    /// deliver; the camera stays as it was.
    pub async fn switch_camera(&self, name: &str) -> Result<(), CommandError> {
        let switched = self.cameras().await?.switch(name).await;
        switched.map_err(|error| CommandError::Refused(error.to_string()))
    }

    /// Writes a picture of the camera that is in use, or of another one, as a JPEG file.
    ///
    /// # Errors
    /// `Refused`, with the reason: no call, no such camera, no picture, a path that
    /// cannot be used, or a file that exists.
    pub async fn snapshot(&self, camera: Option<&str>, path: &Path) -> Result<(), CommandError> {
        let written = self.cameras().await?.snapshot(camera, path).await;
        written.map_err(|error| CommandError::Refused(error.to_string()))
    }

    async fn cameras(&self) -> Result<Cameras, CommandError> {
        let cameras = self.ask(Request::Cameras).await?;
        cameras.map_err(CommandError::Refused)
    }

    /// The session's status now.
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
