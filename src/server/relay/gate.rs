//! The say over who may publish and play: the relay asks at every attempt, and is told when a right
//! ends.

/// The one that knows the rights. Answers at once, from memory.
pub trait Gate: std::fmt::Debug + Send + Sync {
    /// The user whose stream it is, if the query of the URL opens it for publishing.
    ///
    /// # Errors
    /// The reason, in words.
    fn publisher(&self, stream: &str, query: &str) -> Result<String, String>;

    /// Whether a stream belongs to a member of a room; others are on the way in, or left over.
    fn is_members(&self, stream: &str) -> bool;

    /// The user that plays, if the query of the URL opens the stream for them.
    ///
    /// # Errors
    /// The reason, in words.
    fn viewer(&self, stream: &str, query: &str) -> Result<String, String>;

    /// Whether a user may play a stream now.
    fn may_play(&self, stream: &str, viewer: &str) -> bool;
}

/// Lets everybody do everything: a relay without a room server, for trials.
#[derive(Debug, Clone, Copy)]
pub struct Anybody;

impl Gate for Anybody {
    fn publisher(&self, _stream: &str, _query: &str) -> Result<String, String> {
        Ok(String::new())
    }

    fn is_members(&self, _stream: &str) -> bool {
        true
    }

    fn viewer(&self, _stream: &str, _query: &str) -> Result<String, String> {
        Ok(String::new())
    }

    fn may_play(&self, _stream: &str, _viewer: &str) -> bool {
        true
    }
}
