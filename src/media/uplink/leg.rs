//! The pipeline of one connection to the relay:
//!
//! ```text
//! appsrc ! videoconvertscale ! encoder ! h264parse ! appsink > switch > outbox > appsrc ! rtmp2sink
//! what the camera encoded itself                             >
//! appsrc ! audioconvert ! aac encoder ! aacparse ! appsink            >
//! ```
//!
//! Nothing here makes the capture wait. What the network has not taken yet waits in the outbox;
//! while a picture waits there, no other is encoded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::batch::Batch;
use super::counters::{Counters, Meter, meter};
use super::encoders::Encoders;
use super::flv::{self, Metadata, Packet};
use super::frames::{age, black, silence, timed};
use super::outbox::Outbox;
use super::pace::Pace;
use super::push_config::UplinkConfig;
use super::queue::{Tag, Track};
use super::stages::Point;
use super::switch::Switch;
use super::tagger::{self, Tagger};
use super::taps::{Taps, at_rate};
use crate::media::capture::{Attachment, Encoded, Frame};
use crate::media::codecs::{H264, Target, build_aac};
use crate::media::congestion::Quality;
use crate::media::error::MediaError;
use crate::media::format::{side, sound_caps};
use crate::media::lock::lock;
use crate::media::pipeline::{Pipeline, make};
use crate::media::relay_link::RelayLink;

/// Name of the element that talks to the relay.
pub(super) const NETWORK: &str = "relay";

