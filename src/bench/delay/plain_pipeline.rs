//! A sender and a receiver that are none of ours: plain GStreamer pipelines.

use std::time::Duration;

use anyhow::{Context, Result};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video as gst_video;
use tokio::time::sleep;

use super::picture_ages::PictureAges;
use super::test_stream::{FPS, HEIGHT, SECOND, WIDTH};
use crate::demo::meter::read_time_code;
use crate::media::time_code;

/// Samples per second, and per buffer: 10 ms, as a microphone gives them.
const HZ: i32 = 48_000;
const BLOCK: i32 = HZ / 100;
/// Length of the burst of tone with which each second of the monotonic clock begins, microseconds.
const BURST: u64 = 60_000;

/// A pipeline that plays until it is dropped.
#[derive(Debug)]
pub(super) struct PlainPipeline(gst::Pipeline);

impl Drop for PlainPipeline {
    fn drop(&mut self) {
        // A pipeline that cannot be stopped ends with the process.
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn make(name: &str) -> gst::element_factory::ElementBuilder<'_> {
    gst::ElementFactory::make(name)
}

impl PlainPipeline {
    /// Sends a moving picture with its time code, and bursts of tone if it is to have sound.
    /// (flvmux then makes the picture wait for the sound.)
    ///
    /// # Errors
    /// An element is missing, or the pipeline does not start.
    pub(super) fn sender(url: &str, with_sound: bool) -> Result<Self> {
        let pipeline = gst::Pipeline::new();
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let mux = make("flvmux").property("streamable", true).build()?;
        let sink = make("rtmp2sink")
            .property("location", url)
            .property("sync", false)
            .property("async", false)
            .build()?;
        pipeline.add_many([&mux, &sink])?;
        mux.link(&sink)?;
        let sound = with_sound.then(sound).transpose()?;
        for (track, elements) in [("video", Some(picture()?)), ("audio", sound)] {
            if let Some(elements) = elements {
                pipeline.add_many(&elements)?;
                gst::Element::link_many(&elements)?;
                let last = elements.last().context("no elements")?;
                last.link_pads(Some("src"), &mux, Some(track))?;
            }
        }
        pipeline.set_state(gst::State::Playing)?;
        Ok(Self(pipeline))
    }

    /// Sends some key frames, as a member does for one that joins.
    pub(super) async fn send_key_frames(&self) {
        for _ in 0..4 {
            if let Some(encoder) = self.0.by_name("encoder") {
                let event = gst_video::UpstreamForceKeyUnitEvent::builder().build();
                encoder.send_event(event);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Receives a stream and decodes its pictures as soon as it can.
    ///
    /// # Errors
    /// An element is missing, or the pipeline does not start.
    pub(super) fn receiver(url: &str, ages: PictureAges) -> Result<Self> {
        let pipeline = gst::Pipeline::new();
        let source = make("rtmp2src").property("location", url).build()?;
        let demuxer = make("flvdemux").build()?;
        let decoder = make("avdec_h264").property_from_str("thread-type", "slice");
        let callback = move |sink: &AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            ages.seen(read_time_code(&sample));
            Ok(gst::FlowSuccess::Ok)
        };
        let sink = AppSink::builder()
            .sync(false)
            .async_(false)
            .callbacks(AppSinkCallbacks::builder().new_sample(callback).build())
            .build();
        let parser = make("h264parse").build()?;
        let video = [
            make("queue").build()?,
            parser,
            decoder.build()?,
            sink.upcast(),
        ];
        let unheard = make("fakesink").property("async", false).build()?;
        pipeline.add_many([&source, &demuxer, &unheard])?;
        pipeline.add_many(&video)?;
        source.link(&demuxer)?;
        gst::Element::link_many(&video)?;
        let pads = [&video[0], &unheard].map(|element| element.static_pad("sink"));
        let [Some(video), Some(unheard)] = pads else {
            anyhow::bail!("an element without its pad");
        };
        demuxer.connect_pad_added(move |_, pad| {
            let sink = if pad.name() == "video" {
                &video
            } else {
                &unheard
            };
            // A stream has one of each: a second one stays unlinked, and is an error on the bus.
            let _ = pad.link(sink);
        });
        pipeline.set_state(gst::State::Playing)?;
        Ok(Self(pipeline))
    }
}

fn picture() -> Result<Vec<gst::Element>> {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", WIDTH.cast_signed())
        .field("height", HEIGHT.cast_signed())
        .field("framerate", gst::Fraction::new(FPS.cast_signed(), 1))
        .build();
    let format = make("capsfilter").property("caps", caps).build()?;
    let pad = format.static_pad("src").context("a capsfilter has one")?;
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut()
            && let Ok(mut map) = buffer.make_mut().map_writable()
        {
            let (width, height) = (WIDTH as usize, HEIGHT as usize);
            time_code::stamp(&mut map, width, width, height, time_code::now_micros());
        }
        gst::PadProbeReturn::Ok
    });
    Ok(vec![
        make("videotestsrc")
            .property("is-live", true)
            .property_from_str("pattern", "ball")
            .build()?,
        format,
        make("x264enc")
            .name("encoder")
            .property_from_str("tune", "zerolatency")
            .property_from_str("speed-preset", "ultrafast")
            .property("bitrate", 800u32)
            .property("key-int-max", 2 * FPS)
            .build()?,
        make("h264parse").build()?,
        make("queue").build()?,
    ])
}

fn sound() -> Result<Vec<gst::Element>> {
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", HZ)
        .field("channels", 1i32)
        .build();
    let format = make("capsfilter").property("caps", caps).build()?;
    let pad = format.static_pad("src").context("a capsfilter has one")?;
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let base = pad.parent_element().and_then(|element| element.base_time());
        if let (Some(base), Some(buffer)) = (base, info.buffer_mut())
            && let Some(pts) = buffer.pts()
            && let Ok(mut map) = buffer.make_mut().map_writable()
        {
            let from = (base + pts).useconds();
            for (n, sample) in map.chunks_exact_mut(2).enumerate() {
                let at = from + n as u64 * SECOND / u64::from(HZ.unsigned_abs());
                if at % SECOND >= BURST {
                    sample.fill(0);
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
    Ok(vec![
        make("audiotestsrc")
            .property("is-live", true)
            .property("samplesperbuffer", BLOCK)
            .property("freq", 1000.0)
            .build()?,
        format,
        make("audioconvert").build()?,
        make("avenc_aac").property("bitrate", 48_000i32).build()?,
        make("queue").build()?,
    ])
}
