//! Answers: HTTP 200 with `code` and `message` for everything that the protocol can say, an
//! HTTP status for the rest.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::BodyError;
use crate::protocol::Code;
use crate::protocol::answer::Answer;
use crate::protocol::request;
use crate::server::auth::AuthError;
use crate::server::rooms::Refusal;

/// The reason for which a verb is not done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    Refused {
        code: Code,
        message: String,
        /// A further key of the answer.
        extra: Option<(&'static str, Value)>,
    },
    TooManyRequests,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Refused {
            code,
            message: message.into(),
            extra: None,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::new(Code::Auth, error.to_string())
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::new(Code::Exception, error.to_string())
    }
}

impl From<request::BodyError> for Failure {
    fn from(error: request::BodyError) -> Self {
        let code = match error {
            request::BodyError::Missing(_) => Code::Parameter,
            request::BodyError::Wrong(_) => Code::Exception,
        };
        Self::new(code, error.to_string())
    }
}

/// The fields of an answer beside `code` and `message`.
pub(super) type Outcome = Result<Map<String, Value>, Failure>;

/// The fields of an answer.
pub(super) fn fields<A: Answer>(answer: &A) -> Outcome {
    match serde_json::to_value(answer) {
        Ok(Value::Object(fields)) => Ok(fields),
        other => {
            log::error!("an answer is not a JSON object: {other:?}");
            Err(Failure::new(
                Code::Exception,
                "the answer cannot be written",
            ))
        }
    }
}

/// The whole answer of a verb.
pub(super) fn response(outcome: Outcome) -> Response {
    let mut answer = Map::new();
    match outcome {
        Ok(fields) => {
            answer.insert("code".into(), Code::Ok.number().into());
            answer.insert("message".into(), "ok".into());
            answer.extend(fields);
        }
        Err(Failure::TooManyRequests) => return too_many_requests(),
        Err(Failure::Refused {
            code,
            message,
            extra,
        }) => {
            // Node names the text of an exception so, and clients look there.
            let key = if code == Code::Exception {
                "error"
            } else {
                "message"
            };
            answer.insert("code".into(), code.number().into());
            answer.insert(key.into(), message.into());
            answer.extend(extra.map(|(key, value)| (key.to_owned(), value)));
        }
    }
    Json(answer).into_response()
}

/// An HTTP error with a text that a person can read.
pub(super) fn http_error(status: StatusCode, text: &str) -> Response {
    let body = json!({ "code": Code::Exception.number(), "error": text });
    (status, Json(body)).into_response()
}

/// The answer to a request for which there is no memory at the moment.
pub(super) fn busy() -> Response {
    let text = "too many long requests are on their way";
    let error = http_error(StatusCode::SERVICE_UNAVAILABLE, text);
    ([(header::RETRY_AFTER, "1")], error).into_response()
}

/// The answer to a client that asks too often.
pub(super) fn too_many_requests() -> Response {
    let error = http_error(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    ([(header::RETRY_AFTER, "1")], error).into_response()
}
