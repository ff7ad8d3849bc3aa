//! The report as a table for people.

use std::fmt::{Display, Formatter, Result};

use super::delay_report::{DelayReport, DirectionFigures, ReceiverFigures};
use super::test_stream::{FPS, HEIGHT, WIDTH};
use crate::bench::tools::Spread;

impl Display for DelayReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let seconds = self.seconds;
        writeln!(
            f,
            "{WIDTH}x{HEIGHT} at {FPS} fps through nginx-rtmp on loopback, {seconds} s each; ms\n"
        )?;
        writeln!(
            f,
            "{:<34}{:>7}{:>8}{:>8}{:>8}{:>7}{:>10}",
            "age of the picture", "n", "p50", "p95", "max", "ratio", "1st after"
        )?;
        write_direction(f, "uplink, plain receiver", &self.uplink)?;
        write_direction(f, "downlink, kiosk's screen", &self.downlink)?;
        let (first, of_call) = (self.first_picture_ms, self.call_first_picture_ms);
        writeln!(f, "\nfirst picture of a player   {first}")?;
        writeln!(f, "first picture of a call     {of_call}")?;
        writeln!(f, "sound, mouth to ear         {}", self.mouth_to_ear_ms)?;
        let (late, of) = (self.late, self.downlink.ours.age_ms.n);
        writeln!(
            f,
            "sound after its picture     {:.1} ms; {late} of {of} pictures late",
            self.sound_after_picture_ms
        )?;
        self.write_stages(f)?;
        for missed in &self.missed {
            writeln!(f, "MISSED {missed}")?;
        }
        Ok(())
    }
}

impl DelayReport {
    fn write_stages(&self, f: &mut Formatter<'_>) -> Result {
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
        Ok(())
    }
}

/// Writes the rows of one direction: all medians are compared with ours.
fn write_direction(f: &mut Formatter<'_>, name: &str, direction: &DirectionFigures) -> Result {
    let ours = direction.ours.age_ms.p50;
    write_receiver(f, name, direction.ours, ours)?;
    let low_latency = direction.ffmpeg_low_latency;
    write_receiver(f, "  ffmpeg, low latency", low_latency, ours)?;
    write_receiver(f, "  ffmpeg, defaults", direction.ffmpeg_defaults, ours)
}

fn write_receiver(
    f: &mut Formatter<'_>,
    name: &str,
    figures: ReceiverFigures,
    ours: f64,
) -> Result {
    let Spread {
        n, p50, p95, max, ..
    } = figures.age_ms;
    let first = figures
        .first_picture_ms
        .map_or("never".to_owned(), |first| format!("{first:.0}"));
    let ratio = if ours > 0.0 { p50 / ours } else { 0.0 };
    writeln!(
        f,
        "{name:<34}{n:>7}{p50:>8.1}{p95:>8.1}{max:>8.1}{ratio:>7.2}{first:>10}"
    )
}
