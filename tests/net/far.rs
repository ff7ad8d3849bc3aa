//! The far side of the link: a plain player beside the relay, that notes what arrives when.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use rtckiosk::media::time_code;

use crate::judge::Seen;
use crate::other::stamping;
use crate::{CAMERA, FPS, SIZE};

pub(crate) fn init() {
    rtckiosk::media::init().expect("GStreamer with all elements");
}

/// The arrivals; times are microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    pub(crate) pictures: Vec<Seen>,
    /// Arrivals of packets of sound.
    pub(crate) sound: Vec<u64>,
    /// Arrivals of encoded pictures, with their bytes.
    pub(crate) bytes: Vec<(u64, usize)>,
}

/// Plays until dropped; a stream that ends is played again.
pub(crate) struct Player {
    notes: Arc<Mutex<Notes>>,
    stop: Arc<AtomicBool>,
}

impl Player {
    pub(crate) fn start(url: &str) -> Self {
        let (notes, stop) = (Arc::<Mutex<Notes>>::default(), Arc::<AtomicBool>::default());
        let (into, until, url) = (Arc::clone(&notes), Arc::clone(&stop), url.to_owned());
        std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                play(&url, &into, &until);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { notes, stop }
    }

    /// Returns the arrivals until now.
    pub(crate) fn notes(&self) -> Notes {
        lock(&self.notes).clone()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Notes are only added to, so a panic elsewhere leaves nothing half-written. And a panic in one
/// of GStreamer's threads would end the process.
fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn play(url: &str, notes: &Arc<Mutex<Notes>>, stop: &AtomicBool) {
    let text = format!(
        "rtmp2src location={url} ! flvdemux name=demux \
         demux.video ! queue ! h264parse name=video ! avdec_h264 thread-type=slice ! \
         appsink name=pictures sync=false async=false \
         demux.audio ! queue ! fakesink name=sound async=false"
    );
    let pipeline = gst::parse::launch(&text).expect("elements");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let pad = |name: &str| {
        let element = pipeline.by_name(name).expect("an element");
        element.static_pad("sink").expect("a pad")
    };
    let heard = Arc::clone(notes);
    pad("sound").add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        lock(&heard).sound.push(time_code::now_micros());
        gst::PadProbeReturn::Ok
    });
    let counted = Arc::clone(notes);
    pad("video").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let bytes = info.buffer().map_or(0, |buffer| buffer.size());
        lock(&counted).bytes.push((time_code::now_micros(), bytes));
        gst::PadProbeReturn::Ok
    });
    let pictures = pipeline.by_name("pictures").expect("an element");
    let pictures = pictures.downcast::<gst_app::AppSink>().expect("an appsink");
    let bus = pipeline.bus().expect("a bus");
    let _ = pipeline.set_state(gst::State::Playing);
    let ends = [gst::MessageType::Error, gst::MessageType::Eos];
    while !stop.load(Ordering::Relaxed) && bus.pop_filtered(&ends).is_none() {
        if let Some(sample) = pictures.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
            let at = time_code::now_micros();
            if let Some(captured) = stamped(&sample) {
                lock(notes).pictures.push(Seen { at, captured });
            }
        }
    }
    let _ = pipeline.set_state(gst::State::Null);
}

/// The other member of the call, as anybody would build it. It lives on this side.
pub(crate) struct Agent(gst::Pipeline);

impl Agent {
    pub(crate) fn start(url: &str, kbps: u32) -> Self {
        Self::with_keys(url, kbps, FPS)
    }

    /// The same with another number of pictures from key frame to key frame.
    pub(crate) fn with_keys(url: &str, kbps: u32, keys: u32) -> Self {
        let (width, height) = SIZE;
        Self(stamping(&format!(
            "{CAMERA} ! videoconvert ! \
             capsfilter name=stamp caps=video/x-raw,format=I420,width={width},height={height} ! \
             x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} key-int-max={keys} ! \
             h264parse ! queue ! flvmux name=mux streamable=true ! \
             rtmp2sink location={url} chunk-size=4096 sync=false async=false \
             audiotestsrc is-live=true ! audioconvert ! avenc_aac bitrate=48000 ! queue ! mux."
        )))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Reads the moment at which the frame of a sample was captured.
pub(crate) fn stamped(sample: &gst::Sample) -> Option<u64> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
    let stride = usize::try_from(frame.plane_stride()[0]).ok()?;
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    time_code::read(frame.plane_data(0).ok()?, stride, width, height)
}
