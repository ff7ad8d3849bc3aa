//! Failures between us and a room server, and what each of them calls for.

use crate::protocol::answer::AnswerError;
use crate::protocol::{Code, Verb};

use super::http::{ANSWER_LIMIT, FetchError};
use super::im_error::ImError;
use super::transport::{TransportKind, explain};
use crate::tls::HttpError;

/// The part of a room server that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Room(Verb),
    /// `utils/get_login_info`.
    LoginInfo,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Room(verb) => verb.fmt(f),
            Self::LoginInfo => f.write_str("get_login_info"),
        }
    }
}

/// Reasons for which a request to the room server did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    #[error("{endpoint}: {}", explain(*.kind, "the room server", .source.as_ref()))]
    Transport {
        endpoint: Endpoint,
        kind: TransportKind,
        #[source]
        source: Option<HttpError>,
    },
    #[error("{endpoint}: the answer is larger than {limit} bytes")]
    TooLarge { endpoint: Endpoint, limit: usize },
    #[error("{endpoint}: {source}")]
    Answer {
        endpoint: Endpoint,
        source: AnswerError,
    },
    #[error("roomInfo has {bytes} bytes, but the room servers take at most {limit}")]
    RoomInfoTooLong { bytes: usize, limit: usize },
    #[error("the userSig in {} cannot be read", path.display())]
    UserSigFile {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("no userSig can be signed with the private key in {}: {reason}", path.display())]
    PrivateKey {
        path: std::path::PathBuf,
        reason: String,
    },
    #[error("the renewed userSig is not taken: {reason}")]
    Renewal { reason: &'static str },
    #[error("the user id {user_id} is being used by another device: it logs in over and over")]
    LoginTakenOver { user_id: String },
    #[error("already in room {room_id}: leave it first")]
    AlreadyInRoom { room_id: String },
    #[error("the id of the room to enter is empty")]
    MissingRoomId,
    #[error("the room server gave no result within {after:?}")]
    Deadline { after: std::time::Duration },
    #[error("entering the room was given up for a later command")]
    LeftMeanwhile,
    #[error(transparent)]
    Im(#[from] ImError),
    #[error("the room session has stopped")]
    Stopped,
}

/// The reaction that a failed request calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Ask again after a pause.
    Retry,
    /// The token (or, on login, the userSig) is not accepted.
    LoginAgain,
    /// We are not, or no longer, a member.
    ReAdd,
    /// The room does not exist.
    RoomGone,
    /// No seat is free.
    Full,
    /// Asking again would give the same answer.
    Fatal,
}

impl RoomError {
    pub(super) fn fetch(endpoint: Endpoint, error: FetchError) -> Self {
        match error {
            FetchError::Transport(kind, source) => Self::Transport {
                endpoint,
                kind,
                source,
            },
            FetchError::TooLarge => Self::TooLarge {
                endpoint,
                limit: ANSWER_LIMIT,
            },
        }
    }

    pub(super) fn answer(endpoint: Endpoint, source: AnswerError) -> Self {
        Self::Answer { endpoint, source }
    }

    /// Tells what to do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Transport { .. }
            | Self::TooLarge { .. }
            | Self::Deadline { .. }
            // The message channel comes back by itself.
            | Self::Im(_) => ErrorClass::Retry,
            Self::Answer { endpoint, source } => match source {
                AnswerError::Refused { code, .. } => class_of_code(*endpoint, *code),
                // Java: a missing body, an unknown field, not JSON.
                AnswerError::Http {
                    status: 400 | 415, ..
                } => ErrorClass::Fatal,
                // The rest is not a room server speaking, but a proxy, a captive portal or a
                // server that is being restarted: that passes.
                _ => ErrorClass::Retry,
            },
            Self::UserSigFile { .. } | Self::PrivateKey { .. } => ErrorClass::LoginAgain,
            Self::RoomInfoTooLong { .. }
            | Self::LoginTakenOver { .. }
            | Self::Renewal { .. }
            | Self::AlreadyInRoom { .. }
            | Self::MissingRoomId
            | Self::LeftMeanwhile
            | Self::Stopped => ErrorClass::Fatal,
        }
    }

    /// Whether the server could not prove its identity.
    #[must_use]
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                kind: TransportKind::Untrusted,
                ..
            }
        )
    }

    /// Whether a room server answered in its language, and refused.
    #[must_use]
    pub fn is_from_room_server(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                source: AnswerError::Refused { .. },
                ..
            }
        )
    }

    /// Whether the server may have done what was asked although it reported a failure: Node
    /// answers -1 or 500, Java 500, when only the notification failed.
    #[must_use]
    pub fn may_have_worked(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                source: AnswerError::Refused {
                    code: Code::Exception,
                    ..
                } | AnswerError::Http {
                    status: 500..=599,
                    ..
                },
                ..
            }
        )
    }

    /// Returns the error with its deepest cause, on one line.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut deepest = None;
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            deepest = Some(error);
            next = error.source();
        }
        match (self, deepest) {
            // Said already, and better.
            (Self::Transport { kind, .. }, _) if kind.is_explained() => self.to_string(),
            (Self::Transport { .. } | Self::UserSigFile { .. }, Some(cause)) => {
                format!("{self} ({cause})")
            }
            _ => self.to_string(),
        }
    }
}

