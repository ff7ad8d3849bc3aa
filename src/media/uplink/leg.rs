//! The pipeline of one connection to the relay:
//!
//! ```text
//! appsrc ! videoconvertscale ! encoder ! h264parse ! appsink > outbox > appsrc ! rtmp2sink
//! appsrc ! audioconvert ! aac encoder ! aacparse ! appsink   >
//! ```
//!
//! Nothing here makes the capture wait. What the network has not taken yet waits in the outbox;
//! while a picture waits there, no other is encoded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use super::batch::Batch;
use super::flv::{self, Metadata, Packet};
use super::outbox::Outbox;
use super::pace::Pace;
use super::queue::{Tag, Track};
use super::stages::Point;
use super::{Mutes, UplinkConfig, tagger};
use crate::media::congestion::Quality;
use crate::media::relay_link::RelayLink;

/// Name of the element that talks to the relay.
pub(super) const NETWORK: &str = "relay";

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
    pub(super) size: (u32, u32),
    pub(super) fps: u32,
    mutes: Arc<Mutes>,
}

impl Taps {
    pub(super) fn new(capture: &Capture, mutes: Arc<Mutes>) -> Self {
        let fps = capture.config.fps;
        let video_caps = at_rate(&picture_caps(&capture.config), fps);
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

/// What the streams of a leg are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoders {
    pub(super) h264: &'static H264,
    pub(super) aac: &'static str,
}

/// What a leg has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counters {
    /// To the relay, with the handshake; zero until the relay has accepted the stream.
    pub(super) bytes: u64,
    /// Encoded frames.
    pub(super) frames: u64,
    /// Of those, key frames.
    pub(super) keys: u64,
    /// Encoded bytes of picture and of sound.
    pub(super) picture_bytes: u64,
    pub(super) sound_bytes: u64,
    /// Pictures given to the encoder, and those that wait for it.
    pub(super) given: u64,
    pub(super) encoder_queue: u64,
}

/// Counts what leaves an encoder.
#[derive(Debug, Default)]
struct Meter {
    packets: AtomicU64,
    keys: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    fn of(encoder: &gst::Element) -> Arc<Self> {
        let meter = Arc::new(Self::default());
        let counts = Arc::clone(&meter);
        if let Some(pad) = encoder.static_pad("src") {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(buffer) = info.buffer() {
                    let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                    counts.packets.fetch_add(1, Ordering::Relaxed);
                    counts.keys.fetch_add(u64::from(key), Ordering::Relaxed);
                    counts
                        .bytes
                        .fetch_add(buffer.size() as u64, Ordering::Relaxed);
                }
                gst::PadProbeReturn::Ok
            });
        }
        meter
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) pipeline: Pipeline,
    pub(super) outbox: Arc<Outbox>,
    video: gst_app::AppSrc,
    sound: gst_app::AppSrc,
    h264: &'static H264,
    encoder: gst::Element,
    /// Fixes the size that is encoded.
    size: gst::Element,
    network: gst::Element,
    /// Closed after the pipeline.
    pub(super) link: RelayLink,
    pace: Arc<Pace>,
    picture_meter: Arc<Meter>,
    sound_meter: Arc<Meter>,
    given: Arc<AtomicU64>,
    metadata: Metadata,
}

impl Leg {
    pub(super) fn build(
        config: &UplinkConfig,
        taps: &Taps,
        encoders: Encoders,
        quality: Quality,
        link: RelayLink,
    ) -> Result<Self, MediaError> {
        let pipeline = Pipeline::new("uplink");
        let caps = at_rate(&taps.video_caps, quality.fps);
        let video = input("video", &caps).max_buffers(2).build();
        let sound = input("sound", &sound_caps()).max_time(SOUND_WAITS).build();
        let gop = (config.gop_seconds * f64::from(taps.fps)).round().max(1.0) as u32;
        let target = Target {
            kbps: quality.kbps,
            gop,
        };
        let stage = encoders.h264.stage(target, &sized(quality))?;
        let aac = encoder::build_aac(encoders.aac, config.audio_kbps)?;
        let tags = input("tags", &gst::Caps::new_empty_simple("video/x-flv")).build();
        let outbox = Arc::new(Outbox::new(tags.clone()));
        let network = network(link.location())?;
        pipeline.chain(&[tags.upcast(), network.clone()])?;
        let mut picture = vec![video.clone().upcast()];
        picture.extend(stage.elements);
        picture.push(tagger::sink(Track::Picture, &outbox));
        pipeline.chain(&picture)?;
        pipeline.chain(&[
            sound.clone().upcast(),
            make("audioconvert", "convert").build()?,
            aac.clone(),
            make("aacparse", "aacparse").build()?,
            tagger::sink(Track::Sound, &outbox),
        ])?;
        let pace = Arc::new(Pace::new(quality, taps.fps));
        Ok(Self {
            pipeline,
            outbox,
            video,
            sound,
            h264: encoders.h264,
            size: stage.size,
            network,
            link,
            pace,
            picture_meter: Meter::of(&stage.encoder),
            sound_meter: Meter::of(&aac),
            given: Arc::default(),
            encoder: stage.encoder,
            metadata: taps.metadata(config),
        })
    }

