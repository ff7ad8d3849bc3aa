//! The relay that the reaper asks: the embedded one, an external one, or none.

use std::path::PathBuf;

use secrecy::SecretString;

use super::clock::unix_now;
use super::relay::{ExternalError, ExternalRelay, RelayHandle, StreamProbe, StreamState};
use crate::config::server::External;

/// The relay that the reaper asks whether a silent member's stream runs.
#[derive(Debug)]
pub(super) enum RelayProbe {
    Embedded(RelayHandle),
    External(ExternalRelay),
    /// Members are judged by their heartbeats alone.
    None,
}

impl RelayProbe {
    /// Prepares to ask an external relay, if it has a status address.
    pub(super) fn external(
        relay: &External,
        api_key: Option<&SecretString>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, ExternalError> {
        let Some(status) = &relay.status else {
            return Ok(Self::None);
        };
        let relay = ExternalRelay::new(status, api_key, ca_file, unix_now)?;
        Ok(Self::External(relay))
    }
}

impl StreamProbe for RelayProbe {
    async fn state(&self, stream_id: &str) -> StreamState {
        match self {
            Self::Embedded(relay) => relay.state(stream_id).await,
            Self::External(relay) => relay.state(stream_id).await,
            Self::None => StreamState::NotLive,
        }
    }
}
