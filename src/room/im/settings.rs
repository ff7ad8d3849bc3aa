//! The address of the message service: configured, told by the room server, or guessed.

use url::Url;

use crate::protocol::webim;

/// The rule by which the message service is found.
#[derive(Debug, Clone)]
pub enum ImSettings {
    /// At a scheme, host and port.
    At(Url),
    /// By the room server's word at the login: on its host and port, or else at the public
    /// service. That one may not be there at all: it is tried more and more seldom.
    AsTold { room_server: Url, public: Url },
}

impl ImSettings {
    /// Looks at the room server if it says so, else at Tencent's service.
    #[must_use]
    pub fn as_told(room_server: &Url) -> Self {
        Self::AsTold {
            room_server: room_server.clone(),
            public: Url::parse(webim::PUBLIC_HOST).expect("a constant that is a URL"),
        }
    }

    /// Returns the address, for a room server that is a message service (`here`) or is not.
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
