//! Faults with their codes, and the reasons for the end of a call: facts that the session finds
//! out and the screen shows.

use serde::{Serialize, Serializer};

/// Short code of a fault, for the screen and for support staff on the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The room server cannot be reached.
    NoRoomServer,
    /// The room server refuses this kiosk's identity.
    LoginRefused,
    /// The relay cannot be reached or went away.
    NoRelay,
    /// The relay refuses the push URL.
    PushRefused,
    /// The room server refuses the room.
    RoomRefused,
    /// Something did not answer in time.
    TimedOut,
    /// Room server or relay could not prove its identity: a certificate, or this board's clock.
    Untrusted,
    /// No camera, or no microphone, that can be used.
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

impl Serialize for FaultCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A fault with its reason, a technical text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub code: FaultCode,
    pub reason: String,
}

impl Fault {
    /// A fault with a reason in technical words, in English whatever the language.
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

/// The reason for the end of a call; `reason` is technical text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum EndReason {
    /// Somebody at the kiosk hung up.
    HungUp,
    /// The last other member left, or was dropped by the room server.
    PeerLeft,
    /// Nobody answered in the time that a customer is kept waiting.
    NobodyAnswered,
    /// The room was closed.
    RoomClosed {
        reason: String,
    },
    /// The identity of this kiosk logged in elsewhere or was removed.
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
            Self::NobodyAnswered => f.write_str("nobody answered"),
            Self::RoomClosed { reason } => write!(f, "the room was closed: {reason}"),
            Self::Kicked { reason } => write!(f, "removed from the room: {reason}"),
            Self::Failed(fault) => write!(f, "{fault}"),
        }
    }
}
