//! The envelope around every answer of the message service: reading it, and composing it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::protocol::excerpt::excerpt;
use crate::protocol::json::{self, lenient};

/// Reasons for which an answer of the message service cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImAnswerError {
    /// The service understood and refused.
    #[error("the message service answered {code}: {info}")]
    Refused { code: i64, info: String },
    #[error("the message service's answer is not a JSON object ({bytes} bytes)")]
    NotJson { bytes: usize },
    #[error("the message service's answer has no {0}")]
    Missing(&'static str),
}

impl ImAnswerError {
    /// Returns the service's error number, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotJson { .. } | Self::Missing(_) => None,
        }
    }
}

/// Reads an answer. The HTTP status means nothing: only `ActionStatus` "OK" is success.
///
/// # Errors
/// Anything else, with the service's error number if there is one.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ImAnswerError> {
    let not_json = || ImAnswerError::NotJson { bytes: body.len() };
    let fields: Map<String, Value> =
        json::parse(body, json::ANSWER_WEIGHT).map_err(|_| not_json())?;
    let status = fields.get("ActionStatus").and_then(Value::as_str);
    if status == Some("OK") {
        return serde_json::from_value(Value::Object(fields)).map_err(|_| not_json());
    }
    match fields.get("ErrorCode").and_then(lenient::integer) {
        None => Err(ImAnswerError::Missing("ActionStatus")),
        Some(code) => Err(ImAnswerError::Refused {
            code,
            info: excerpt(&lenient::text(fields.get("ErrorInfo"))),
        }),
    }
}

/// Composes a success that carries `fields` (which must serialise to an object).
#[must_use]
pub fn ok<T: Serialize>(fields: &T) -> Value {
    envelope("OK", 0, "", serde_json::to_value(fields).ok())
}

/// Composes a refusal.
#[must_use]
pub fn fail(code: i64, info: &str) -> Value {
    envelope("FAIL", code, info, None)
}

/// Composes a refusal that carries fields all the same: the big group's poll always needs three.
#[must_use]
pub fn fail_with<T: Serialize>(code: i64, info: &str, fields: &T) -> Value {
    envelope("FAIL", code, info, serde_json::to_value(fields).ok())
}

fn envelope(status: &str, code: i64, info: &str, fields: Option<Value>) -> Value {
    let mut all = Map::new();
    all.insert("ActionStatus".into(), status.into());
    all.insert("ErrorCode".into(), code.into());
    all.insert("ErrorInfo".into(), info.into());
    if let Some(Value::Object(fields)) = fields {
        all.extend(fields);
    }
    Value::Object(all)
}
