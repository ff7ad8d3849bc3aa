//! The settings of a player.

use secrecy::SecretString;

use crate::media::speaker::SpeakerInput;
use crate::process::backoff::Reconnect;
use crate::tls::ClientTls;

/// The stream to play, and where its sound goes.
#[derive(Debug, Clone)]
pub struct DownlinkConfig {
    /// `rtmp://` or `rtmps://`, with the stream and its signature.
    pub url: SecretString,
    pub reconnect: Reconnect,
    /// `None` plays no sound; its level is measured all the same.
    pub speaker: Option<SpeakerInput>,
    /// Trust for `rtmps://`.
    pub tls: ClientTls,
    /// Pictures with more pixels than this width and height are not decoded, however they are turned.
    pub largest_picture: (u32, u32),
}
