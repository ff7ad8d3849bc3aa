//! The address of a room server, the patience with it and the trust in it.

use std::time::Duration;

use url::Url;

use crate::protocol::RoomType;
use crate::tls::{Dialer, Pin, Trust};

/// The address of the room server, the patience with it and the trust in it.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// With or without a trailing slash, with or without the room type.
    pub base_url: String,
    pub room_type: RoomType,
    pub connect_timeout: Duration,
    /// Limit for a whole exchange, the connection included.
    pub deadline: Duration,
    /// Address to ask for credentials; None: the room server's `utils/get_login_info`.
    pub login_info_url: Option<Url>,
    /// Certificates that are trusted where the address is https.
    pub trust: Trust,
    /// Keys of which the room server must have one; empty: any that is trusted.
    pub pins: Vec<Pin>,
    /// The same for a message service that is not the room server.
    pub im_pins: Vec<Pin>,
    /// The way to both.
    pub dialer: Dialer,
}

impl ClientSettings {
    /// Sets the usual patience: 3 s to connect, and 5 s in all as the official clients do.
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
            dialer: Dialer::default(),
        }
    }
}

/// Reasons for which there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the room server's address {value:?} is wrong: {reason}")]
    BaseUrl { value: String, reason: String },
    #[error("the HTTP client cannot be set up")]
    Http(#[source] reqwest::Error),
}
