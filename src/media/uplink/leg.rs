//! The pipeline of one connection to the relay:
//!
//! ```text
//! appsrc ! encoder ! h264parse ! appsink                  > tags > appsrc ! rtmp2sink
//! appsrc ! audioconvert ! aac encoder ! aacparse ! appsink >
//! ```
//!
//! Nothing here makes the capture wait. What the network has not taken yet waits in the last
//! appsrc; when that is too much, captured frames are dropped before they are encoded, the
//! picture's sooner than the sound's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use secrecy::{ExposeSecret, SecretString};

use super::super::MediaError;
use super::super::capture::feed::{Attachment, Feed, Frame};
use super::super::capture::{Capture, SOUND_HZ, picture_caps, sound_caps};
use super::super::encoder::{self, H264, Target};
use super::super::pipeline::{Pipeline, make};
use super::flv::{self, Metadata, Packet};
use super::{Mutes, UplinkConfig};

/// Name of the element that talks to the relay.
pub(super) const NETWORK: &str = "relay";

/// No more of the picture is encoded while this much waits for the network, in ms.
const VIDEO_BACKLOG_MS: u64 = 500;
/// No more of anything is encoded while this much waits for the network, in ms.
const SOUND_BACKLOG_MS: u64 = 1000;
/// What may wait for the AAC encoder before sound is lost.
const SOUND_WAITS: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// A connection attempt, or a write, that takes longer has failed.
pub(super) const NETWORK_SECONDS: u32 = 5;
/// RTMP's default of 128 bytes costs a header for each of a frame's many pieces.
const CHUNK_BYTES: u32 = 4096;

/// Where the frames of every leg come from.
#[derive(Debug)]
pub(super) struct Taps {
    video: Arc<Feed>,
    sound: Arc<Feed>,
    video_caps: gst::Caps,
    size: (u32, u32),
    fps: u32,
    mutes: Arc<Mutes>,
}

impl Taps {
    pub(super) fn new(capture: &Capture, mutes: Arc<Mutes>) -> Self {
        let fps = capture.config.fps;
        let mut video_caps = picture_caps(&capture.config);
        let rate = gst::Fraction::new(i32::try_from(fps).unwrap_or(30), 1);
        video_caps.make_mut().set("framerate", rate);
        Self {
            video: Arc::clone(&capture.video),
            sound: Arc::clone(&capture.sound),
            video_caps,
            size: (capture.config.width, capture.config.height),
            fps,
            mutes,
        }
    }

    fn metadata(&self, config: &UplinkConfig) -> Metadata {
        Metadata {
            width: self.size.0,
            height: self.size.1,
            fps: self.fps,
            video_kbps: config.bitrate_kbps,
            audio_kbps: config.audio_kbps,
            audio_hz: SOUND_HZ.unsigned_abs(),
        }
    }
}

/// What a leg has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counters {
    /// To the relay, with the handshake; zero until the relay has accepted the stream.
    pub(super) bytes: u64,
    /// Encoded frames.
    pub(super) frames: u64,
    pub(super) backlog: Duration,
}

/// What waits for the network.
#[derive(Debug, Clone)]
struct Backlog {
    /// Tags that the RTMP element has not taken.
    tags: gst_app::AppSrc,
    /// What it has handed to the kernel, and the peer has not taken.
    kernel_ms: Arc<AtomicU64>,
}

impl Backlog {
    fn millis(&self) -> u64 {
        self.tags.current_level_time().mseconds() + self.kernel_ms.load(Ordering::Relaxed)
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) pipeline: Pipeline,
    video: gst_app::AppSrc,
    sound: gst_app::AppSrc,
    encoder: gst::Element,
    backlog: Backlog,
    network: gst::Element,
    frames: Arc<AtomicU64>,
    metadata: Metadata,
}

