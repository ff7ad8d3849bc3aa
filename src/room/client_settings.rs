//! The address of a room server, the patience with it and the trust in it.

use std::time::Duration;

use url::Url;

use crate::protocol::RoomType;
use crate::tls::{Pin, Trust};

/// Where the room server is and how patient we are with it.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// With or without a trailing slash, with or without the room type.
    pub base_url: String,
    pub room_type: RoomType,
    pub connect_timeout: Duration,
    /// For a whole exchange, the connection included.
    pub deadline: Duration,
    /// Where credentials are asked for; None = at the room server's `utils/get_login_info`.
    pub login_info_url: Option<Url>,
    /// Whom to trust where the address is https.
    pub trust: Trust,
    /// Keys of which the room server must have one; none: any that is trusted.
    pub pins: Vec<Pin>,
    /// The same for a message service that is not the room server.
    pub im_pins: Vec<Pin>,
}

impl ClientSettings {
    /// The usual patience: 3 s to connect, 5 s in all (what the official clients wait).
    #[must_use]
    pub fn new(base_url: impl Into<String>, room_type: RoomType) -> Self {
        Self {
            base_url: base_url.into(),
            room_type,
            connect_timeout: Duration::from_secs(3),
            deadline: Duration::from_secs(5),
            login_info_url: None,
            trust: Trust::system(),
            pins: Vec::new(),
            im_pins: Vec::new(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the room server's address {value:?} is wrong: {reason}")]
    BaseUrl { value: String, reason: String },
    #[error("there is no HTTP client")]
    Http(#[source] reqwest::Error),
}
