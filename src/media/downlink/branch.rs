//! The GStreamer graph of one connection.
//!
//! ```text
//! rtmp2src ! flvdemux name=d
//!   d.video ! queue leaky=downstream ! h264parse ! H.264 decoder ! videoconvert ! appsink sync=false
//!   d.audio ! queue leaky=downstream ! aacparse ! AAC decoder ! audioconvert ! audioresample ! appsink
//! ```
//! The demuxer's pads come when their media come, or never. No queue ever blocks: the network
//! is always read, so a late branch is known by its backlog and cannot stop the other one. When
//! a picture is shown and sound is played says the play-out clock (see `playout`).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::VideoInfo;
use tokio::sync::watch;

use super::arrivals::{Arrivals, Unplayable};
use super::catch_up::Verdict;
use super::fault::{DECODER, SOURCE};
use crate::media::codecs::Decoders;
use crate::media::error::MediaError;
use crate::media::format::{SAMPLE_RATE, samples, sound_caps};
use crate::media::pipeline::{Pipeline, make};
use crate::media::speaker::SpeakerInput;
use crate::media::time_code::now_micros;
use crate::media::tone::Meter;

/// Length of the queue of video: more than a relay replays on joining.
const VIDEO_QUEUE: Duration = Duration::from_secs(4);
/// Length of the queue of sound: our choice.
const AUDIO_QUEUE: Duration = Duration::from_secs(1);

/// The takers of what one connection delivers.
#[derive(Debug, Clone)]
pub(super) struct Outlets {
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) picture: Arc<watch::Sender<Option<gst::Sample>>>,
    pub(super) speaker: Option<SpeakerInput>,
    pub(super) decoders: Decoders,
}

/// Builds the pipeline that plays `url`, and its source.
///
/// # Errors
/// `Build` when an element cannot be made, `Pipeline` when the source refuses `url`.
pub(super) fn build(url: &str, outlets: &Outlets) -> Result<(Pipeline, gst::Element), MediaError> {
    let pipeline = Pipeline::new("downlink");
    let source = make("rtmp2src", SOURCE).build()?;
    if let Some(handler) = source.dynamic_cast_ref::<gst::URIHandler>() {
        handler.set_uri(url).map_err(|error| MediaError::Pipeline {
            element: SOURCE.to_owned(),
            message: error.message().to_owned(),
            debug: String::new(),
        })?;
    }
    let demuxer = make("flvdemux", "demuxer").build()?;
    pipeline.chain(&[source.clone(), demuxer.clone()])?;
    count_bytes(&source, outlets);
    // Weak: the demuxer's handler must not keep its own pipeline alive.
    let (bin, outlets) = (pipeline.gst().downgrade(), outlets.clone());
    demuxer.connect_pad_added(move |demuxer, pad| {
        if let Some(bin) = bin.upgrade()
            && let Err(error) = attach(&bin, pad, &outlets)
        {
            gst::element_error!(demuxer, gst::CoreError::Pad, ("{}: {}", pad.name(), error));
        }
    });
    Ok((pipeline, source))
}

fn count_bytes(source: &gst::Element, outlets: &Outlets) {
    let arrivals = Arc::clone(&outlets.arrivals);
    if let Some(pad) = source.static_pad("src") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                arrivals.bytes.fetch_add(buffer.size() as u64, Relaxed);
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Builds the branch that plays what comes out of `pad`.
fn attach(bin: &gst::Pipeline, pad: &gst::Pad, outlets: &Outlets) -> Result<(), MediaError> {
    let caps = pad.current_caps();
    let media = caps.as_ref().and_then(|caps| caps.structure(0));
    let name = media.map_or("unknown format", |media| media.name().as_str());
    let mpeg = media.and_then(|media| media.get::<i32>("mpegversion").ok());
    let elements = match (name, mpeg) {
        ("video/x-h264", _) => video(pad, outlets)?,
        ("audio/mpeg", Some(2 | 4)) => audio(pad, outlets)?,
        _ => {
            let video = pad.name() == "video";
            let known = if video { "H.264" } else { "AAC" };
            let version = mpeg.map_or(String::new(), |mpeg| format!(" version {mpeg}"));
            let reason = format!("{name}{version} instead of {known}");
            outlets.arrivals.refuse(Unplayable { video, reason });
            let sink = make("fakesink", if video { "no-video" } else { "no-audio" });
            vec![sink.property("async", false).build()?]
        }
    };
    bin.add_many(&elements)?;
    gst::Element::link_many(&elements)?;
    // From the end, so that no element gets data before the next one can take it.
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let first = elements.first().and_then(|first| first.static_pad("sink"));
    if let Some(sink) = first {
        pad.link(&sink)
            .map_err(|error| MediaError::Build(format!("cannot be linked: {error}")))?;
    }
    Ok(())
}

fn queue(name: &str, longest: Duration) -> Result<gst::Element, MediaError> {
    Ok(make("queue", name)
        .property(
            "max-size-time",
            u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX),
        )
        .property("max-size-bytes", 0u32)
        .property("max-size-buffers", 0u32)
        .property_from_str("leaky", "downstream")
        .build()?)
}

fn sink(caps: &gst::Caps, callbacks: AppSinkCallbacks) -> gst::Element {
    AppSink::builder()
        .caps(caps)
        .async_(false)
        .sync(false)
        .max_buffers(1)
        .drop(true)
        .callbacks(callbacks)
        .build()
        .upcast()
}

