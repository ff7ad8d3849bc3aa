//! Other programs that push: what anybody would start, at a fixed bitrate, fed through a pipe
//! with raw pictures that carry a time code.

use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, Command, Stdio};

use gstreamer as gst;
use gstreamer::prelude::*;
use rtckiosk::media::time_code;
use serde::{Deserialize, Serialize};

use crate::{CAMERA, FPS, SIZE};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Other {
    /// `gst-launch-1.0 ... rtmp2sink`
    GstLaunch,
    Ffmpeg,
}

/// Pushes until killed.
pub(crate) fn push(other: Other, url: &str, kbps: u32) {
    let mut program = match other {
        Other::GstLaunch => gst_launch(url, kbps),
        Other::Ffmpeg => ffmpeg(url, kbps),
    };
    // Taken out, because waiting for a program closes its input.
    let input = program.stdin.take().expect("a pipe");
    let camera = camera(&input);
    let status = program.wait();
    let _ = camera.set_state(gst::State::Null);
    panic!("{other:?} ended: {status:?}");
}

fn gst_launch(url: &str, kbps: u32) -> Child {
    let (width, height) = SIZE;
    let text = format!(
        "fdsrc fd=0 ! \
         rawvideoparse format=i420 width={width} height={height} framerate={FPS}/1 ! \
         x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} key-int-max={FPS} ! \
         h264parse ! queue ! flvmux name=mux streamable=true ! \
         rtmp2sink location={url} chunk-size=4096 sync=false \
         audiotestsrc is-live=true ! audioconvert ! avenc_aac bitrate=48000 ! queue ! mux."
    );
    start(
        Command::new("gst-launch-1.0")
            .arg("-q")
            .args(text.split_whitespace()),
    )
}

fn ffmpeg(url: &str, kbps: u32) -> Child {
    let (width, height) = SIZE;
    let text = format!(
        "-hide_banner -loglevel error -use_wallclock_as_timestamps 1 \
         -f rawvideo -pix_fmt yuv420p -s {width}x{height} -r {FPS} -i - \
         -re -f lavfi -i sine=frequency=1000:sample_rate=48000 \
         -c:v libx264 -preset ultrafast -tune zerolatency \
         -b:v {kbps}k -maxrate {kbps}k -bufsize {}k -g {FPS} \
         -c:a aac -b:a 48k -flush_packets 1 -f flv {url}",
        kbps / 2
    );
    start(Command::new("ffmpeg").args(text.split_whitespace()))
}

fn start(command: &mut Command) -> Child {
    let child = command.stdin(Stdio::piped()).spawn();
    child.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Writes pictures of now to a program's input. As a camera does, it waits for nobody: what is
/// not read in time is lost.
fn camera(input: &ChildStdin) -> gst::Pipeline {
    let pipe = input.as_raw_fd();
    let (width, height) = SIZE;
    let text = format!(
        "{CAMERA} ! videoconvert ! \
         capsfilter name=stamp caps=video/x-raw,format=I420,width={width},height={height} ! \
         queue leaky=downstream max-size-buffers=1 ! fdsink fd={pipe} sync=false"
    );
    stamping(&text)
}

/// A pipeline whose element `stamp` writes the time into each picture.
pub(crate) fn stamping(text: &str) -> gst::Pipeline {
    let pipeline = gst::parse::launch(text).expect("elements");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let stamp = pipeline
        .by_name("stamp")
        .and_then(|stamp| stamp.static_pad("src"));
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    stamp
        .expect("a pad")
        .add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer_mut() {
                let mut map = buffer.make_mut().map_writable().expect("memory");
                time_code::stamp(&mut map, width, width, height, time_code::now_micros());
            }
            gst::PadProbeReturn::Ok
        });
    pipeline.set_state(gst::State::Playing).expect("plays");
    pipeline
}
