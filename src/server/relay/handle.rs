//! The handle by which others ask and command the embedded relay.

use std::sync::Arc;
use std::time::Duration;

use super::hub::Hub;
use super::probe::{StreamProbe, StreamState};
use super::status::StreamStatus;

/// Asks and commands a relay.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    pub(super) hub: Arc<Hub>,
}

impl RelayHandle {
    /// The status of a stream that is published or waited for.
    #[must_use]
    pub fn stream(&self, id: &str) -> Option<StreamStatus> {
        self.hub.status(id)
    }

    /// Whether a stream is being published, and has not been silent for long.
    #[must_use]
    pub fn runs(&self, id: &str) -> bool {
        let publisher = self.stream(id).and_then(|stream| stream.publisher);
        let silent_ms = publisher.and_then(|publisher| publisher.last_media_ms_ago);
        silent_ms.is_some_and(|ms| u128::from(ms) <= SILENT.as_millis())
    }

    /// All streams, by id.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.hub.statuses()
    }

    /// Disconnects the players of a stream for whose users `stays` does not hold.
    pub fn end_plays(&self, id: &str, stays: impl Fn(&str) -> bool) {
        self.hub.end_plays(id, stays);
    }

    /// Disconnects the publisher of a stream unless `stays` holds for its owner.
    pub fn end_publish(&self, id: &str, stays: impl Fn(&str) -> bool) {
        self.hub.end_publish(id, stays);
    }
}

/// Silence after which a stream whose connection still stands does not run any more; twice
/// what even a picture every other second would need.
const SILENT: Duration = Duration::from_secs(4);

impl StreamProbe for RelayHandle {
    async fn state(&self, stream_id: &str) -> StreamState {
        match self.runs(stream_id) {
            true => StreamState::Live,
            false => StreamState::NotLive,
        }
    }
}
