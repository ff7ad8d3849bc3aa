//! What a demo call measured, and whether it was a call: both sides saw and heard each other.

use serde::Serialize;

/// The JSON that `rtckiosk demo --report FILE` writes. Seen from the kiosk: the uplink is what
/// it sends, measured where the agent would see it; the downlink is what it shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub ok: bool,
    /// Why not, one line each; empty when `ok`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Length of the call.
    pub seconds: f64,
    pub room_type: &'static str,
    pub uplink: UplinkReport,
    pub downlink: DownlinkReport,
    pub latency_ms: LatencyReport,
    pub audio: AudioReport,
    pub room: RoomReport,
    pub pictures: PictureReport,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct UplinkReport {
    pub encoder: String,
    /// Pictures of the kiosk that the agent decoded.
    pub frames: u64,
    pub fps: f64,
    /// Sent, sound and container included.
    pub kbps: u64,
    pub reconnects: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DownlinkReport {
    /// Pictures of the agent that the kiosk decoded.
    pub frames: u64,
    pub fps: f64,
    /// From entering the room to the agent's first picture on the screen.
    pub first_frame_ms: Option<u64>,
    pub freezes: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LatencyReport {
    pub uplink: Latency,
    pub downlink: Latency,
}

/// Milliseconds from leaving the source to being shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Pictures measured.
    pub n: usize,
    pub p50: f64,
    pub p95: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AudioReport {
    /// The agent heard the kiosk's tone.
    pub uplink_heard: bool,
    /// The kiosk heard the agent's tone.
    pub downlink_heard: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RoomReport {
    /// Of kiosk and agents together.
    pub heartbeats_ok: u64,
    pub heartbeats_failed: u64,
    /// What the kiosk was told, in order.
    pub events: Vec<String>,
    /// Texts and commands of others that the kiosk received.
    pub messages_received: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PictureReport {
    pub kiosk_screen: Option<String>,
    pub agent_view: Option<String>,
}

/// Fewest pictures per second that count as a moving picture.
const MIN_FPS: f64 = 5.0;

impl Report {
    /// Judges the call and sets `ok` and `failures`.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let mut failures = vec![];
        let mut expect = |holds: bool, failure: &str| {
            if !holds {
                failures.push(failure.to_owned());
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "counts of pictures are small")]
        let moving = |frames: u64| frames as f64 >= MIN_FPS * self.seconds;
        expect(
            moving(self.uplink.frames),
            "the agent did not see the kiosk move",
        );
        expect(
            moving(self.downlink.frames),
            "the kiosk did not see the agent move",
        );
        expect(
            self.latency_ms.uplink.n > 0,
            "the agent read no time code of the kiosk",
        );
        expect(
            self.latency_ms.downlink.n > 0,
            "the kiosk read no time code of the agent",
        );
        expect(
            self.audio.uplink_heard,
            "the agent did not hear the kiosk's tone",
        );
        expect(
            self.audio.downlink_heard,
            "the kiosk did not hear the agent's tone",
        );
        expect(self.room.heartbeats_failed == 0, "a heartbeat failed");
        expect(
            self.room.messages_received > 0,
            "the kiosk received no text of the agent",
        );
        self.ok = failures.is_empty();
        self.failures = failures;
        self
    }
}

/// Percentiles of delays in milliseconds, by nearest rank.
#[must_use]
pub fn latency(mut samples: Vec<f64>) -> Latency {
    samples.sort_by(f64::total_cmp);
    Latency {
        n: samples.len(),
        p50: nearest_rank(&samples, 50),
        p95: nearest_rank(&samples, 95),
    }
}

/// The percentile of sorted samples; 0 of none.
pub(crate) fn nearest_rank(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let latency = Latency {
            n: 400,
            p50: 30.0,
            p95: 55.0,
        };
        Report {
            ok: false,
            failures: vec![],
            seconds: 15.0,
            room_type: "double_room",
            uplink: UplinkReport {
                frames: 450,
                ..UplinkReport::default()
            },
            downlink: DownlinkReport {
                frames: 440,
                ..DownlinkReport::default()
            },
            latency_ms: LatencyReport {
                uplink: latency,
                downlink: latency,
            },
            audio: AudioReport {
                uplink_heard: true,
                downlink_heard: true,
            },
            room: RoomReport {
                messages_received: 1,
                ..RoomReport::default()
            },
            pictures: PictureReport::default(),
        }
    }

    #[test]
    fn a_call_in_which_one_side_is_deaf_or_blind_is_none() {
        assert!(good().judged().ok);
        for (spoil, failure) in [
            (
                (|r| r.uplink.frames = 10) as fn(&mut Report),
                "the agent did not see the kiosk move",
            ),
            (
                |r| r.downlink.frames = 0,
                "the kiosk did not see the agent move",
            ),
            (
                |r| r.latency_ms.downlink.n = 0,
                "the kiosk read no time code of the agent",
            ),
            (
                |r| r.audio.uplink_heard = false,
                "the agent did not hear the kiosk's tone",
            ),
            (
                |r| r.audio.downlink_heard = false,
                "the kiosk did not hear the agent's tone",
            ),
            (|r| r.room.heartbeats_failed = 1, "a heartbeat failed"),
            (
                |r| r.room.messages_received = 0,
                "the kiosk received no text of the agent",
            ),
        ] {
            let mut report = good();
            spoil(&mut report);
            let report = report.judged();
            assert!(!report.ok);
            assert_eq!(report.failures, [failure]);
        }
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples = (1..=100).rev().map(f64::from).collect();
        assert_eq!(
            latency(samples),
            Latency {
                n: 100,
                p50: 50.0,
                p95: 95.0
            }
        );
        assert_eq!(
            latency(vec![7.0]),
            Latency {
                n: 1,
                p50: 7.0,
                p95: 7.0
            }
        );
        assert_eq!(latency(vec![]), Latency::default());
    }
}
