//! Refusals: what the session does in which state. Their words are for technicians and whoever
//! sits at the control socket.

use super::request::Request;
use super::state::State;

/// Longest id of a room in bytes, of all servers.
const ROOM_ID_LIMIT: usize = 128;

fn is_room_id(id: &str) -> bool {
    (1..=ROOM_ID_LIMIT).contains(&id.len()) && !id.contains(char::is_control)
}

impl State {
    /// Checks that a request makes sense now.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn accepts(&self, request: &Request) -> Result<(), String> {
        let in_call = matches!(self, Self::InCall(_));
        let in_or_before_call = in_call || matches!(self, Self::Connecting(_));
        let (fits, work) = match request {
            Request::Enter { room } if !is_room_id(room) => {
                return Err(format!(
                    "a room id has 1 to {ROOM_ID_LIMIT} bytes and no control characters"
                ));
            }
            Request::View { user, .. } => match self {
                Self::InCall(call) => return call.accepts_view(user),
                _ => (false, "a member is played only in a call"),
            },
            Request::Status | Request::Custom { to: Some(_), .. } => (true, ""),
            Request::Call | Request::Host | Request::Enter { .. } => (
                matches!(self, Self::Attract(_)),
                "a call starts only in another state",
            ),
            Request::Preview { .. } => (
                in_or_before_call || matches!(self, Self::Attract(_)),
                "the self-view is shown only in another state",
            ),
            Request::Mute { .. } => (
                in_or_before_call,
                "the microphone is switched only in another state",
            ),
            Request::HangUp => (
                in_or_before_call || matches!(self, Self::Queueing(_)),
                "a call can be ended only in another state",
            ),
            Request::Camera { .. } | Request::Snapshot { .. } => {
                (in_or_before_call, "cameras are used only in a call")
            }
            Request::Message { .. } | Request::Custom { .. } => {
                (in_call, "a message to the room is sent only in a call")
            }
        };
        if fits {
            return Ok(());
        }
        Err(format!("{work}; now: {}", self.transition()))
    }
}
