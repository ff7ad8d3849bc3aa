//! What is played, and where.

use secrecy::SecretString;

use crate::media::speaker::SpeakerInput;
use crate::process::backoff::Reconnect;
use crate::tls::ClientTls;

/// What to play, and where.
#[derive(Debug, Clone)]
pub struct DownlinkConfig {
    /// `rtmp://` or `rtmps://`, with the stream and its signature.
    pub url: SecretString,
    pub reconnect: Reconnect,
    /// `None` plays no sound; its level is measured all the same.
    pub speaker: Option<SpeakerInput>,
    /// For `rtmps://`.
    pub tls: ClientTls,
}
