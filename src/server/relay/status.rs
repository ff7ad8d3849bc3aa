//! The status of streams, as the relay tells it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// One stream: somebody publishes it, waits for it, or both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamStatus {
    pub stream_id: String,
    /// `None` while players wait for a publisher.
    pub publisher: Option<PublisherStatus>,
    pub players: Vec<PlayerStatus>,
}

/// The publishing side of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublisherStatus {
    pub addr: SocketAddr,
    /// Unix seconds at which publishing began.
    pub since: u64,
    pub uptime_s: f64,
    /// A decoder configuration for pictures (or sound) has been seen.
    pub video: bool,
    pub audio: bool,
    /// Media bytes, without RTMP's own.
    pub bytes_in: u64,
    /// Over the last one to two seconds.
    pub kbps_in: f64,
    /// Pictures.
    pub frames: u64,
    /// The reason for which a late player waits for the next key frame; `None`: it starts at once.
    pub late_players_wait: Option<String>,
    /// `None` before the first picture or sound.
    pub last_media_ms_ago: Option<u64>,
}

/// One player of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayerStatus {
    pub addr: SocketAddr,
    /// Everything written to its socket.
    pub bytes_out: u64,
    /// Groups of pictures it was too slow for.
    pub dropped_gops: u64,
    /// Waiting in its queue.
    pub queued_bytes: usize,
}

/// Bit rate of the last one to two seconds.
#[derive(Debug)]
pub(super) struct BitRate {
    window: Instant,
    bytes: u64,
    last_kbps: f64,
}

/// Shortest time over which bytes are counted: a display value need not change more often.
const WINDOW: Duration = Duration::from_secs(1);

impl BitRate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: now,
            bytes: 0,
            last_kbps: 0.0,
        }
    }

    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        let elapsed = now.duration_since(self.window);
        if elapsed >= WINDOW {
            self.last_kbps = kbps(self.bytes, elapsed);
            self.window = now;
            self.bytes = 0;
        }
        self.bytes += bytes as u64;
    }

    pub(super) fn kbps(&self, now: Instant) -> f64 {
        let elapsed = now.duration_since(self.window);
        if elapsed >= WINDOW {
            kbps(self.bytes, elapsed)
        } else {
            self.last_kbps
        }
    }
}

/// Rounded to one decimal.
fn kbps(bytes: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a display value")]
    let kbits = bytes as f64 * 0.008;
    (kbits / time.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_and_falls_to_nothing() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut rate = BitRate::new(start);
        for tenth in 0..20 {
            rate.add(1250, at(f64::from(tenth) * 0.1));
        }
        assert!((rate.kbps(at(1.95)) - 100.0).abs() < 1.0, "{rate:?}");
        assert!(rate.kbps(at(20.0)) < 10.0);
        assert!(rate.kbps(at(20_000.0)) < 0.01);
    }
}
