//! On the way into a room: devices and push URL, then the uplink, then `add_pusher`.

use super::decision::{Decision, Destination, Entry, FirstLook};
use crate::config::kiosk::Role;
use crate::display::ConnectingStep as Step;
use crate::display::{EndReason, Fault, FaultCode};
use crate::session::action::Action;
use crate::session::event::{Event, Found, Peer, RoomFailure};
use crate::session::facts::Facts;
use crate::session::request::Request;
use crate::session::transition::Transition;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::session) struct Connecting {
    destination: Destination,
    /// `None` until a host's room has its id.
    room_id: Option<String>,
    capture_ready: bool,
    have_push_url: bool,
    /// The push URL is the second one.
    renewed: bool,
    step: Step,
    muted: bool,
    /// Members of the room whose news overtook that of our own entering.
    members: Vec<Peer>,
}

impl Connecting {
    pub(in crate::session) fn enter(
        destination: Destination,
        facts: &Facts,
    ) -> (Self, Vec<Action>) {
        let (room_id, first_request) = match &destination {
            Destination::OwnRoom => (None, Action::CreateRoom),
            Destination::Found(Found { room_id: id, .. }) | Destination::Chosen(id) => {
                let room_id = id.clone();
                (Some(id.clone()), Action::GetPushUrl { room_id })
            }
        };
        let state = Self {
            destination,
            room_id,
            capture_ready: false,
            have_push_url: false,
            renewed: false,
            step: Step::Preparing,
            muted: false,
            members: Vec::new(),
        };
        let deadline = Action::WakeIn(facts.patience.connect);
        (state, vec![Action::StartCapture, first_request, deadline])
    }

    pub(in crate::session) fn transition(&self) -> Transition {
        Transition::Connecting {
            step: self.step,
            muted: self.muted,
        }
    }

    pub(in crate::session) fn handle(self, event: Event, facts: &Facts) -> Decision<Self> {
        match event {
            Event::Request(request) => self.obey(&request),
            Event::Kicked { reason } => Decision::end(EndReason::Kicked { reason }),
            Event::RoomClosed { reason } => Decision::end(EndReason::RoomClosed { reason }),
            Event::LoginRefused { reason } => fail(FaultCode::LoginRefused, reason),
            Event::Wake => {
                let reason = format!("{} took too long", self.present_work());
                fail(FaultCode::TimedOut, reason)
            }
            Event::CaptureReady(Err(reason)) => fail(FaultCode::NoDevice, reason),
            Event::PushLost(lost) => self.not_pushed(lost),
            Event::RoomCreated(Err(failure)) | Event::PushUrl(Err(failure)) => of_room(failure),
            Event::Entered(Err(failure)) => self.not_entered(failure, facts),
            event => self.advance(event),
        }
    }

    fn obey(mut self, request: &Request) -> Decision<Self> {
        match *request {
            Request::HangUp => Decision::end(EndReason::HungUp),
            Request::Mute { on: muted } => {
                self.muted = muted;
                Decision::Stay(self, vec![Action::SetMuted(muted)])
            }
            Request::Preview { on } => Decision::Stay(self, vec![Action::SetPreview(on)]),
            _ => Decision::stay(self),
        }
    }

    /// Goes on to the next step when everything for it is there.
    fn advance(mut self, event: Event) -> Decision<Self> {
        match event {
            Event::RoomCreated(Ok(room_id)) => {
                self.room_id = Some(room_id.clone());
                Decision::Stay(self, vec![Action::GetPushUrl { room_id }])
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
            Event::MemberJoined(peer) | Event::MemberChanged(peer)
                if self.step == Step::Entering =>
            {
                self.members.retain(|known| known.user_id != peer.user_id);
                self.members.push(peer);
                Decision::stay(self)
            }
            Event::MemberLeft { user_id } => {
                self.members.retain(|known| known.user_id != user_id);
                Decision::stay(self)
            }
            Event::Entered(Ok(())) => match self.room_id {
                Some(room_id) => Decision::enter(Entry::InCall {
                    room_id,
                    muted: self.muted,
                    members: self.members,
                    agent: match self.destination {
                        Destination::Found(found) => Some(found.agent),
                        Destination::OwnRoom | Destination::Chosen(_) => None,
                    },
                }),
                None => Decision::stay(self),
            },
            _ => Decision::stay(self),
        }
    }

    fn push_when_ready(mut self) -> Decision<Self> {
        if !self.capture_ready || !self.have_push_url || self.step != Step::Preparing {
            return Decision::stay(self);
        }
        self.step = Step::Pushing;
        Decision::Stay(self, vec![Action::StartPush])
    }

    fn enter_room(mut self) -> Decision<Self> {
        let Some(room_id) = self.room_id.clone() else {
            return Decision::stay(self);
        };
        self.step = Step::Entering;
        Decision::Stay(self, vec![Action::Enter { room_id }])
    }

    /// Sends a guest whose room was taken in the meantime back into the queue. A push URL that the
    /// server does not take is replaced once: it may be of the time before a restart.
    fn not_entered(self, failure: RoomFailure, facts: &Facts) -> Decision<Self> {
        match (failure, &self.destination, &self.room_id) {
            (RoomFailure::Taken(_), Destination::Found(found), _) if facts.role == Role::Guest => {
                let agent = found.agent.clone();
                let actions = vec![Action::PassOver { agent }, Action::Leave];
                Decision::Enter(Entry::Queueing(FirstLook::Later), actions)
            }
            (RoomFailure::Refused(_), _, Some(room_id)) if !self.renewed => {
                let room_id = room_id.clone();
                self.renew(room_id)
            }
            (failure, ..) => of_room(failure),
        }
    }

    /// Asks for another push URL where the relay does not take the first.
    fn not_pushed(self, lost: Fault) -> Decision<Self> {
        match self.room_id.clone() {
            Some(room_id) if lost.code == FaultCode::PushRefused && !self.renewed => {
                self.renew(room_id)
            }
            _ => Decision::end(EndReason::Failed(lost)),
        }
    }

    fn renew(mut self, room_id: String) -> Decision<Self> {
        self.renewed = true;
        self.have_push_url = false;
        self.step = Step::Preparing;
        Decision::Stay(self, vec![Action::StopPush, Action::GetPushUrl { room_id }])
    }

    /// The work that is not done yet, for the message of a timeout.
    fn present_work(&self) -> &'static str {
        match self.step {
            Step::Preparing if !self.capture_ready => "opening camera and microphone",
            Step::Preparing => "asking for a push URL",
            Step::Pushing => "connecting to the relay",
            Step::Entering => "entering the room",
        }
    }
}

fn fail(code: FaultCode, reason: String) -> Decision<Connecting> {
    Decision::end(EndReason::Failed(Fault::new(code, reason)))
}

fn of_room(failure: RoomFailure) -> Decision<Connecting> {
    match failure {
        RoomFailure::Unreachable(reason) => fail(FaultCode::NoRoomServer, reason),
        RoomFailure::Taken(reason) | RoomFailure::Refused(reason) => {
            fail(FaultCode::RoomRefused, reason)
        }
    }
}
