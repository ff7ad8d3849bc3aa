//! The reasons for which a connection ends, in words for the log.

use std::io;
use std::time::Duration;

use super::conversation::ConversationError;
use crate::protocol::rtmp::ChunkError;

/// The reason for which a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndReason {
    #[error("the client left")]
    ByClient,
    #[error("the relay stops")]
    Stopping,
    #[error("kicked out or replaced")]
    Kicked,
    #[error("refused: {0}")]
    Refused(String),
    #[error("the relay has no memory left for unfinished messages")]
    NoMemory,
    #[error("nothing to play for {0:?}")]
    NothingToPlay(Duration),
    #[error("no handshake, connect and publish or play within {0:?}")]
    SetupTooSlow(Duration),
    #[error("the publisher sent nothing for {0:?}")]
    PublisherSilent(Duration),
    #[error("the client read nothing for {0:?}")]
    WriteStalled(Duration),
    #[error("handshake: {0}")]
    Handshake(String),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    #[error(transparent)]
    Io(#[from] io::Error),
}