fn video(pad: &gst::Pad, outlets: &Outlets) -> Result<Vec<gst::Element>, MediaError> {
    let arrivals = &outlets.arrivals;
    let chosen = outlets.decoders.h264;
    let decoder = chosen.make(DECODER)?;
    // One decoder per connection: a second video pad does not exist in FLV.
    let _ = arrivals.decoder.set(chosen);
    let queue = queue("video-queue", VIDEO_QUEUE)?;
    count_video(pad, arrivals);
    gate(&queue, arrivals);
    let caps = gst::Caps::builder("video/x-raw").field("format", "I420");
    let sink = sink(&caps.build(), show_pictures(outlets));
    Ok(vec![
        queue,
        make("h264parse", "video-parser").build()?,
        decoder,
        make("videoconvert", "video-convert").build()?,
        sink,
    ])
}

/// Time of now in µs, as media times here.
fn now() -> i64 {
    now_micros() as i64
}

fn micros(time: Option<gst::ClockTime>) -> i64 {
    time.map_or(0, |time| time.useconds() as i64)
}

/// Media time of a coded frame in ms: decoding order, so that it only grows.
fn media_ms(buffer: &gst::BufferRef) -> u64 {
    buffer.dts_or_pts().map_or(0, gst::ClockTime::mseconds)
}

fn count_video(pad: &gst::Pad, arrivals: &Arc<Arrivals>) {
    let arrivals = Arc::clone(arrivals);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            let (sent, media) = (micros(buffer.dts_or_pts()), micros(buffer.pts()));
            arrivals.passage.picture_arrived(now(), sent, media);
            arrivals.newest_ms.store(media_ms(buffer), Relaxed);
            if !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
                arrivals.keys.fetch_add(1, Relaxed);
            }
            arrivals.video.fetch_add(1, Relaxed);
            let bytes = buffer.size() as u64;
            arrivals.picture_bytes.fetch_add(bytes, Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
}

/// Judges each coded frame that leaves `queue`.
fn gate(queue: &gst::Element, arrivals: &Arc<Arrivals>) {
    let arrivals = Arc::clone(arrivals);
    let Some(pad) = queue.static_pad("src") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer() else {
            return gst::PadProbeReturn::Ok;
        };
        let newest = arrivals.newest_ms.load(Relaxed);
        let backlog = newest.saturating_sub(media_ms(buffer));
        arrivals.backlog_ms.store(backlog, Relaxed);
        let flags = buffer.flags();
        let key = !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let gap = flags.contains(gst::BufferFlags::DISCONT);
        let (media, backlog) = (micros(buffer.pts()), Duration::from_millis(backlog));
        let passage = &arrivals.passage;
        match passage.picture_taken(now(), media, (key, gap), backlog) {
            Verdict::Show | Verdict::DecodeOnly => gst::PadProbeReturn::Ok,
            Verdict::Drop => {
                arrivals.undecoded.fetch_add(1, Relaxed);
                gst::PadProbeReturn::Drop
            }
        }
    });
}

/// Holds each picture back until its time. While one waits here the decoder does, and what comes
/// meanwhile is in the queue.
fn show_pictures(outlets: &Outlets) -> AppSinkCallbacks {
    let (arrivals, picture) = (Arc::clone(&outlets.arrivals), Arc::clone(&outlets.picture));
    let callback = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let media = micros(sample.buffer().and_then(gst::BufferRef::pts));
        let info = sample.caps().map(VideoInfo::from_caps);
        if let Some(ready) = arrivals.passage.picture_decoded(now(), media)
            && let Some(Ok(info)) = info
        {
            let wait = ready.wait();
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            picture.send_replace(Some(sample));
            arrivals.passage.picture_shown(now(), ready);
            arrivals.shown((info.width(), info.height()));
        }
        Ok(gst::FlowSuccess::Ok)
    };
    AppSinkCallbacks::builder().new_sample(callback).build()
}

fn audio(pad: &gst::Pad, outlets: &Outlets) -> Result<Vec<gst::Element>, MediaError> {
    let arrivals = Arc::clone(&outlets.arrivals);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            arrivals.passage.sound_arrived(now(), micros(buffer.pts()));
            let bytes = buffer.size() as u64;
            arrivals.sound_bytes.fetch_add(bytes, Relaxed);
        }
        arrivals.audio.fetch_add(1, Relaxed);
        gst::PadProbeReturn::Ok
    });
    Ok(vec![
        queue("audio-queue", AUDIO_QUEUE)?,
        make("aacparse", "audio-parser").build()?,
        make(outlets.decoders.aac, "audio-decoder").build()?,
        make("audioconvert", "audio-convert").build()?,
        make("audioresample", "audio-resample").build()?,
        sink(&sound_caps(), play_sound(outlets)),
    ])
}

fn play_sound(outlets: &Outlets) -> AppSinkCallbacks {
    let (arrivals, speaker) = (Arc::clone(&outlets.arrivals), outlets.speaker.clone());
    let (mut meter, mut sound) = (Meter::new(SAMPLE_RATE), Vec::new());
    let callback = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let map = sample
            .buffer()
            .and_then(|buffer| buffer.map_readable().ok());
        let Some(map) = map else {
            return Ok(gst::FlowSuccess::Ok);
        };
        sound.clear();
        sound.extend(samples(&map));
        if let Some(level) = meter.push(&sound) {
            arrivals.heard(level);
        }
        if let Some(speaker) = &speaker {
            let media = micros(sample.buffer().and_then(gst::BufferRef::pts));
            let played = speaker.played();
            let timing = arrivals.passage.sound_decoded(now(), media, played);
            speaker.push(&sound, timing);
        }
        arrivals.samples.fetch_add(sound.len() as u64, Relaxed);
        Ok(gst::FlowSuccess::Ok)
    };
    AppSinkCallbacks::builder().new_sample(callback).build()
}