impl Leg {
    pub(super) fn build(
        config: &UplinkConfig,
        taps: &Taps,
        h264: &H264,
    ) -> Result<Self, MediaError> {
        let pipeline = Pipeline::new("uplink");
        let video = input("video", &taps.video_caps).max_buffers(2).build();
        let sound = input("sound", &sound_caps()).max_time(SOUND_WAITS).build();
        let gop = (config.gop_seconds * f64::from(taps.fps)).round().max(1.0) as u32;
        let encoder = h264.build(Target {
            kbps: config.bitrate_kbps,
            gop,
        })?;
        let tags = input("tags", &gst::Caps::new_empty_simple("video/x-flv")).build();
        let network = network(&config.url)?;
        pipeline.chain(&[tags.clone().upcast(), network.clone()])?;
        pipeline.chain(&[
            video.clone().upcast(),
            encoder.clone(),
            make("capsfilter", "profile")
                .property("caps", h264.caps())
                .build()?,
            make("h264parse", "h264")
                .property("config-interval", -1i32)
                .build()?,
            tagger("video-tags", &avc_caps(), &tags, flv::video),
        ])?;
        pipeline.chain(&[
            sound.clone().upcast(),
            make("audioconvert", "convert").build()?,
            encoder::aac(config.audio_kbps)?,
            make("aacparse", "aacparse").build()?,
            tagger("sound-tags", &aac_caps(), &tags, flv::audio),
        ])?;
        let frames = count_frames(&encoder);
        Ok(Self {
            pipeline,
            video,
            sound,
            encoder,
            backlog: Backlog {
                tags,
                kernel_ms: Arc::default(),
            },
            network,
            frames,
            metadata: taps.metadata(config),
        })
    }

    /// Lets captured frames in. The leg must be running: frames captured before are not taken.
    pub(super) fn attach(&self, taps: &Taps) -> [Attachment; 2] {
        let base = self.pipeline.base_time();
        let metadata = flv::metadata(self.metadata);
        push_tag(&self.backlog.tags, gst::ClockTime::ZERO, metadata);
        let (video, sound) = (self.video.clone(), self.sound.clone());
        let (mutes, black) = (Arc::clone(&taps.mutes), black(&taps.video_caps));
        let backlog = self.backlog.clone();
        let show = move |frame: &Frame| {
            let muted = mutes.video.load(Ordering::Relaxed);
            let instead = black.as_ref().filter(|_| muted);
            if backlog.millis() < VIDEO_BACKLOG_MS {
                push(&video, frame, instead, base);
            }
        };
        let mutes = Arc::clone(&taps.mutes);
        let backlog = self.backlog.clone();
        let play = move |frame: &Frame| {
            let muted = mutes.sound.load(Ordering::Relaxed);
            let silence = frame.sample.buffer().filter(|_| muted).map(silence);
            if backlog.millis() < SOUND_BACKLOG_MS {
                push(&sound, frame, silence.as_ref(), base);
            }
        };
        [taps.video.attach(show), taps.sound.attach(play)]
    }

    pub(super) fn request_key_frame(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        if !self.encoder.send_event(event) {
            log::warn!("the encoder refused to make a key frame");
        }
    }

    /// Takes note of what waits in the kernel.
    pub(super) fn set_kernel_backlog(&self, waiting: Duration) {
        let millis = u64::try_from(waiting.as_millis()).unwrap_or(u64::MAX);
        self.backlog.kernel_ms.store(millis, Ordering::Relaxed);
    }

    pub(super) fn counters(&self) -> Counters {
        let stats = self.network.property::<gst::Structure>("stats");
        Counters {
            bytes: stats.get("out-bytes-total").unwrap_or(0),
            frames: self.frames.load(Ordering::Relaxed),
            backlog: Duration::from_millis(self.backlog.millis()),
        }
    }
}

/// A live source that never makes its feeder wait: beyond its limit, if it has one, the oldest
/// buffers are lost.
fn input<'a>(name: &'a str, caps: &'a gst::Caps) -> gst_app::app_src::AppSrcBuilder<'a> {
    gst_app::AppSrc::builder()
        .name(name)
        .caps(caps)
        .format(gst::Format::Time)
        .is_live(true)
        .max_bytes(0)
        .leaky_type(gst_app::AppLeakyType::Downstream)
}