/// Sound that may wait for the AAC encoder before the oldest of it is lost: 200 ms, our choice.
const SOUND_WAITS: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Seconds after which a connection attempt, or a write, has failed.
pub(super) const NETWORK_SECONDS: u32 = 5;
/// Bytes of a chunk: RTMP's default of 128 costs a header for each of a frame's many pieces.
const CHUNK_BYTES: u32 = 4096;

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
    switch: Arc<Switch>,
    /// Frames between key frames.
    gop: u32,
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
        let aac = build_aac(encoders.aac, config.audio_kbps)?;
        let tags = input("tags", &gst::Caps::new_empty_simple("video/x-flv")).build();
        let outbox = Arc::new(Outbox::new(tags.clone()));
        let network = network(link.location())?;
        pipeline.chain(&[tags.upcast(), network.clone()])?;
        let tagger = Tagger::new(Track::Picture, &outbox);
        let mutes = Arc::clone(&taps.mutes);
        let switch = Arc::new(Switch::new(tagger, stage.encoder.clone(), mutes, quality));
        let mut picture = vec![video.clone().upcast()];
        picture.extend(stage.elements);
        picture.push(switch.sink());
        pipeline.chain(&picture)?;
        pipeline.chain(&[
            sound.clone().upcast(),
            make("audioconvert", "convert").build()?,
            aac.clone(),
            make("aacparse", "aacparse").build()?,
            tagger::sound_sink(&outbox),
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
            switch,
            gop,
            picture_meter: meter(&stage.encoder),
            sound_meter: meter(&aac),
            given: Arc::default(),
            encoder: stage.encoder,
            metadata: taps.metadata(config),
        })
    }

    /// Lets captured frames in. The leg must be running: frames captured before are not taken.
    pub(super) fn attach(&self, taps: &Taps, quality: Quality) -> [Attachment; 3] {
        let base = self.pipeline.base_time();
        self.outbox.put(Tag {
            track: Track::Sound,
            packet: Packet::Config,
            captured: Duration::ZERO,
            bytes: flv::metadata(self.metadata),
        });
        self.attend_camera(taps, quality);
        let (mutes, outbox) = (Arc::clone(&taps.mutes), Arc::clone(&self.outbox));
        let (sound, batch) = (self.sound.clone(), Mutex::new(Batch::default()));
        let play = move |frame: &Frame| {
            let Some(time) = frame.captured.checked_sub(base) else {
                return;
            };
            outbox
                .stages
                .note(Track::Sound, Point::Captured, age(frame.captured));
            let muted = mutes.sound.load(Ordering::Relaxed);
            let silence = frame.sample.buffer().filter(|_| muted).map(silence);
            let mut batch = lock(&batch);
            let block = timed(frame, silence.as_ref(), time);
            if let Some(block) = block.and_then(|block| batch.put(block)) {
                let _ = sound.push_buffer(block);
            }
        };
        [
            taps.video.attach(self.show(taps, base)),
            taps.video.attach_encoded(self.pass_on(base)),
            taps.sound.attach(play),
        ]
    }

    /// The tap for captured pictures.
    fn show(&self, taps: &Taps, base: gst::ClockTime) -> impl Fn(&Frame) + use<> {
        let (mutes, black) = (Arc::clone(&taps.mutes), black(&taps.video_caps));
        let (outbox, pace) = (Arc::clone(&self.outbox), Arc::clone(&self.pace));
        let (video, given) = (self.video.clone(), Arc::clone(&self.given));
        let switch = Arc::clone(&self.switch);
        move |frame| {
            let muted = mutes.video.load(Ordering::Relaxed);
            let instead = black.as_ref().filter(|_| muted);
            let Some(time) = frame.captured.checked_sub(base) else {
                return;
            };
            if !outbox.holds_picture()
                && pace.takes(frame.captured.into())
                && switch.takes(frame, time.into())
            {
                outbox
                    .stages
                    .note(Track::Picture, Point::Captured, age(frame.captured));
                given.fetch_add(1, Ordering::Relaxed);
                if let Some(picture) = timed(frame, instead, time) {
                    // Refused only while the pipeline stops: whoever stops it knows.
                    let _ = video.push_buffer(picture);
                }
            }
        }
    }

    /// The tap for pictures that the camera encoded.
    fn pass_on(&self, base: gst::ClockTime) -> impl Fn(&Encoded) + use<> {
        let (switch, outbox) = (Arc::clone(&self.switch), Arc::clone(&self.outbox));
        move |encoded| {
            let age = age(encoded.captured);
            if let Some(time) = encoded.captured.checked_sub(base)
                && switch.send_camera(encoded, time)
            {
                outbox.stages.note(Track::Picture, Point::Captured, age);
            }
        }
    }

    /// Tells a camera with an encoder of its own what is wanted of it.
    pub(super) fn attend_camera(&self, taps: &Taps, quality: Quality) {
        let target = Target {
            kbps: quality.kbps,
            gop: self.gop,
        };
        let live = taps.video.camera();
        self.switch.attend(live, target, Instant::now());
    }

    pub(super) fn request_key_frame(&self) {
        self.switch.request_key();
    }

    /// Name of the encoder of what is sent, once something is.
    pub(super) fn encoder_name(&self) -> Option<String> {
        let ours = || self.h264.element.to_owned();
        let feeds = self.switch.feeds();
        feeds.then(|| self.switch.camera_name().unwrap_or_else(ours))
    }

    /// Makes the pictures from now on as `to` says. Another size or frame rate starts the
    /// encoder anew, with a key frame.
    pub(super) fn set_quality(&self, from: Quality, to: Quality, taps: &Taps) {
        self.pace.set(to);
        self.switch.set_quality(from, to);
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
        let (ours, camera) = (&self.picture_meter, &self.switch.meter);
        let encoded = load(&ours.packets);
        Counters {
            bytes: stats.get("out-bytes-total").unwrap_or(0),
            frames: encoded + load(&camera.packets),
            keys: load(&ours.keys) + load(&camera.keys),
            picture_bytes: load(&ours.bytes) + load(&camera.bytes),
            encoded,
            sound_bytes: load(&self.sound_meter.bytes),
            given: load(&self.given),
            encoder_queue: self.video.current_level_buffers(),
        }
    }
}

fn sized(quality: Quality) -> gst::Caps {
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
