//! The settings of a push.

use secrecy::SecretString;

use crate::config::kiosk::EncoderChoice;
use crate::process::backoff::Reconnect;
use crate::tls::ClientTls;

/// The settings of a push.
#[derive(Debug, Clone)]
pub struct UplinkConfig {
    /// The signed push URL: `rtmp[s]://host[:port]/app/stream?bizid=..&txSecret=..&txTime=..`.
    pub url: SecretString,
    /// Rates of the picture: at the start, and the range in which it follows the link. Below the
    /// minimum no picture is sent.
    pub bitrate_kbps: u32,
    pub min_kbps: u32,
    pub max_kbps: u32,
    pub audio_kbps: u32,
    /// Seconds between key frames, 1 to 2: a player that joins waits for one.
    pub gop_seconds: f64,
    pub encoder: EncoderChoice,
    pub reconnect: Reconnect,
    /// Trust for `rtmps://`.
    pub tls: ClientTls,
}
