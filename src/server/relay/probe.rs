//! The one question the room server asks of any relay: does this stream run?

use std::time::Duration;

use super::RelayHandle;

/// What a relay knows about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamState {
    Live,
    NotLive,
    /// The relay did not answer, or not in a way that tells; with the reason.
    Unknown(String),
}

/// A relay, asked about its streams. Answers within its own deadline.
pub trait StreamProbe: Send + Sync {
    fn state(&self, stream_id: &str) -> impl Future<Output = StreamState> + Send;
}

/// Silence after which a stream whose connection still stands does not run any more; twice
/// what even a picture every other second would need.
const SILENT: Duration = Duration::from_secs(4);

impl StreamProbe for RelayHandle {
    async fn state(&self, stream_id: &str) -> StreamState {
        let publisher = self.stream(stream_id).and_then(|stream| stream.publisher);
        let silent_ms = publisher.and_then(|publisher| publisher.last_media_ms_ago);
        match silent_ms {
            Some(ms) if u128::from(ms) <= SILENT.as_millis() => StreamState::Live,
            _ => StreamState::NotLive,
        }
    }
}
