//! Events that the session decides on.

use serde::{Deserialize, Serialize};

use super::request::Request;
use crate::display::{Fault, FaultCode, Lack, ShownMessage};

/// Another member as the room server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub user_id: String,
    pub name: String,
    /// `accelerateURL`; carries a signature, so it is never logged whole.
    pub play_url: String,
}

/// The room of an idle agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub room_id: String,
    /// The user that opened it; empty where the server does not say.
    pub agent: String,
}

/// A reason why finding or entering a room failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RoomFailure {
    /// Full or gone: another room may do.
    Taken(String),
    /// The request could not be made now; it may work later.
    Unreachable(String),
    /// The server will not have it.
    Refused(String),
}

/// Something that happened. Results of actions come back as events too.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// One that the state machine decides on, and accepts in the present state.
    Request(Request),
    /// The room server accepted this kiosk's identity.
    LoggedIn,
    LoginRefused {
        reason: String,
    },
    /// `untrusted` when somebody answers who cannot prove to be the server.
    ServerUnreachable {
        untrusted: bool,
        reason: String,
    },
    ServerReachable,
    /// Result of `Action::FindRoom`: the room of an idle agent, if there is one.
    RoomFound(Result<Option<Found>, RoomFailure>),
    /// Result of `Action::CreateRoom`.
    RoomCreated(Result<String, RoomFailure>),
    /// Result of `Action::StartCapture`.
    CaptureReady(Result<(), String>),
    /// Result of `Action::GetPushUrl`; the URL itself stays with the running call.
    PushUrl(Result<(), RoomFailure>),
    /// PUSH_EVT 1002.
    Pushing,
    /// PUSH_WARNING 1102.
    PushReconnecting,
    /// PUSH_ERR -1307.
    PushLost(Fault),
    /// Result of `Action::Enter`.
    Entered(Result<(), RoomFailure>),
    MemberJoined(Peer),
    /// The member's name or play URL changed.
    MemberChanged(Peer),
    MemberLeft {
        user_id: String,
    },
    /// Another member sent a text.
    Said(ShownMessage),
    RoomClosed {
        reason: String,
    },
    Kicked {
        reason: String,
    },
    /// PLAY_EVT 2004.
    Playing {
        user_id: String,
    },
    /// PLAY_WARNING 2103, or PLAY_EVT 2007.
    PlayDisturbed {
        user_id: String,
    },
    /// Whether a member's picture and sound flow; `None` = never came.
    Flow {
        user_id: String,
        picture: Option<bool>,
        sound: Option<bool>,
    },
    /// Whether our own devices work.
    OwnDevices(SoundDevices),
    /// Whether those of a member work, by their own account.
    TheirDevices {
        user_id: String,
        devices: SoundDevices,
    },
    /// PLAY_ERR -2301.
    PlayLost {
        user_id: String,
        reason: String,
    },
    /// Result of `Action::Leave`.
    Left,
    /// The time set by `Action::WakeIn` has come.
    Wake,
}

/// The devices without which nobody is heard, and whether each works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SoundDevices {
    pub microphone: bool,
    pub speaker: bool,
}

impl Default for SoundDevices {
    fn default() -> Self {
        Self {
            microphone: true,
            speaker: true,
        }
    }
}

impl SoundDevices {
    /// Those that do not work.
    pub(super) fn lacks(self) -> impl Iterator<Item = Lack> {
        let microphone = (!self.microphone).then_some(Lack::Microphone);
        let speaker = (!self.speaker).then_some(Lack::Speaker);
        microphone.into_iter().chain(speaker)
    }
}

impl Event {
    /// The fault that an event of the room server means, if it means one.
    pub(super) fn server_fault(&self) -> Option<Fault> {
        match self {
            Self::ServerUnreachable { untrusted, reason } => {
                let code = match untrusted {
                    true => FaultCode::Untrusted,
                    false => FaultCode::NoRoomServer,
                };
                Some(Fault::new(code, reason))
            }
            Self::LoginRefused { reason } => Some(Fault::new(FaultCode::LoginRefused, reason)),
            _ => None,
        }
    }
}
