//! The daemon's answers on the control socket: one line of JSON each.

use serde::{Deserialize, Serialize};

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
    pub(super) fn refusal(error: &impl ToString) -> Self {
        Self {
            ok: false,
            error: Some(error.to_string()),
            status: None,
        }
    }
}
