//! Refusals: what the session does in which state. Their words are for technicians and whoever
//! sits at the control socket.

use super::command::{Command, Outgoing};
use super::state::State;

/// Longest id of a room in bytes, of all servers.
const ROOM_ID_LIMIT: usize = 128;

fn is_room_id(id: &str) -> bool {
    (1..=ROOM_ID_LIMIT).contains(&id.len()) && !id.contains(char::is_control)
}

impl State {
    /// Checks that a command makes sense now.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn accepts(&self, command: &Command) -> Result<(), String> {
        let in_call = matches!(self, Self::InCall(_));
        let in_or_before_call = in_call || matches!(self, Self::Connecting(_));
        let (fits, work) = match command {
            Command::Enter(room_id) if !is_room_id(room_id) => {
                return Err(format!(
                    "a room id has 1 to {ROOM_ID_LIMIT} bytes and no control characters"
                ));
            }
            Command::Call | Command::Host | Command::Enter(_) => {
                (matches!(self, Self::Attract(_)), "a call starts")
            }
            Command::Preview(_) => (
                in_or_before_call || matches!(self, Self::Attract(_)),
                "the self-view is shown",
            ),
            Command::View { user_id, .. } => match self {
                Self::InCall(call) => return call.accepts_view(user_id),
                _ => (false, "a member is played"),
            },
            Command::Mute(_) => (in_or_before_call, "the microphone is switched"),
            Command::HangUp => (
                in_or_before_call || matches!(self, Self::Queueing(_)),
                "a call can be ended",
            ),
        };
        if fits {
            return Ok(());
        }
        Err(format!(
            "{work} only in another state; now: {}",
            self.transition()
        ))
    }

    /// Checks that the camera can be switched and snapshots be taken now.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn accepts_camera_work(&self) -> Result<(), String> {
        match self {
            Self::Connecting(_) | Self::InCall(_) => Ok(()),
            _ => Err(format!(
                "cameras are used only in a call; now: {}",
                self.transition()
            )),
        }
    }

    /// Checks that a message can be sent now.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn accepts_message(&self, message: &Outgoing) -> Result<(), String> {
        match (self, message) {
            (Self::InCall(_), _) | (_, Outgoing::C2c { .. }) => Ok(()),
            _ => Err(format!(
                "a message to the room is sent only in a call; now: {}",
                self.transition()
            )),
        }
    }
}
