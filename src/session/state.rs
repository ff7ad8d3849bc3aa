//! What a session can be in, why it left, and what the screen, the journal and tests see of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Action, Command, Event, Facts, Outgoing};
use super::{attract, connecting, ending, in_call, out_of_service, queueing, starting};

/// Short code of a fault, for the screen and for support staff on the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum FaultCode {
    /// The room server cannot be reached.
    #[serde(rename = "N-3")]
    NoRoomServer,
    /// The room server refuses this kiosk's identity.
    #[serde(rename = "N-4")]
    LoginRefused,
    /// The relay cannot be reached or went away.
    #[serde(rename = "N-5")]
    NoRelay,
    /// The relay refuses the push URL.
    #[serde(rename = "N-6")]
    PushRefused,
    /// The room server refuses the room.
    #[serde(rename = "N-7")]
    RoomRefused,
    /// Something did not answer in time.
    #[serde(rename = "N-8")]
    TimedOut,
    /// Room server or relay could not prove who it is: a certificate, or this board's clock.
    #[serde(rename = "N-9")]
    Untrusted,
    /// No camera, or no microphone, that can be used.
    #[serde(rename = "M-1")]
    NoDevice,
}

impl FaultCode {
    /// The code as it stands on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRoomServer => "N-3",
            Self::LoginRefused => "N-4",
            Self::NoRelay => "N-5",
            Self::PushRefused => "N-6",
            Self::RoomRefused => "N-7",
            Self::TimedOut => "N-8",
            Self::Untrusted => "N-9",
            Self::NoDevice => "M-1",
        }
    }
}

/// A fault with its reason in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub code: FaultCode,
    pub reason: String,
}

impl Fault {
    pub fn new(code: FaultCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.reason)
    }
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum EndReason {
    /// Somebody at the kiosk hung up.
    HungUp,
    /// The last other member left, or was dropped by the room server.
    PeerLeft,
    /// The room was closed.
    RoomClosed {
        reason: String,
    },
    /// This identity logged in elsewhere or was removed.
    Kicked {
        reason: String,
    },
    Failed(Fault),
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HungUp => f.write_str("hung up"),
            Self::PeerLeft => f.write_str("the other side left"),
            Self::RoomClosed { reason } => write!(f, "the room was closed: {reason}"),
            Self::Kicked { reason } => write!(f, "removed from the room: {reason}"),
            Self::Failed(fault) => write!(f, "{fault}"),
        }
    }
}

/// What is being done to get into a call, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Camera and microphone open, and a push URL is fetched.
    Preparing,
    /// The uplink connects, until PUSH_EVT 1002.
    Pushing,
    /// `add_pusher` is on its way.
    Entering,
}

/// A way between us and the relay, as the screen shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    Connecting,
    Up,
    Lost,
    /// Not wanted: a member who is not played.
    Off,
}

/// Another member of the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remote {
    pub name: String,
    pub downlink: Link,
}

/// The session's state as everyone outside sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Transition {
    Starting,
    OutOfService {
        fault: Fault,
    },
    Attract,
    Queueing,
    Connecting {
        step: Step,
        muted: bool,
    },
    InCall {
        room_id: String,
        uplink: Link,
        /// By userID.
        members: BTreeMap<String, Remote>,
        room_server_reachable: bool,
        /// The others hear nothing of us.
        muted: bool,
        /// The last text, for some seconds: "name: text".
        said: Option<String>,
    },
    Ending {
        reason: EndReason,
    },
}

impl Transition {
    /// The same without what somebody said.
    #[must_use]
    pub fn without_text(&self) -> Self {
        let mut state = self.clone();
        if let Self::InCall { said, .. } = &mut state {
            *said = None;
        }
        state
    }

    /// The line of text that the screen shows.
    #[must_use]
    pub fn status_line(&self) -> String {
        match self {
            Self::Starting => "Starting".into(),
            Self::OutOfService { fault } => {
                format!(
                    "Out of service ({}): {}. Trying again",
                    fault.code.as_str(),
                    fault.reason
                )
            }
            Self::Attract => "Press the button to call".into(),
            Self::Queueing => "All agents are busy. Please wait".into(),
            Self::Connecting { step, .. } => match step {
                Step::Preparing => "Connecting: camera and microphone".into(),
                Step::Pushing => "Connecting: sending your picture".into(),
                Step::Entering => "Connecting: entering the room".into(),
            },
            Self::InCall {
                said: Some(said), ..
            } => said.clone(),
            Self::InCall { members, .. } if members.is_empty() => {
                "Waiting for the other side".into()
            }
            Self::InCall {
                uplink: Link::Lost | Link::Connecting,
                ..
            } => "The connection is disturbed. Please stay".into(),
            Self::InCall { members, muted, .. } => {
                let names: Vec<_> = members
                    .values()
                    .map(|member| member.name.as_str())
                    .collect();
                let muted = if *muted { " (microphone off)" } else { "" };
                format!("In call with {}{muted}", names.join(", "))
            }
            Self::Ending { reason } => format!("Call ended: {reason}"),
        }
    }
}

