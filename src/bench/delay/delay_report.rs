//! The figures of the measurement, and the verdict whether it is as quick as promised.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::bench::tools::Spread;
use crate::media::downlink::PlayDelay;
use crate::media::uplink::PushDelay;

/// Bounds of the age of pictures, median and 95th percentile, ms, from docs/performance.md.
const UPLINK: (f64, f64) = (40.0, 70.0);
const DOWNLINK: (f64, f64) = (70.0, 110.0);
/// Bound of the time to a first picture, ms, from docs/performance.md.
const FIRST_PICTURE: f64 = 500.0;
/// Bounds of the delay of sound after its picture, ms, from ITU-R BT.1359.
const SOUND: RangeInclusive<f64> = -45.0..=125.0;
/// Fewest pictures that are judged: those of some three seconds.
const MIN_PICTURES: usize = 100;

/// The figures of one receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct ReceiverFigures {
    /// Age of each picture, from leaving its source to being seen.
    pub(super) age_ms: Spread,
    /// Time from starting the receiver.
    pub(super) first_picture_ms: Option<f64>,
}

/// The figures of one direction, with ffmpeg on the same stream at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct DirectionFigures {
    pub(super) ours: ReceiverFigures,
    pub(super) ffmpeg_low_latency: ReceiverFigures,
    pub(super) ffmpeg_defaults: ReceiverFigures,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct DelayReport {
    /// Whether every bound holds.
    pub(super) ok: bool,
    /// Bounds that were missed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) missed: Vec<String>,
    /// Length of each direction's measurement.
    pub(super) seconds: u64,
    /// Our uplink, seen by a plain receiver.
    pub(super) uplink: DirectionFigures,
    pub(super) uplink_stages: PushDelay,
    /// A plain sender, seen on our screen.
    pub(super) downlink: DirectionFigures,
    pub(super) downlink_stages: PlayDelay,
    /// Pictures of the downlink that were late or skipped.
    pub(super) late: u64,
    /// Stages of the delay of a stream with sound.
    pub(super) sound_stages: PlayDelay,
    /// Time from the sender's sound until the device makes it heard.
    pub(super) mouth_to_ear_ms: Spread,
    /// Delay of the median sound after the median picture; negative: the sound is earlier.
    pub(super) sound_after_picture_ms: f64,
    /// Time from a player's start to its first picture, when the sender knows that it joins.
    pub(super) first_picture_ms: Spread,
    /// The same of whole calls, from entering the room.
    pub(super) call_first_picture_ms: Spread,
}

impl DelayReport {
    pub(super) fn judged(mut self) -> Self {
        let mut missed = Vec::new();
        for (what, seen, (p50, p95)) in [
            ("uplink", self.uplink.ours, UPLINK),
            ("downlink", self.downlink.ours, DOWNLINK),
        ] {
            let age = seen.age_ms;
            if age.n < MIN_PICTURES {
                missed.push(format!("{what}: {} pictures, too few to judge", age.n));
            }
            for (name, value, bound) in [("p50", age.p50, p50), ("p95", age.p95, p95)] {
                if value > bound {
                    missed.push(format!("{what}: {name} {value:.1} ms, bound {bound} ms"));
                }
            }
        }
        for (what, first) in [
            ("first picture", self.first_picture_ms),
            ("first picture of a call", self.call_first_picture_ms),
        ] {
            if first.n == 0 || first.max > FIRST_PICTURE {
                let worst = first.max;
                missed.push(format!("{what}: {worst:.0} ms, bound {FIRST_PICTURE} ms"));
            }
        }
        let sound = self.sound_after_picture_ms;
        if self.mouth_to_ear_ms.n == 0 {
            missed.push("no sound was heard".to_owned());
        } else if !SOUND.contains(&sound) {
            missed.push(format!(
                "sound after its picture: {sound:.0} ms, bound {} to {} ms",
                SOUND.start(),
                SOUND.end()
            ));
        }
        self.ok = missed.is_empty();
        self.missed = missed;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(p50: f64, p95: f64) -> Spread {
        Spread {
            n: 400,
            p50,
            p95,
            p99: p95,
            max: p95,
        }
    }

    fn good() -> DelayReport {
        let seen = |p50, p95| DirectionFigures {
            ours: ReceiverFigures {
                age_ms: spread(p50, p95),
                first_picture_ms: Some(100.0),
            },
            ..DirectionFigures::default()
        };
        DelayReport {
            uplink: seen(40.0, 70.0),
            downlink: seen(70.0, 110.0),
            mouth_to_ear_ms: spread(100.0, 120.0),
            sound_after_picture_ms: -45.0,
            first_picture_ms: spread(100.0, 500.0),
            call_first_picture_ms: spread(100.0, 500.0),
            ..DelayReport::default()
        }
    }

    #[test]
    fn each_bound_is_judged() {
        assert!(good().judged().ok);
        for (spoil, missed) in [
            (
                (|r| r.uplink.ours.age_ms.p50 = 40.2) as fn(&mut DelayReport),
                "uplink: p50 40.2 ms, bound 40 ms",
            ),
            (
                |r| r.downlink.ours.age_ms.p95 = 111.0,
                "downlink: p95 111.0 ms, bound 110 ms",
            ),
            (
                |r| r.downlink.ours.age_ms.n = 3,
                "downlink: 3 pictures, too few to judge",
            ),
            (
                |r| r.first_picture_ms.max = 501.0,
                "first picture: 501 ms, bound 500 ms",
            ),
            (
                |r| r.sound_after_picture_ms = 126.0,
                "sound after its picture: 126 ms, bound -45 to 125 ms",
            ),
            (
                |r| r.mouth_to_ear_ms = Spread::default(),
                "no sound was heard",
            ),
        ] {
            let mut report = good();
            spoil(&mut report);
            let report = report.judged();
            assert!(!report.ok);
            assert_eq!(report.missed, [missed]);
        }
    }
}
