//! What was measured, and whether it is as quick as promised.

use std::fmt;

use serde::Serialize;

use crate::bench::spread::Spread;
use crate::media::downlink::PlayDelay;
use crate::media::uplink::PushDelay;

/// Bounds in ms.
const UPLINK: (f64, f64) = (40.0, 70.0);
const DOWNLINK: (f64, f64) = (70.0, 110.0);
const FIRST_PICTURE: f64 = 500.0;
/// Sound after its picture, by ITU-R BT.1359.
const SOUND: std::ops::RangeInclusive<f64> = -45.0..=125.0;
/// Fewer pictures say nothing.
const ENOUGH: usize = 100;

/// What one receiver saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Seen {
    /// Age of each picture, from leaving its source to being seen.
    pub(super) age_ms: Spread,
    /// From starting the receiver.
    pub(super) first_picture_ms: Option<f64>,
}

/// One direction, with ffmpeg on the same stream at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Direction {
    pub(super) ours: Seen,
    pub(super) ffmpeg_low_latency: Seen,
    pub(super) ffmpeg_defaults: Seen,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) ok: bool,
    /// Bounds that were missed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) missed: Vec<String>,
    /// Of each direction.
    pub(super) seconds: u64,
    /// Our uplink, seen by a plain receiver.
    pub(super) uplink: Direction,
    pub(super) uplink_stages: PushDelay,
    /// A plain sender, seen on our screen.
    pub(super) downlink: Direction,
    pub(super) downlink_stages: PlayDelay,
    /// Pictures of the downlink that were late or skipped.
    pub(super) late: u64,
    /// Of a stream with sound.
    pub(super) sound_stages: PlayDelay,
    /// From the sender's sound to the device that makes it heard.
    pub(super) mouth_to_ear_ms: Spread,
    /// Of the median sound and picture; positive: the sound is later.
    pub(super) sound_after_picture_ms: f64,
    /// From a player's start to its first picture, when the sender is told that it joins.
    pub(super) first_picture_ms: Spread,
    /// The same of whole calls, from entering the room.
    pub(super) call_first_picture_ms: Spread,
}

impl Report {
    pub(super) fn judged(mut self) -> Self {
        let mut missed = Vec::new();
        for (what, seen, (p50, p95)) in [
            ("uplink", self.uplink.ours, UPLINK),
            ("downlink", self.downlink.ours, DOWNLINK),
        ] {
            let age = seen.age_ms;
            if age.n < ENOUGH {
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds;
        writeln!(
            f,
            "640x480 at 30 fps through nginx-rtmp on loopback, {seconds} s each; ms\n"
        )?;
        writeln!(
            f,
            "{:<34}{:>7}{:>8}{:>8}{:>8}{:>7}{:>10}",
            "age of the picture", "n", "p50", "p95", "max", "ratio", "1st after"
        )?;
        for (what, direction) in [
            ("uplink, plain receiver", self.uplink),
            ("downlink, kiosk's screen", self.downlink),
        ] {
            let ours = direction.ours.age_ms.p50;
            line(f, what, direction.ours, ours)?;
            line(
                f,
                "  ffmpeg, low latency",
                direction.ffmpeg_low_latency,
                ours,
            )?;
            line(f, "  ffmpeg, defaults", direction.ffmpeg_defaults, ours)?;
        }
        writeln!(f)?;
        writeln!(f, "first picture of a player   {}", self.first_picture_ms)?;
        writeln!(
            f,
            "first picture of a call     {}",
            self.call_first_picture_ms
        )?;
        writeln!(f, "sound, mouth to ear         {}", self.mouth_to_ear_ms)?;
        let late = (self.late, self.downlink.ours.age_ms.n);
        writeln!(
            f,
            "sound after its picture     {:.1} ms; {} of {} pictures late",
            self.sound_after_picture_ms, late.0, late.1
        )?;
        if let Some(stages) = self.uplink_stages.picture {
            writeln!(
                f,
                "uplink: capture {} + encode {} + queue {} + kernel {} + network {} = {}",
                stages.capture,
                stages.encode,
                stages.queue,
                stages.kernel,
                stages.network.unwrap_or_default(),
                stages.total
            )?;
        }
        if let Some(stages) = self.downlink_stages.picture {
            let (queue, decode, hold) = (stages.queue, stages.decode, stages.hold);
            writeln!(
                f,
                "downlink: queue {queue} + decode {decode} + hold {hold} = {}",
                stages.total
            )?;
        }
        if let Some(stages) = self.sound_stages.sound {
            let (buffer, device) = (stages.buffer, stages.device);
            let after = self.sound_stages.sound_after_picture.unwrap_or_default();
            writeln!(
                f,
                "sound: buffer {buffer} + device {device} = {}; {after} after its picture",
                stages.total
            )?;
        }
        for missed in &self.missed {
            writeln!(f, "MISSED {missed}")?;
        }
        Ok(())
    }
}

/// One receiver; `ours` is what its median is compared with.
fn line(f: &mut fmt::Formatter<'_>, what: &str, seen: Seen, ours: f64) -> fmt::Result {
    let Spread {
        n, p50, p95, max, ..
    } = seen.age_ms;
    let first = seen
        .first_picture_ms
        .map_or("never".to_owned(), |first| format!("{first:.0}"));
    let ratio = if ours > 0.0 { p50 / ours } else { 0.0 };
    writeln!(
        f,
        "{what:<34}{n:>7}{p50:>8.1}{p95:>8.1}{max:>8.1}{ratio:>7.2}{first:>10}"
    )
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

    fn good() -> Report {
        let seen = |p50, p95| Direction {
            ours: Seen {
                age_ms: spread(p50, p95),
                first_picture_ms: Some(100.0),
            },
            ..Direction::default()
        };
        Report {
            uplink: seen(40.0, 70.0),
            downlink: seen(70.0, 110.0),
            mouth_to_ear_ms: spread(100.0, 120.0),
            sound_after_picture_ms: -45.0,
            first_picture_ms: spread(100.0, 500.0),
            call_first_picture_ms: spread(100.0, 500.0),
            ..Report::default()
        }
    }

    #[test]
    fn each_bound_is_judged() {
        assert!(good().judged().ok);
        for (spoil, missed) in [
            (
                (|r| r.uplink.ours.age_ms.p50 = 40.2) as fn(&mut Report),
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