fn class_of_code(endpoint: Endpoint, code: Code) -> ErrorClass {
    let Endpoint::Room(verb) = endpoint else {
        return ErrorClass::Retry;
    };
    if code.means_login_again(verb) {
        return ErrorClass::LoginAgain;
    }
    if code.means_room_missing(verb) {
        return ErrorClass::RoomGone;
    }
    match code {
        Code::Exception | Code::GroupCreation => ErrorClass::Retry,
        Code::NotAMember => ErrorClass::ReAdd,
        Code::RoomFull => ErrorClass::Full,
        _ => ErrorClass::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(verb: Verb, number: i64) -> RoomError {
        let source = AnswerError::Refused {
            code: Code::from_number(number),
            message: String::new(),
        };
        RoomError::answer(Endpoint::Room(verb), source)
    }

    #[test]
    fn codes_by_verb_on_both_servers() {
        for (verb, code, class) in [
            (Verb::Login, 7, ErrorClass::LoginAgain),
            (Verb::Login, -1, ErrorClass::LoginAgain),
            (Verb::Login, 4, ErrorClass::LoginAgain),
            (Verb::AddPusher, 7, ErrorClass::LoginAgain),
            (Verb::PusherHeartbeat, 7, ErrorClass::LoginAgain),
            (Verb::PusherHeartbeat, 5, ErrorClass::ReAdd),
            (Verb::DeletePusher, 5, ErrorClass::ReAdd),
            (Verb::GetPushers, 3, ErrorClass::RoomGone),
            (Verb::GetPushers, 1, ErrorClass::RoomGone),
            (Verb::DestroyRoom, 3, ErrorClass::Fatal),
            (Verb::AddPusher, 5001, ErrorClass::Full),
            (Verb::AddPusher, -1, ErrorClass::Retry),
            (Verb::CreateRoom, 6, ErrorClass::Retry),
            (Verb::CreateRoom, 10, ErrorClass::Fatal),
            (Verb::AddPusher, 1, ErrorClass::Fatal),
            (Verb::AddPusher, 2, ErrorClass::Fatal),
            (Verb::AddPusher, 77, ErrorClass::Fatal),
        ] {
            assert_eq!(refused(verb, code).class(), class, "{verb} {code}");
        }
    }

    #[test]
    fn what_is_not_a_room_server_is_asked_again() {
        let http = |status| AnswerError::Http {
            status,
            excerpt: String::new(),
        };
        for (source, class, may_have_worked) in [
            (http(500), ErrorClass::Retry, true),
            (http(502), ErrorClass::Retry, true),
            (http(404), ErrorClass::Retry, false),
            (http(302), ErrorClass::Retry, false),
            (http(400), ErrorClass::Fatal, false),
            (AnswerError::Empty, ErrorClass::Retry, false),
            (AnswerError::Missing("token"), ErrorClass::Retry, false),
        ] {
            let error = RoomError::answer(Endpoint::Room(Verb::AddPusher), source);
            assert_eq!(error.class(), class, "{error}");
            assert_eq!(error.may_have_worked(), may_have_worked, "{error}");
            assert!(!error.is_from_room_server());
        }
        assert!(refused(Verb::AddPusher, -1).may_have_worked());
        assert!(!refused(Verb::AddPusher, 5001).may_have_worked());
    }
}
