//! A handle that commands a session and watches it.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::request::Request;
use super::status::Status;
use super::transition::Transition;

/// For the session to answer by itself; it never waits, so this is generous.
const STATUS_DEADLINE: Duration = Duration::from_secs(2);
/// For a request to be carried out: longer than a message may take to be confirmed (10 s) and a
/// camera to be switched, shorter than the control socket's 15 s.
const REQUEST_DEADLINE: Duration = Duration::from_secs(14);

/// A reason why a session did not obey.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{0}")]
    Refused(String),
    #[error("the session has stopped")]
    Stopped,
}

/// Something asked of a session, with the place for its answer.
pub(super) enum Question {
    Request(Request, oneshot::Sender<Result<(), String>>),
    Status(oneshot::Sender<Status>),
}

/// Commands a session and watches it; cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    questions: mpsc::Sender<Question>,
    transitions: watch::Receiver<Transition>,
}

impl SessionHandle {
    pub(super) fn new(
        questions: mpsc::Sender<Question>,
        transitions: watch::Receiver<Transition>,
    ) -> Self {
        Self {
            questions,
            transitions,
        }
    }

    /// Has a request carried out; returns when it is. [`Request::Status`] only finds out
    /// whether the session runs: its answer is [`status`](Self::status).
    ///
    /// # Errors
    /// `Refused`, with the reason: it makes no sense in the present state, or it failed. A
    /// camera that could not be switched stays as it was, and a message that was not confirmed
    /// is not sent again.
    pub async fn request(&self, request: Request) -> Result<(), CommandError> {
        self.ask(REQUEST_DEADLINE, |reply| Question::Request(request, reply))
            .await?
            .map_err(CommandError::Refused)
    }

    /// The session's status now.
    ///
    /// # Errors
    /// `Stopped` when the session does not run any more.
    pub async fn status(&self) -> Result<Status, CommandError> {
        self.ask(STATUS_DEADLINE, Question::Status).await
    }

    /// The state, now and as it changes.
    #[must_use]
    pub fn transitions(&self) -> watch::Receiver<Transition> {
        self.transitions.clone()
    }

    async fn ask<T>(
        &self,
        deadline: Duration,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.questions.send(question(reply)).await.ok()?;
            answer.await.ok()
        };
        timeout(deadline, exchange)
            .await
            .ok()
            .flatten()
            .ok_or(CommandError::Stopped)
    }
}
