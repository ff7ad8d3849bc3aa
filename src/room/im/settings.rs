//! The place of the message service: configured, told by the room server, or guessed.

use url::Url;

use crate::protocol::webim;

/// Where the message service is.
#[derive(Debug, Clone)]
pub enum ImSettings {
    /// Scheme, host and port.
    At(Url),
    /// Where the room server says at the login: on its own host and port, or else at the public
    /// service. That one may not be there at all: it is looked for more and more seldom.
    AsTold { room_server: Url, public: Url },
}

impl ImSettings {
    /// At the room server if it says so, else at Tencent's.
    #[must_use]
    pub fn as_told(room_server: &Url) -> Self {
        Self::AsTold {
            room_server: room_server.clone(),
            public: Url::parse(webim::PUBLIC_HOST).expect("a constant that is a URL"),
        }
    }

    /// Where to look, when the room server is a message service or is not.
    pub(super) fn url(&self, here: bool) -> &Url {
        match self {
            Self::At(url) => url,
            Self::AsTold { room_server, .. } if here => room_server,
            Self::AsTold { public, .. } => public,
        }
    }

    /// Whether there may be no service at all.
    pub(super) fn is_guess(&self, here: bool) -> bool {
        matches!(self, Self::AsTold { .. }) && !here
    }
}
