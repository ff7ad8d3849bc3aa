//! The figures of a demo call, and the verdict on it: in a call both sides see and hear each
//! other.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::latency::Latency;
use crate::protocol::RoomType;

/// The JSON that `rtckiosk demo --report FILE` writes. Seen from the kiosk: the uplink is what
/// it sends, measured where the agent would see it; the downlink is what it shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CallReport {
    /// Whether it was a call.
    pub(super) ok: bool,
    /// Sentences that say what was missing; empty when `ok`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failures: Vec<String>,
    /// Length of the call.
    pub(super) seconds: f64,
    pub(super) room_type: RoomType,
    pub(super) uplink: UplinkReport,
    pub(super) downlink: DownlinkReport,
    pub(super) latency_ms: LatencyReport,
    pub(super) audio: AudioReport,
    pub(super) room: RoomReport,
    pub(super) pictures: PictureReport,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct UplinkReport {
    pub(super) encoder: String,
    /// Pictures of the kiosk that the agent decoded.
    pub(super) frames: u64,
    pub(super) fps: f64,
    /// Bit rate sent, sound and container included.
    pub(super) kbps: u64,
    pub(super) reconnects: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct DownlinkReport {
    /// Pictures of the agent that the kiosk decoded.
    pub(super) frames: u64,
    pub(super) fps: f64,
    /// Time from entering the room to the agent's first picture on the screen.
    pub(super) first_frame_ms: Option<u64>,
    pub(super) freezes: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct LatencyReport {
    pub(super) uplink: Latency,
    pub(super) downlink: Latency,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct AudioReport {
    /// Whether the agent heard the kiosk's tone.
    pub(super) uplink_heard: bool,
    /// Whether the kiosk heard the agent's tone.
    pub(super) downlink_heard: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct RoomReport {
    /// Heartbeats of the kiosk and the agent together.
    pub(super) heartbeats_ok: u64,
    pub(super) heartbeats_failed: u64,
    /// Comings and goings that the kiosk learnt of, in order.
    pub(super) events: Vec<String>,
    /// Texts and commands of others that the kiosk received.
    pub(super) messages_received: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct PictureReport {
    pub(super) kiosk_screen: Option<String>,
    pub(super) agent_view: Option<String>,
}

/// Least rate that counts as a moving picture, pictures per second: a sixth of the usual 30.
const MIN_FPS: f64 = 5.0;

impl CallReport {
    /// Judges the call and sets `ok` and `failures`.
    #[must_use]
    pub(super) fn judged(mut self) -> Self {
        let mut failures = vec![];
        let mut expect = |holds: bool, failure: &str| {
            if !holds {
                failures.push(failure.to_owned());
            }
        };
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

/// Creates the file of a report before the measurement, so that nobody waits for a report that
/// cannot be written, and an old one is not taken for a new one.
pub(crate) fn create_file(path: Option<&Path>) -> Result<Option<File>> {
    path.map(|path| {
        File::create(path)
            .with_context(|| format!("the report {} cannot be written", path.display()))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> CallReport {
        let latency = Latency {
            n: 400,
            p50: 30.0,
            p95: 55.0,
        };
        CallReport {
            ok: false,
            failures: vec![],
            seconds: 15.0,
            room_type: RoomType::Double,
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
    fn a_call_in_which_one_side_is_deaf_or_blind_fails() {
        assert!(good().judged().ok);
        for (spoil, failure) in [
            (
                (|r| r.uplink.frames = 10) as fn(&mut CallReport),
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
}