fn network(url: &SecretString) -> Result<gst::Element, MediaError> {
    Ok(make("rtmp2sink", NETWORK)
        .property("location", url.expose_secret())
        .property("chunk-size", CHUNK_BYTES)
        .property("timeout", NETWORK_SECONDS)
        .property("async", false)
        .property("sync", false)
        .property("enable-last-sample", false)
        .build()?)
}

fn count_frames(encoder: &gst::Element) -> Arc<AtomicU64> {
    let frames = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&frames);
    if let Some(pad) = encoder.static_pad("src") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
    }
    frames
}

/// Pushes a captured frame, or `instead` of it, at the frame's time.
fn push(
    input: &gst_app::AppSrc,
    frame: &Frame,
    instead: Option<&gst::Buffer>,
    base: gst::ClockTime,
) {
    let Some(time) = frame.captured.checked_sub(base) else {
        return;
    };
    let Some(buffer) = instead.map(AsRef::as_ref).or(frame.sample.buffer()) else {
        return;
    };
    // Copies the description of the frame, not its pixels.
    let mut buffer = buffer.copy();
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(time);
        buffer.set_dts(gst::ClockTime::NONE);
    }
    // Refused only while the pipeline stops: whoever stops it knows.
    let _ = input.push_buffer(buffer);
}

/// H.264 as FLV carries it.
fn avc_caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .build()
}

/// AAC as FLV carries it.
fn aac_caps() -> gst::Caps {
    gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4i32)
        .field("stream-format", "raw")
        .build()
}

/// A sink that makes a tag of each packet, and one of the decoder configuration before the
/// first and whenever it changes.
fn tagger(
    name: &str,
    caps: &gst::Caps,
    tags: &gst_app::AppSrc,
    tag: fn(u32, Packet, &[u8]) -> Vec<u8>,
) -> gst::Element {
    let tags = tags.clone();
    let mut config = None;
    let on_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (Some(time), Some(buffer)) = (running_time(&sample), sample.buffer_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        // RTMP's times are 32 bits of milliseconds and wrap after 49 days.
        let millis = (time.mseconds() & u64::from(u32::MAX)) as u32;
        let now = decoder_config(&sample);
        if let Some(now) = now.filter(|now| config.as_ref() != Some(now)) {
            push_tag(
                &tags,
                time,
                tag(
                    millis,
                    Packet::Config,
                    &now.map_readable().map_err(|_| gst::FlowError::Error)?,
                ),
            );
            config = Some(now);
        }
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let data = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        push_tag(&tags, time, tag(millis, Packet::Media { key }, &data));
        Ok(gst::FlowSuccess::Ok)
    };
    gst_app::AppSink::builder()
        .name(name)
        .caps(caps)
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(on_sample)
                .build(),
        )
        .build()
        .upcast()
}

/// Encoders may count from any time; the segment tells from which.
fn running_time(sample: &gst::Sample) -> Option<gst::ClockTime> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    segment.to_running_time(sample.buffer()?.pts()?)
}

fn decoder_config(sample: &gst::Sample) -> Option<gst::Buffer> {
    sample
        .caps()?
        .structure(0)?
        .get::<gst::Buffer>("codec_data")
        .ok()
}

fn push_tag(tags: &gst_app::AppSrc, time: gst::ClockTime, tag: Vec<u8>) {
    let mut buffer = gst::Buffer::from_mut_slice(tag);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(time);
    }
    // Refused only while the pipeline stops: whoever stops it knows.
    let _ = tags.push_buffer(buffer);
}

fn black(caps: &gst::Caps) -> Option<gst::Buffer> {
    let info = gst_video::VideoInfo::from_caps(caps).ok()?;
    let mut bytes = vec![128u8; info.size()];
    let luma = info.comp_height(0) as usize * usize::try_from(info.stride()[0]).ok()?;
    bytes[..luma].fill(16);
    Some(gst::Buffer::from_mut_slice(bytes))
}

fn silence(like: &gst::BufferRef) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![0u8; like.size()]);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_duration(like.duration());
    }
    buffer
}
