//! Start and end of a session.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::handle::SessionHandle;
use super::outcome::OUTCOME_QUEUE;
use super::settings::Settings;
use super::shell::Shell;
use super::transition::Transition;
use crate::display::DisplayHandle;
use crate::room::{RoomEvent, RoomHandle};

/// Questions that may wait; whoever asks waits when it is full.
const QUESTIONS: usize = 16;

/// A running session; stop it to leave the room in good order.
#[derive(Debug)]
pub struct Session {
    handle: SessionHandle,
    stop: CancellationToken,
    task: JoinHandle<()>,
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
        let (questions, question_queue) = mpsc::channel(QUESTIONS);
        let (outcomes, outcome_queue) = mpsc::channel(OUTCOME_QUEUE);
        let (published, transitions) = watch::channel(Transition::Starting);
        let stop = CancellationToken::new();
        let shell = Shell::new(settings, room, display, published, outcomes);
        let task =
            tokio::spawn(shell.run(question_queue, room_events, outcome_queue, stop.clone()));
        Self {
            handle: SessionHandle::new(questions, transitions),
            stop,
            task,
        }
    }

    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    /// Leaves the room and closes the devices; done within [`Patience::leave`](super::Patience::leave).
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            log::error!("the session ended badly: {error}");
        }
    }
}
