//! What a session is told and what it asks to be done.

use std::time::{Duration, Instant};

use super::state::{EndReason, Fault, State, Transition};
use crate::config::kiosk::Role;

/// What a person, or the control socket, asks of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make a call as the configuration says: as guest or as host.
    Call,
    /// Open a room and wait in it, whatever the configuration says.
    Host,
    /// Enter this room, whatever the configuration says.
    Enter(String),
    HangUp,
    /// Send silence in place of the sound; ends with the call.
    Mute(bool),
    /// Show the own picture or not. Between calls the camera opens for it, and nothing is sent.
    Preview(bool),
    /// Play a member or not, until he leaves.
    View {
        user_id: String,
        on: bool,
    },
}

/// What is to be sent to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    Text(String),
    /// For the programs of the others.
    Custom {
        cmd: String,
        msg: String,
    },
    /// For the programs of one user, who need not be in the room.
    C2c {
        to: String,
        cmd: String,
        msg: String,
    },
}

/// Another member as the room server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub user_id: String,
    pub name: String,
    /// `accelerateURL`; carries a signature, so it is never logged whole.
    pub play_url: String,
}

/// Why entering or finding a room failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomFailure {
    /// Full or gone: another room may do.
    Taken(String),
    /// The request could not be made now; it may work later.
    Unreachable(String),
    /// The server will not have it.
    Refused(String),
}

/// What happened. Results of actions come back as events too.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Command(Command),
    /// The room server accepted this kiosk's identity.
    LoggedIn,
    LoginRefused {
        reason: String,
    },
    /// `untrusted` when somebody is there who cannot prove to be the server.
    ServerUnreachable {
        untrusted: bool,
        reason: String,
    },
    ServerReachable,
    /// Result of [`Action::FindRoom`]: the room of an idle agent, if there is one.
    RoomFound(Result<Option<String>, RoomFailure>),
    /// Result of [`Action::CreateRoom`].
    RoomCreated(Result<String, RoomFailure>),
    /// Result of [`Action::StartCapture`].
    CaptureReady(Result<(), String>),
    /// Result of [`Action::GetPushUrl`]; the URL itself stays with who executes.
    PushUrl(Result<(), RoomFailure>),
    /// PUSH_EVT 1002.
    Pushing,
    /// PUSH_WARNING 1102.
    PushReconnecting,
    /// PUSH_ERR -1307.
    PushLost(Fault),
    /// Result of [`Action::Enter`].
    Entered(Result<(), RoomFailure>),
    MemberJoined(Peer),
    /// The member's name or play URL changed.
    MemberChanged(Peer),
    MemberLeft {
        user_id: String,
    },
    /// Somebody in the room said something.
    Said {
        name: String,
        text: String,
    },
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
    /// PLAY_ERR -2301.
    PlayLost {
        user_id: String,
        reason: String,
    },
    /// Result of [`Action::Leave`].
    Left,
    /// The time set by [`Action::WakeIn`] has come.
    Wake,
}

/// What is to be done. None of these blocks; each answers with an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    FindRoom,
    CreateRoom,
    StartCapture,
    /// For a stay in that room: the Java server makes the stream's name from it.
    GetPushUrl {
        room_id: String,
    },
    StartPush,
    StopPush,
    /// `add_pusher`, also to tell the room a new push URL.
    Enter {
        room_id: String,
    },
    Play(Peer),
    StopPlay {
        user_id: String,
    },
    SetMuted(bool),
    /// Show the own picture on the screen or not.
    SetPreview(bool),
    /// Stop playing, `delete_pusher`, stop pushing, close the devices.
    Leave,
    /// Send [`Event::Wake`] later; replaces an earlier wish, and a new state has none.
    WakeIn(Duration),
}

/// Periods a session keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks for an idle agent.
    pub queue_poll: Duration,
    /// For everything from pressing the button to being in the room.
    pub connect: Duration,
    /// For a lost uplink to come back before the call is given up.
    pub uplink: Duration,
    /// Between two tries to get a lost uplink or downlink back.
    pub retry: Duration,
    /// For the first other member to show up in a room that had one.
    pub alone: Duration,
    /// How long the goodbye stays on the screen.
    pub goodbye: Duration,
    /// For leaving a room in good order.
    pub leave: Duration,
    /// How long a text stays on the screen.
    pub text: Duration,
    /// How long the camera stays open between calls.
    pub preview: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            queue_poll: Duration::from_secs(2),
            connect: Duration::from_secs(20),
            uplink: Duration::from_secs(120),
            retry: Duration::from_secs(2),
            alone: Duration::from_secs(10),
            goodbye: Duration::from_secs(3),
            leave: Duration::from_secs(6),
            text: Duration::from_secs(8),
            preview: Duration::from_secs(120),
        }
    }
}

/// What decisions depend on beside state and event.
#[derive(Debug, Clone)]
pub struct Facts {
    pub now: Instant,
    /// Of the next call, or the one that runs.
    pub role: Role,
    pub patience: Patience,
    /// Start the next call without being asked, as an agent's side does.
    pub auto_call: bool,
    /// The room server answers, as far as is known.
    pub server: Result<(), Fault>,
    /// Calls that failed since the last one that took place.
    pub failed_calls: u32,
    /// From 0 to 1, new for each event: spreads what many kiosks would do at once.
    pub random: f64,
}

/// Longest wait before a call that starts by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Facts {
    /// To be told of each state that is entered.
    pub(super) fn count_failure(&mut self, entered: &State) {
        match entered.transition() {
            Transition::InCall { .. } => self.failed_calls = 0,
            Transition::Ending {
                reason: EndReason::Failed(_),
            } => self.failed_calls = self.failed_calls.saturating_add(1),
            _ => {}
        }
    }

    /// Before a call that starts by itself: doubles with each failure, up to a minute, less up
    /// to a quarter at random.
    pub(super) fn before_auto_call(&self) -> Duration {
        let doubled = self
            .patience
            .retry
            .saturating_mul(1 << self.failed_calls.min(10));
        self.spread(doubled.min(LONGEST_WAIT))
    }

    /// The period, less up to a quarter at random.
    pub(super) fn spread(&self, period: Duration) -> Duration {
        period.mul_f64(1.0 - self.random.clamp(0.0, 1.0) / 4.0)
    }
}
