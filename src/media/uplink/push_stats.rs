//! The figures of an uplink.

use serde::Serialize;

use crate::media::congestion::Quality;
use crate::protocol::net_status::NetStatus;

/// The state of an uplink.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct UplinkStats {
    /// GStreamer's name of the encoder in use, or "camera (...)" while the camera's own is sent.
    pub encoder: String,
    /// Frames encoded since the start.
    pub frames: u64,
    /// Pictures given to our own encoder since the start.
    pub encoded: u64,
    /// Frames per second over the last two seconds.
    pub fps: f64,
    /// Bytes to the relay over the last two seconds, in kbit/s.
    pub kbps: f64,
    /// Bytes since the start, over all connections.
    pub bytes_sent: u64,
    /// Time that what is encoded now waits in our queue and the kernel's.
    pub backlog_ms: f64,
    /// The minimum time seen from sending to the peer's acknowledgement.
    pub rtt_ms: Option<f64>,
    /// Target bitrate, frame rate and size that the link allows.
    pub quality: Quality,
    /// Reason of the last step, down or up.
    pub reason: String,
    /// Parts of the delay.
    pub delay_ms: PushDelay,
    /// Packets of sound and picture that were too old to be sent.
    pub dropped: u64,
    pub reconnects: u32,
    /// Whether media is flowing.
    pub connected: bool,
    /// The last record of 200001.
    pub net_status: NetStatus,
    /// The TLS version, cipher and key exchange of the connection; empty without TLS.
    pub tls: String,
}

/// Parts of the delay of what is sent, in ms, each the mean of late; absent while nothing is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PushDelay {
    pub picture: Option<SendDelay>,
    pub sound: Option<SendDelay>,
}

/// Delay from leaving the device to reaching the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SendDelay {
    /// Time in the device's pipeline: scaling, conversion.
    pub capture: f64,
    pub encode: f64,
    /// Time in our own queue before the network.
    pub queue: f64,
    /// Age of the oldest byte in the kernel's send buffer, less the network's time.
    pub kernel: f64,
    /// Half of the round trip to the relay, once it is known.
    pub network: Option<f64>,
    pub total: f64,
}
