//! The elements that let a sound's track be heard.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};

use super::outlets::{Chain, Outlets, feed, micros, now, sink};
use crate::media::error::MediaError;
use crate::media::format::{SAMPLE_RATE, samples, sound_caps};
use crate::media::pipeline::make;
use crate::media::tone::Meter;
use crate::protocol::flv::AacConfig;

/// Length of what waits to be decoded: our choice.
const QUEUE: Duration = Duration::from_secs(1);

/// Caps of AAC with its header.
pub(super) fn caps(config: gst::Buffer, header: &[u8]) -> gst::Caps {
    let read = AacConfig::read(header);
    let whole = |value: u32| i32::try_from(value).ok().filter(|value| *value > 0);
    gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4i32)
        .field("framed", true)
        .field("stream-format", "raw")
        .field_if_some("rate", read.and_then(|read| whole(read.rate)))
        .field_if_some("channels", read.and_then(|read| whole(read.channels)))
        .field("codec_data", config)
        .build()
}

pub(super) fn build(outlets: &Outlets) -> Result<Chain, MediaError> {
    let feed = feed("audio-source", QUEUE);
    let elements = vec![
        feed.clone().upcast(),
        make("aacparse", "audio-parser").build()?,
        make(outlets.decoders.aac, "audio-decoder").build()?,
        make("audioconvert", "audio-convert").build()?,
        make("audioresample", "audio-resample").build()?,
        sink(&sound_caps(), play_sound(outlets)),
    ];
    Ok(Chain { feed, elements })
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
