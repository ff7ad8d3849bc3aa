//! From encoded packets to FLV tags.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::flv::{self, Packet};
use super::outbox::Outbox;
use super::queue::{Tag, Track};

/// A sink that makes a tag of each packet, and one of the decoder configuration before the
/// first and whenever it changes.
pub(super) fn sink(track: Track, outbox: &Arc<Outbox>) -> gst::Element {
    let (name, caps, make_tag) = match track {
        Track::Picture => (
            "video-tags",
            avc_caps(),
            flv::video as fn(u32, Packet, &[u8]) -> _,
        ),
        Track::Sound => ("sound-tags", aac_caps(), flv::audio as _),
    };
    let outbox = Arc::clone(outbox);
    let mut config = None;
    let on_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (Some(time), Some(buffer)) = (running_time(&sample), sample.buffer_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let put = |packet, data: &gst::Buffer| {
            let data = data.map_readable().map_err(|_| gst::FlowError::Error)?;
            // RTMP's times are 32 bits of milliseconds and wrap after 49 days.
            let millis = (time.mseconds() & u64::from(u32::MAX)) as u32;
            outbox.put(Tag {
                track,
                packet,
                captured: time.into(),
                bytes: make_tag(millis, packet, &data),
            });
            Ok(gst::FlowSuccess::Ok)
        };
        let now = decoder_config(&sample);
        if let Some(now) = now.filter(|now| config.as_ref() != Some(now)) {
            put(Packet::Config, &now)?;
            config = Some(now);
        }
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        put(Packet::Media { key }, &buffer)
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
