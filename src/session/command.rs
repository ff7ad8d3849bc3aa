//! Orders to the session, and messages that it is to send.

/// An order to the session, from a person or the control socket.
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
    /// Show the self-view or not. Between calls the camera opens for it, and nothing is sent.
    Preview(bool),
    /// Play a member or not, until they leave.
    View {
        user_id: String,
        on: bool,
    },
}

/// A message to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    Text(String),
    /// For the programs of the others.
    Custom {
        cmd: String,
        msg: String,
    },
    /// For the programs of one user, who need not be in the room: "client to client".
    C2c {
        to: String,
        cmd: String,
        msg: String,
    },
}
