//! On the way into a room: devices and push URL, then the uplink, then `add_pusher`.

use super::ending::Ending;
use super::in_call::InCall;
use super::queueing::Queueing;
use super::state::{EndReason, Fault, FaultCode, Next, Step, Transition};
use super::{Action, Command, Event, Facts, RoomFailure};
use crate::config::kiosk::Role;

#[derive(Debug, Clone, PartialEq)]
pub struct Connecting {
    /// `None` until a host's room has its id.
    room_id: Option<String>,
    /// The room was asked for by its id: no other will do.
    chosen: bool,
    capture_ready: bool,
    have_push_url: bool,
    step: Step,
    muted: bool,
}

impl Connecting {
    /// Goes for a known room, or opens one.
    pub(super) fn enter(room_id: Option<String>, facts: &Facts) -> Next {
        Self::begin(room_id, false, facts)
    }

    /// Goes for a room that was asked for by its id.
    pub(super) fn enter_chosen(room_id: &str, facts: &Facts) -> Next {
        Self::begin(Some(room_id.to_owned()), true, facts)
    }

    fn begin(room_id: Option<String>, chosen: bool, facts: &Facts) -> Next {
        let mut actions = vec![Action::StartCapture];
        actions.push(match room_id.clone() {
            Some(room_id) => Action::GetPushUrl { room_id },
            None => Action::CreateRoom,
        });
        actions.push(Action::WakeIn(facts.patience.connect));
        let state = Self {
            room_id,
            chosen,
            capture_ready: false,
            have_push_url: false,
            step: Step::Preparing,
            muted: false,
        };
        Next::new(state, actions)
    }

    pub(super) fn transition(&self) -> Transition {
        Transition::Connecting {
            step: self.step,
            muted: self.muted,
        }
    }

    pub(super) fn handle(mut self, event: Event, facts: &Facts) -> Next {
        let fault = |code, reason: String| {
            Ending::enter(EndReason::Failed(Fault::new(code, reason)), facts)
        };
        match event {
            Event::Command(Command::HangUp) => Ending::enter(EndReason::HungUp, facts),
            Event::Command(Command::Mute(muted)) => {
                self.muted = muted;
                Next::new(self, vec![Action::SetMuted(muted)])
            }
            Event::Command(Command::Preview(on)) => Next::new(self, vec![Action::SetPreview(on)]),
            Event::Kicked { reason } => Ending::enter(EndReason::Kicked { reason }, facts),
            Event::RoomClosed { reason } => Ending::enter(EndReason::RoomClosed { reason }, facts),
            Event::LoginRefused { reason } => fault(FaultCode::LoginRefused, reason),
            Event::Wake => fault(
                FaultCode::TimedOut,
                format!("{} took too long", self.doing()),
            ),
            Event::CaptureReady(Err(reason)) => fault(FaultCode::NoDevice, reason),
            Event::PushLost(lost) => Ending::enter(EndReason::Failed(lost), facts),
            Event::RoomCreated(Err(failure)) | Event::PushUrl(Err(failure)) => {
                let (code, reason) = describe(failure);
                fault(code, reason)
            }
            Event::Entered(Err(failure)) => self.not_entered(failure, facts),
            Event::Entered(Ok(())) => match self.room_id {
                Some(room_id) => InCall::enter(room_id, self.muted, facts),
                None => Next::new(self, vec![]),
            },
            Event::RoomCreated(Ok(room_id)) => {
                self.room_id = Some(room_id.clone());
                Next::new(self, vec![Action::GetPushUrl { room_id }])
            }
            Event::CaptureReady(Ok(())) => {
                self.capture_ready = true;
                self.push_when_ready()
            }
            Event::PushUrl(Ok(())) => {
                self.have_push_url = true;
                self.push_when_ready()
            }
            Event::Pushing if self.step == Step::Pushing => self.enter_room(),
            _ => Next::new(self, vec![]),
        }
    }

    fn push_when_ready(mut self) -> Next {
        if !self.capture_ready || !self.have_push_url || self.step != Step::Preparing {
            return Next::new(self, vec![]);
        }
        self.step = Step::Pushing;
        Next::new(self, vec![Action::StartPush])
    }

    fn enter_room(mut self) -> Next {
        let Some(room_id) = self.room_id.clone() else {
            return Next::new(self, vec![]);
        };
        self.step = Step::Entering;
        Next::new(self, vec![Action::Enter { room_id }])
    }

    /// A guest whose room was taken in the meantime goes back into the queue.
    fn not_entered(&self, failure: RoomFailure, facts: &Facts) -> Next {
        match (failure, facts.role) {
            (RoomFailure::Taken(_), Role::Guest) if !self.chosen => {
                Queueing::enter_later(facts).after(Action::Leave)
            }
            (failure, _) => {
                let (code, reason) = describe(failure);
                Ending::enter(EndReason::Failed(Fault::new(code, reason)), facts)
            }
        }
    }

    fn doing(&self) -> &'static str {
        match self.step {
            Step::Preparing if !self.capture_ready => "opening camera and microphone",
            Step::Preparing => "asking for a push URL",
            Step::Pushing => "connecting to the relay",
            Step::Entering => "entering the room",
        }
    }
}

fn describe(failure: RoomFailure) -> (FaultCode, String) {
    match failure {
        RoomFailure::Unreachable(reason) => (FaultCode::NoRoomServer, reason),
        RoomFailure::Taken(reason) | RoomFailure::Refused(reason) => {
            (FaultCode::RoomRefused, reason)
        }
    }
}
