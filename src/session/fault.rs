//! Faults with their codes, and the reasons for the end of a call.

use serde::Serialize;

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
    /// Room server or relay could not prove its identity: a certificate, or this board's clock.
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

/// A fault with its reason, a technical text.
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

/// The reason for the end of a call; `reason` is technical text.
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
            Self::RoomClosed { reason } => write!(f, "the room was closed: {reason}"),
            Self::Kicked { reason } => write!(f, "removed from the room: {reason}"),
            Self::Failed(fault) => write!(f, "{fault}"),
        }
    }
}
