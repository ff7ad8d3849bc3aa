//! The one question that the room server asks of any relay: does this stream run?

/// The knowledge of a relay about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamState {
    Live,
    NotLive,
    /// The relay did not answer, or not in a way that tells; with the reason.
    Unknown(String),
}

/// A relay that can be asked about its streams. Answers within its own deadline.
pub trait StreamProbe: Send + Sync {
    /// Tells whether a stream runs.
    fn state(&self, stream_id: &str) -> impl Future<Output = StreamState> + Send;
}