/// The state with all it remembers; its parts are in one file per state.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    Starting(starting::Starting),
    OutOfService(out_of_service::OutOfService),
    Attract(attract::Attract),
    Queueing(queueing::Queueing),
    Connecting(connecting::Connecting),
    InCall(in_call::InCall),
    Ending(ending::Ending),
}

/// What follows from an event: a state, and what is to be done in this order.
#[derive(Debug, PartialEq)]
pub struct Next {
    pub state: State,
    pub actions: Vec<Action>,
}

impl Next {
    pub(super) fn new(state: impl Into<State>, actions: Vec<Action>) -> Self {
        Self {
            state: state.into(),
            actions,
        }
    }

    /// The same with `first` done before everything else.
    pub(super) fn after(mut self, first: Action) -> Self {
        self.actions.insert(0, first);
        self
    }
}

impl State {
    /// What to do about an event. Pure: the clock and the settings are in `facts`.
    #[must_use]
    pub fn handle(self, event: Event, facts: &Facts) -> Next {
        match self {
            Self::Starting(state) => state.handle(&event, facts),
            Self::OutOfService(state) => state.handle(&event, facts),
            Self::Attract(state) => state.handle(&event, facts),
            Self::Queueing(state) => state.handle(event, facts),
            Self::Connecting(state) => state.handle(event, facts),
            Self::InCall(state) => state.handle(event, facts),
            Self::Ending(state) => state.handle(&event, facts),
        }
    }

    /// Whether a command makes sense now; if not, the words for whoever gave it.
    ///
    /// # Errors
    /// Why the command is refused.
    pub fn accepts(&self, command: &Command) -> Result<(), String> {
        let fits = match command {
            Command::Enter(room_id) if !is_room_id(room_id) => {
                return Err(format!(
                    "a room id has 1 to {ROOM_ID_LIMIT} bytes and no control characters"
                ));
            }
            Command::Call | Command::Host | Command::Enter(_) => matches!(self, Self::Attract(_)),
            Command::Preview(_) => matches!(
                self,
                Self::Attract(_) | Self::Connecting(_) | Self::InCall(_)
            ),
            Command::View { user_id, .. } => match self {
                Self::InCall(call) => return call.accepts_view(user_id),
                _ => false,
            },
            Command::Mute(_) => matches!(self, Self::Connecting(_) | Self::InCall(_)),
            Command::HangUp => {
                matches!(
                    self,
                    Self::Queueing(_) | Self::Connecting(_) | Self::InCall(_)
                )
            }
        };
        if fits {
            return Ok(());
        }
        let wanted = match command {
            Command::Call | Command::Host | Command::Enter(_) => "a call starts",
            Command::Preview(_) => "the own picture is shown",
            Command::View { .. } => "a member is played",
            Command::Mute(_) => "the microphone is switched",
            Command::HangUp => "a call can be ended",
        };
        Err(format!(
            "{wanted} only in another state; now: {}",
            self.transition().status_line()
        ))
    }

    /// Whether the camera can be switched and snapshots be taken now; if not, the words for
    /// whoever wants to.
    ///
    /// # Errors
    /// Why not.
    pub fn accepts_camera_work(&self) -> Result<(), String> {
        match self {
            Self::Connecting(_) | Self::InCall(_) => Ok(()),
            _ => Err(format!(
                "cameras are used only in a call; now: {}",
                self.transition().status_line()
            )),
        }
    }

    /// Whether a message can be sent now; if not, the words for whoever wants to.
    ///
    /// # Errors
    /// Why not.
    pub fn accepts_message(&self, message: &Outgoing) -> Result<(), String> {
        match (self, message) {
            (Self::InCall(_), _) | (_, Outgoing::C2c { .. }) => Ok(()),
            _ => Err(format!(
                "a message to the room is sent only in a call; now: {}",
                self.transition().status_line()
            )),
        }
    }

    /// The state as everyone outside sees it.
    #[must_use]
    pub fn transition(&self) -> Transition {
        match self {
            Self::Starting(_) => Transition::Starting,
            Self::OutOfService(state) => Transition::OutOfService {
                fault: state.fault.clone(),
            },
            Self::Attract(_) => Transition::Attract,
            Self::Queueing(_) => Transition::Queueing,
            Self::Connecting(state) => state.transition(),
            Self::InCall(state) => state.transition(),
            Self::Ending(state) => Transition::Ending {
                reason: state.reason.clone(),
            },
        }
    }
}

/// Longest id of a room in bytes, of all servers.
const ROOM_ID_LIMIT: usize = 128;

fn is_room_id(id: &str) -> bool {
    (1..=ROOM_ID_LIMIT).contains(&id.len()) && !id.contains(char::is_control)
}

macro_rules! into_state {
    ($($state:ident = $path:path),+ $(,)?) => {$(
        impl From<$path> for State {
            fn from(state: $path) -> Self {
                Self::$state(state)
            }
        }
    )+};
}

into_state! {
    Starting = starting::Starting,
    OutOfService = out_of_service::OutOfService,
    Attract = attract::Attract,
    Queueing = queueing::Queueing,
    Connecting = connecting::Connecting,
    InCall = in_call::InCall,
    Ending = ending::Ending,
}
