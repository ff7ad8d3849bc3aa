//! Outcomes of actions and of the running things of a call, on their way to the shell.

use std::future::Future;

use secrecy::SecretString;
use tokio::sync::mpsc;

use super::devices::Devices;
use super::event::Event;
use crate::media::{MediaError, PlayEvent, PushEvent};
use crate::room::RoomError;

/// An outcome that the shell makes an event of.
pub(super) enum Outcome {
    Event(Event),
    Devices(Box<Result<Devices, MediaError>>),
    PushUrl(Result<SecretString, RoomError>),
    Push(PushEvent),
    /// Of the member with this userID.
    Play(String, PlayEvent),
}

/// Outcomes that may wait for the session; reporters wait when it is full.
pub(super) const OUTCOME_QUEUE: usize = 256;

/// An outcome with the number of the call that it belongs to.
pub(super) type NumberedOutcome = (u64, Outcome);

/// Reports outcomes of one call.
#[derive(Clone)]
pub(super) struct Reporter {
    outcomes: mpsc::Sender<NumberedOutcome>,
    call: u64,
}

impl Reporter {
    /// For the first call.
    pub(super) fn new(outcomes: mpsc::Sender<NumberedOutcome>) -> Self {
        Self { outcomes, call: 0 }
    }

    /// From now on for the next call: late reports of this one do not count any more.
    pub(super) fn begin_next_call(&mut self) {
        self.call += 1;
    }

    pub(super) fn is_of_call(&self, call: u64) -> bool {
        self.call == call
    }

    pub(super) async fn report(&self, outcome: Outcome) {
        // A closed channel means that the session has ended.
        let _ = self.outcomes.send((self.call, outcome)).await;
    }

    /// Runs `work` beside the session and reports its outcome.
    pub(super) fn spawn(&self, work: impl Future<Output = Outcome> + Send + 'static) {
        let reporter = self.clone();
        tokio::spawn(async move { reporter.report(work.await).await });
    }

    /// Makes a channel whose events are reported.
    pub(super) fn forward<T: Send + 'static>(
        &self,
        wrap: impl Fn(T) -> Outcome + Send + 'static,
    ) -> mpsc::Sender<T> {
        let (sender, mut receiver) = mpsc::channel(OUTCOME_QUEUE);
        let reporter = self.clone();
        tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                reporter.report(wrap(event)).await;
            }
        });
        sender
    }
}
