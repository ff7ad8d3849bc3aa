//! Makes FLV tags of encoded packets.

use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::flv::{self, Packet};
use super::outbox::Outbox;
use super::queue::{Tag, Track};
use crate::media::format::{aac_caps, avc_caps};
use crate::media::lock::lock;

/// Makes a tag of each packet of one track, and one of the decoder configuration before the first
/// and whenever it changes.
#[derive(Debug)]
pub(super) struct Tagger {
    track: Track,
    outbox: Arc<Outbox>,
    /// The configuration that decoders got last.
    config: Mutex<Option<gst::Buffer>>,
}

impl Tagger {
    pub(super) fn new(track: Track, outbox: &Arc<Outbox>) -> Self {
        Self {
            track,
            outbox: Arc::clone(outbox),
            config: Mutex::default(),
        }
    }

    /// Puts a packet into the outbox, at `time` of the leg.
    pub(super) fn put(&self, sample: &gst::Sample, time: gst::ClockTime, key: bool) {
        let mut config = lock(&self.config);
        let now = decoder_config(sample);
        if let Some(now) = now.filter(|now| config.as_ref() != Some(now)) {
            self.put_data(Packet::Config, &now, time);
            *config = Some(now);
        }
        if let Some(buffer) = sample.buffer() {
            self.put_data(Packet::Media { key }, buffer, time);
        }
    }

    fn put_data(&self, packet: Packet, data: &gst::BufferRef, time: gst::ClockTime) {
        let Ok(data) = data.map_readable() else {
            log::warn!("a packet of an encoder cannot be read");
            return;
        };
        // RTMP's times are 32 bits of milliseconds and wrap after 49 days.
        let millis = (time.mseconds() & u64::from(u32::MAX)) as u32;
        let bytes = match self.track {
            Track::Picture => flv::video(millis, packet, &data),
            Track::Sound => flv::audio(millis, packet, &data),
        };
        self.outbox.put(Tag {
            track: self.track,
            packet,
            captured: time.into(),
            bytes,
        });
    }
}

/// A sink of one track that hands on each packet.
pub(super) fn sink(track: Track, take: impl Fn(&gst::Sample) + Send + 'static) -> gst::Element {
    let (name, caps) = match track {
        Track::Picture => ("video-tags", avc_caps()),
        Track::Sound => ("sound-tags", aac_caps()),
    };
    let on_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        take(&sample);
        Ok(gst::FlowSuccess::Ok)
    };
    gst_app::AppSink::builder()
        .name(name)
        .caps(&caps)
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(on_sample)
                .build(),
        )
        .build()
        .into()
}

/// A sink that puts each packet of sound into the outbox.
pub(super) fn sound_sink(outbox: &Arc<Outbox>) -> gst::Element {
    let tagger = Tagger::new(Track::Sound, outbox);
    sink(Track::Sound, move |sample| {
        if let Some(time) = running_time(sample) {
            tagger.put(sample, time, is_key(sample));
        }
    })
}

/// Whether GStreamer calls it a key frame: every piece of sound is one.
pub(super) fn is_key(sample: &gst::Sample) -> bool {
    let flags = sample.buffer().map(gst::BufferRef::flags);
    flags.is_some_and(|flags| !flags.contains(gst::BufferFlags::DELTA_UNIT))
}

/// Encoders may count from any time; the segment tells from which.
pub(super) fn running_time(sample: &gst::Sample) -> Option<gst::ClockTime> {
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
