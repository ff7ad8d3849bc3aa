//! The bare pipelines: one `gst-launch-1.0` that pushes and plays the same streams without a kiosk.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::process::Child;

use crate::bench::tools::killed_with_us;

/// The work of the measured kiosk: its test sources, encoders with its settings, RTMP, and
/// decoders. Nothing is drawn and nothing is mixed.
const PIPELINES: &str = "
    videotestsrc is-live=true pattern=smpte75 horizontal-speed=4
    ! video/x-raw,format=I420,width=640,height=480,framerate=30/1
    ! x264enc tune=zerolatency speed-preset=ultrafast vbv-buf-capacity=300 bitrate=800
      key-int-max=30
    ! video/x-h264,profile=constrained-baseline ! h264parse config-interval=-1 ! queue ! mux.
    audiotestsrc is-live=true freq=440 volume=0.3 samplesperbuffer=480
    ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! audioconvert
    ! avenc_aac bitrate=48000 ! aacparse ! queue ! mux.
    flvmux name=mux streamable=true
    ! rtmp2sink location=PUSH chunk-size=4096 async=false sync=false
    rtmp2src location=PLAY ! flvdemux name=demux
    demux.video ! queue ! h264parse ! avdec_h264 thread-type=slice ! videoconvert
    ! video/x-raw,format=I420 ! fakesink async=false sync=false
    demux.audio ! queue ! aacparse ! avdec_aac ! audioconvert ! audioresample
    ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! fakesink async=false sync=false";

/// Starts the pipelines; they push to one URL and play the other.
pub(super) fn start(push: &str, play: &str) -> Result<Child> {
    let words = PIPELINES.split_whitespace().map(|word| match word {
        "location=PUSH" => format!("location={push}"),
        "location=PLAY" => format!("location={play}"),
        other => other.to_owned(),
    });
    killed_with_us("gst-launch-1.0")
        .arg("-q")
        .args(words)
        .stderr(Stdio::inherit())
        .spawn()
        .context("gst-launch-1.0 (gstreamer1.0-tools) cannot be started by setpriv")
}
