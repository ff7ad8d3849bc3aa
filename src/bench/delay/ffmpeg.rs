//! ffmpeg as a receiver, to compare with.

use std::io::Read;
use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use super::delay_report::DirectionFigures;
use super::picture_ages::PictureAges;
use super::test_stream::{HEIGHT, WIDTH};
use crate::bench::tools::killed_with_us;
use crate::media::time_code;

/// Flags that make ffmpeg receive with little delay. The time to analyse a stream is in µs: with
/// less, ffmpeg often takes a stream with sound for one without picture.
const LOW_LATENCY: &str = "-fflags nobuffer -flags low_delay -analyzeduration 300000";

/// Two ffmpegs on one stream, one with flags for low latency, the other with the defaults.
#[derive(Debug)]
pub(super) struct Ffmpegs {
    ages: [PictureAges; 2],
    _running: [Ffmpeg; 2],
}

impl Ffmpegs {
    /// # Errors
    /// ffmpeg cannot be started.
    pub(super) fn start(url: &str) -> Result<Self> {
        let ages = [PictureAges::start(), PictureAges::start()];
        let running = [
            Ffmpeg::start(url, LOW_LATENCY, ages[0].clone())?,
            Ffmpeg::start(url, "", ages[1].clone())?,
        ];
        Ok(Self {
            ages,
            _running: running,
        })
    }

    /// The figures of all receivers of the stream.
    pub(super) fn beside(&self, ours: &PictureAges) -> DirectionFigures {
        let [low_latency, defaults] = &self.ages;
        DirectionFigures {
            ours: ours.figures(),
            ffmpeg_low_latency: low_latency.figures(),
            ffmpeg_defaults: defaults.figures(),
        }
    }
}

/// An ffmpeg that decodes into a pipe, until it is dropped.
#[derive(Debug)]
struct Ffmpeg(Child);

impl Ffmpeg {
    fn start(url: &str, flags: &str, ages: PictureAges) -> Result<Self> {
        let mut command = killed_with_us("ffmpeg").into_std();
        command
            .args(["-nostdin", "-loglevel", "error"])
            .args(flags.split_whitespace());
        command.args(["-i", url, "-map", "0:v", "-fps_mode", "passthrough"]);
        command.args(["-f", "rawvideo", "-pix_fmt", "gray", "-"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("ffmpeg cannot be started by setpriv: install ffmpeg and util-linux")?;
        let mut pictures = child.stdout.take().context("ffmpeg has no output")?;
        let (width, height) = (WIDTH as usize, HEIGHT as usize);
        std::thread::Builder::new()
            .name("ffmpeg".to_owned())
            .spawn(move || {
                let mut picture = vec![0; width * height];
                while pictures.read_exact(&mut picture).is_ok() {
                    ages.seen(time_code::read(&picture, width, width, height));
                }
            })?;
        Ok(Self(child))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
