//! A page of the screen as data: what is to be shown, and no sentence. The session makes it,
//! `pages` puts it into the customer's language.

use std::fmt;

use serde::{Serialize, Serializer};

use super::fault::{EndReason, Fault};

/// One page of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    Starting,
    OutOfService(Fault),
    /// Invites the customer.
    Attract,
    Queueing,
    Connecting(ConnectingStep),
    InCall(CallPage),
    Ending(EndReason),
}

/// Work that is being done to get into a call, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectingStep {
    /// Camera and microphone open, and a push URL is fetched.
    Preparing,
    /// The uplink connects, until PUSH_EVT 1002.
    Pushing,
    /// `add_pusher` is on its way.
    Entering,
}

/// A part of a call that does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// No picture comes.
    Picture,
    /// No sound comes.
    Sound,
    /// A microphone that does not work.
    Microphone,
    /// A loudspeaker that does not work.
    Speaker,
}

/// A call that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallPage {
    /// Names of the other members.
    pub members: Vec<String>,
    /// The others do not get our picture and sound now.
    pub disturbed: bool,
    /// The others hear nothing of us.
    pub muted: bool,
    /// Parts of our own that do not work.
    pub lacks: Vec<Lack>,
    /// Parts of others that do not work, by the names of the members.
    pub others_lack: Vec<(String, Lack)>,
    /// The last message, for some seconds.
    pub message: Option<ShownMessage>,
}

/// A message of another member, short enough for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownMessage {
    pub name: String,
    pub text: String,
}

impl fmt::Display for ShownMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.text)
    }
}

/// As one string, which readers of the status know.
impl Serialize for ShownMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