    /// Lets captured frames in. The leg must be running: frames captured before are not taken.
    pub(super) fn attach(&self, taps: &Taps) -> [Attachment; 2] {
        let base = self.pipeline.base_time();
        self.outbox.put(Tag {
            track: Track::Sound,
            packet: Packet::Config,
            captured: Duration::ZERO,
            bytes: flv::metadata(self.metadata),
        });
        let (video, sound) = (self.video.clone(), self.sound.clone());
        let (mutes, black) = (Arc::clone(&taps.mutes), black(&taps.video_caps));
        let (outbox, pace) = (Arc::clone(&self.outbox), Arc::clone(&self.pace));
        let given = Arc::clone(&self.given);
        let show = move |frame: &Frame| {
            let muted = mutes.video.load(Ordering::Relaxed);
            let instead = black.as_ref().filter(|_| muted);
            if !outbox.holds_picture() && pace.takes(frame.captured.into()) {
                outbox
                    .stages
                    .note(Track::Picture, Point::Captured, age(frame));
                given.fetch_add(1, Ordering::Relaxed);
                if let Some(buffer) = timed(frame, instead, base) {
                    // Refused only while the pipeline stops: whoever stops it knows.
                    let _ = video.push_buffer(buffer);
                }
            }
        };
        let (mutes, outbox) = (Arc::clone(&taps.mutes), Arc::clone(&self.outbox));
        let batch = Mutex::new(Batch::default());
        let play = move |frame: &Frame| {
            outbox
                .stages
                .note(Track::Sound, Point::Captured, age(frame));
            let muted = mutes.sound.load(Ordering::Relaxed);
            let silence = frame.sample.buffer().filter(|_| muted).map(silence);
            let mut batch = batch.lock().unwrap_or_else(PoisonError::into_inner);
            let block = timed(frame, silence.as_ref(), base);
            if let Some(block) = block.and_then(|block| batch.put(block)) {
                let _ = sound.push_buffer(block);
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

    /// Makes the pictures from now on as `to` says. Another size or frame rate starts the
    /// encoder anew, with a key frame.
    pub(super) fn set_quality(&self, from: Quality, to: Quality, taps: &Taps) {
        self.pace.set(to);
        if from.kbps != to.kbps {
            self.h264.set_rate(&self.encoder, to.kbps);
        }
        if from.fps != to.fps {
            self.video
                .set_caps(Some(&at_rate(&taps.video_caps, to.fps)));
        }
        if (from.width, from.height) != (to.width, to.height) {
            self.size.set_property("caps", sized(to));
        }
        if !from.video() && to.video() {
            self.request_key_frame();
        }
    }

    pub(super) fn counters(&self) -> Counters {
        let stats = self.network.property::<gst::Structure>("stats");
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counters {
            bytes: stats.get("out-bytes-total").unwrap_or(0),
            frames: load(&self.picture_meter.packets),
            keys: load(&self.picture_meter.keys),
            picture_bytes: load(&self.picture_meter.bytes),
            sound_bytes: load(&self.sound_meter.bytes),
            given: load(&self.given),
            encoder_queue: self.video.current_level_buffers(),
        }
    }
}

/// The caps of captured pictures, that come so often.
fn at_rate(caps: &gst::Caps, fps: u32) -> gst::Caps {
    let mut caps = caps.clone();
    let rate = gst::Fraction::new(i32::try_from(fps).unwrap_or(30), 1);
    caps.make_mut().set("framerate", rate);
    caps
}

fn sized(quality: Quality) -> gst::Caps {
    let side = |pixels| i32::try_from(pixels).unwrap_or(i32::MAX);
    gst::Caps::builder("video/x-raw")
        .field("width", side(quality.width))
        .field("height", side(quality.height))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build()
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

/// How long ago a frame was captured.
fn age(frame: &Frame) -> Duration {
    gst::SystemClock::obtain()
        .time()
        .saturating_sub(frame.captured)
        .into()
}

/// A captured frame, or `instead` of it, at the frame's time; `None` for one from before the leg.
fn timed(
    frame: &Frame,
    instead: Option<&gst::Buffer>,
    base: gst::ClockTime,
) -> Option<gst::Buffer> {
    let time = frame.captured.checked_sub(base)?;
    // Copies the description of the frame, not its pixels.
    let mut buffer = instead.map(AsRef::as_ref).or(frame.sample.buffer())?.copy();
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(time);
        buffer.set_dts(gst::ClockTime::NONE);
    }
    Some(buffer)
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
