//! The figures of an uplink.

use serde::Serialize;

use crate::media::congestion::Quality;
use crate::protocol::net_status::NetStatus;

/// What the uplink does now.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct UplinkStats {
    /// GStreamer's name of the encoder in use, or "camera (...)" while the camera's own is sent.
    pub encoder: String,
    /// Frames encoded since the start.
    pub frames: u64,
    /// Pictures given to our own encoder since the start.
    pub encoded: u64,
    /// Over the last two seconds.
    pub fps: f64,
    /// Bytes to the relay over the last two seconds, in kbit/s.
    pub kbps: f64,
    /// Since the start, over all connections.
    pub bytes_sent: u64,
    /// How long what is encoded now waits in our queue and the kernel's.
    pub backlog_ms: f64,
    /// The least time seen from sending to the peer's acknowledgement.
    pub rtt_ms: Option<f64>,
    /// What the link allows: target bitrate, frame rate and size.
    pub quality: Quality,
    /// Why that is not the best, or was raised: the last step's reason.
    pub reason: String,
    /// Where the delay comes from.
    pub delay_ms: PushDelay,
    /// Packets of sound and picture that were too old to be sent.
    pub dropped: u64,
    pub reconnects: u32,
    /// Media is flowing.
    pub connected: bool,
    /// The last record of 200001.
    pub net_status: NetStatus,
    /// The TLS version, cipher and key exchange of the connection; empty without TLS.
    pub tls: String,
}

/// Where what is sent is delayed, in ms, each the mean of late; absent while nothing is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PushDelay {
    pub picture: Option<SendDelay>,
    pub sound: Option<SendDelay>,
}

/// From leaving the device to reaching the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SendDelay {
    /// In the device's pipeline: scaling, conversion.
    pub capture: f64,
    pub encode: f64,
    /// In our own queue before the network.
    pub queue: f64,
    /// Age of the oldest byte in the kernel's send buffer, less the network's time.
    pub kernel: f64,
    /// Half of the round trip to the relay, once it is known.
    pub network: Option<f64>,
    pub total: f64,
}
