//! Failures between us and the message service.

use std::time::Duration;

use crate::protocol::webim::{ImAnswerError, ImCommand, TooLong};

use super::client_settings::SetupError;
use super::http::{ANSWER_LIMIT, FetchError};
use super::transport::{TransportKind, explain};
use crate::tls::HttpError;

/// Reasons for which something could not be done over the message channel.
#[derive(Debug, thiserror::Error)]
pub enum ImError {
    #[error("{command}: {}", explain(*.kind, "the message service", .source.as_ref()))]
    Transport {
        command: ImCommand,
        kind: TransportKind,
        #[source]
        source: Option<HttpError>,
    },
    #[error("{command}: the answer is larger than {limit} bytes")]
    TooLarge { command: ImCommand, limit: usize },
    #[error("{command}: {source}")]
    Answer {
        command: ImCommand,
        source: ImAnswerError,
    },
    #[error("the message service did not let us into the group: {0:?}")]
    NotAdmitted(String),
    #[error(transparent)]
    Setup(#[from] Box<SetupError>),
    #[error("no credentials: {0}")]
    Credentials(String),
    #[error("{0}")]
    TooLong(#[from] TooLong),
    #[error("the message channel is switched off")]
    Off,
    #[error("the message channel is down: {0}")]
    Down(String),
    #[error("a message can only be sent in a room")]
    NoRoom,
    #[error("more messages than the channel takes")]
    Busy,
    #[error("the message was not confirmed within {after:?}")]
    Unconfirmed { after: Duration },
}

impl ImError {
    pub(super) fn fetch(command: ImCommand, error: FetchError) -> Self {
        match error {
            FetchError::Transport(kind, source) => Self::Transport {
                command,
                kind,
                source,
            },
            FetchError::TooLarge => Self::TooLarge {
                command,
                limit: ANSWER_LIMIT,
            },
        }
    }

    /// Returns the message service's error number, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Answer { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Whether there was no answer before the deadline.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                kind: TransportKind::Timeout,
                ..
            }
        )
    }
}
