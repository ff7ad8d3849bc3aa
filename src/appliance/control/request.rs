//! The language of the control socket: one line of JSON each way.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    Status,
    Call,
    Host,
    Enter {
        room: String,
    },
    HangUp,
    Mute {
        on: bool,
    },
    Preview {
        on: bool,
    },
    View {
        user: String,
        on: bool,
    },
    Camera {
        name: String,
    },
    /// `path` is the daemon's: absolute.
    Snapshot {
        path: PathBuf,
        camera: Option<String>,
    },
    Message {
        text: String,
    },
    Custom {
        cmd: String,
        msg: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
}

/// The daemon's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<serde_json::Value>,
}

impl Answer {
    pub(super) fn refusal(error: impl ToString) -> Self {
        Self {
            ok: false,
            error: Some(error.to_string()),
            status: None,
        }
    }
}
