//! The far side of the link: a plain player beside the relay, that notes what arrives when.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use rtckiosk::media::time_code;

pub(crate) fn init() {
    rtckiosk::media::init().expect("GStreamer with all elements");
}

/// A picture: when it arrived and when it was captured, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) at: u64,
    pub(crate) captured: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) pictures: Vec<Seen>,
    /// Arrivals of packets of sound.
    pub(crate) sound: Vec<u64>,
    /// Arrivals of encoded pictures, with their bytes.
    pub(crate) bytes: Vec<(u64, usize)>,
}

impl Notes {
    /// Pictures that arrived in a span of microseconds.
    pub(crate) fn between(&self, from: u64, to: u64) -> Vec<Seen> {
        let inside = |seen: &&Seen| (from..to).contains(&seen.at);
        self.pictures.iter().filter(inside).copied().collect()
    }

    /// kbit/s of the picture in a span of microseconds.
    pub(crate) fn kbps(&self, from: u64, to: u64) -> f64 {
        let inside = self.bytes.iter().filter(|(at, _)| (from..to).contains(at));
        inside.map(|(_, bytes)| *bytes as f64).sum::<f64>() * 8000.0 / (to - from) as f64
    }
}

/// Plays until dropped; a stream that ends is played again.
pub(crate) struct Player {
    pub(crate) notes: Arc<Mutex<Notes>>,
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
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
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
        heard
            .lock()
            .expect("no panic")
            .sound
            .push(time_code::now_micros());
        gst::PadProbeReturn::Ok
    });
    let counted = Arc::clone(notes);
    pad("video").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let bytes = info.buffer().map_or(0, |buffer| buffer.size());
        counted
            .lock()
            .expect("no panic")
            .bytes
            .push((time_code::now_micros(), bytes));
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
                notes
                    .lock()
                    .expect("no panic")
                    .pictures
                    .push(Seen { at, captured });
            }
        }
    }
    let _ = pipeline.set_state(gst::State::Null);
}

/// When the frame of a sample was captured.
pub(crate) fn stamped(sample: &gst::Sample) -> Option<u64> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
    let stride = usize::try_from(frame.plane_stride()[0]).ok()?;
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    time_code::read(frame.plane_data(0).ok()?, stride, width, height)
}
