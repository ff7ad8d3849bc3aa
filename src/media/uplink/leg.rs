//! The pipeline of one connection to the relay:
//!
//! ```text
//! appsrc ! encoder ! h264parse !            flvmux ! queue ! rtmp2sink
//! appsrc ! audioconvert ! aac ! aacparse !
//! ```
//!
//! Both sources lose old frames rather than make the capture wait. The queue's level is what
//! the network has not taken yet; when it is full the encoders stop, and the sources lose.

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
use super::super::capture::{Capture, picture_caps, sound_caps};
use super::super::encoder::{self, H264, Target};
use super::super::pipeline::{Pipeline, make};
use super::{Mutes, UplinkConfig};

/// Name of the element that talks to the relay.
pub(super) const NETWORK: &str = "relay";

/// What may wait for the network before frames are lost.
const BACKLOG: Duration = Duration::from_secs(1);
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
            fps,
            mutes,
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

/// One connection.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) pipeline: Pipeline,
    video: gst_app::AppSrc,
    sound: gst_app::AppSrc,
    encoder: gst::Element,
    queue: gst::Element,
    network: gst::Element,
    frames: Arc<AtomicU64>,
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
        let mux = make("flvmux", "mux").property("streamable", true).build()?;
        let queue = backlog_queue()?;
        let network = network(&config.url)?;
        pipeline.chain(&[
            video.clone().upcast(),
            encoder.clone(),
            make("capsfilter", "profile")
                .property("caps", h264.caps())
                .build()?,
            make("h264parse", "h264")
                .property("config-interval", -1i32)
                .build()?,
            mux.clone(),
            queue.clone(),
            network.clone(),
        ])?;
        let aac = make("aacparse", "aacparse").build()?;
        pipeline.chain(&[
            sound.clone().upcast(),
            make("audioconvert", "convert").build()?,
            encoder::aac(config.audio_kbps)?,
            aac.clone(),
        ])?;
        aac.link(&mux)?;
        let frames = count_frames(&encoder);
        Ok(Self {
            pipeline,
            video,
            sound,
            encoder,
            queue,
            network,
            frames,
        })
    }

    /// Lets captured frames in. The leg must be running: frames captured before are not taken.
    pub(super) fn attach(&self, taps: &Taps) -> [Attachment; 2] {
        let base = self.pipeline.base_time();
        let (video, sound) = (self.video.clone(), self.sound.clone());
        let (mutes, black) = (Arc::clone(&taps.mutes), black(&taps.video_caps));
        let show = move |frame: &Frame| {
            let muted = mutes.video.load(Ordering::Relaxed);
            let instead = black.as_ref().filter(|_| muted);
            push(&video, frame, instead, base);
        };
        let mutes = Arc::clone(&taps.mutes);
        let play = move |frame: &Frame| {
            let muted = mutes.sound.load(Ordering::Relaxed);
            let silence = frame.sample.buffer().filter(|_| muted).map(silence);
            push(&sound, frame, silence.as_ref(), base);
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

    pub(super) fn counters(&self) -> Counters {
        let stats = self.network.property::<gst::Structure>("stats");
        let backlog = self.queue.property::<u64>("current-level-time");
        Counters {
            bytes: stats.get("out-bytes-total").unwrap_or(0),
            frames: self.frames.load(Ordering::Relaxed),
            backlog: Duration::from_nanos(backlog),
        }
    }
}

/// A live source that never makes its feeder wait.
fn input<'a>(name: &'a str, caps: &'a gst::Caps) -> gst_app::app_src::AppSrcBuilder<'a> {
    gst_app::AppSrc::builder()
        .name(name)
        .caps(caps)
        .format(gst::Format::Time)
        .is_live(true)
        .max_bytes(0)
        .leaky_type(gst_app::AppLeakyType::Downstream)
}

fn backlog_queue() -> Result<gst::Element, MediaError> {
    Ok(make("queue", "backlog")
        .property(
            "max-size-time",
            u64::try_from(BACKLOG.as_nanos()).unwrap_or(u64::MAX),
        )
        .property("max-size-bytes", 0u32)
        .property("max-size-buffers", 0u32)
        .build()?)
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
