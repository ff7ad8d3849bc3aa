//! The elements that show a picture's track.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video::VideoInfo;

use super::arrivals::Arrivals;
use super::catch_up::Verdict;
use super::fault::DECODER;
use super::outlets::{Chain, Outlets, feed, micros, now, sink};
use crate::media::error::MediaError;
use crate::media::pipeline::make;

/// Length of what waits to be decoded: more than a relay replays on joining. What is not worth being
/// decoded is dropped where it leaves the queue (see `catch_up`).
const QUEUE: Duration = Duration::from_secs(100);

/// Caps of H.264 with its header.
pub(super) fn caps(config: gst::Buffer) -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .field("codec_data", config)
        .build()
}

pub(super) fn build(outlets: &Outlets) -> Result<Chain, MediaError> {
    let arrivals = &outlets.arrivals;
    let chosen = outlets.decoders.h264;
    let decoder = chosen.make(DECODER)?;
    // One decoder per connection: one that fails ends it.
    let _ = arrivals.decoder.set(chosen);
    let feed = feed("video-source", QUEUE);
    gate(&feed, arrivals);
    let caps = gst::Caps::builder("video/x-raw").field("format", "I420");
    let elements = vec![
        feed.clone().upcast(),
        make("h264parse", "video-parser").build()?,
        decoder,
        make("videoconvert", "video-convert").build()?,
        sink(&caps.build(), show_pictures(outlets)),
    ];
    Ok(Chain { feed, elements })
}

/// Media time of a coded frame in ms: decoding order, so that it only grows.
fn media_ms(buffer: &gst::BufferRef) -> u64 {
    buffer.dts_or_pts().map_or(0, gst::ClockTime::mseconds)
}

/// Judges each coded frame that leaves `feed`.
fn gate(feed: &AppSrc, arrivals: &Arc<Arrivals>) {
    let arrivals = Arc::clone(arrivals);
    let Some(pad) = feed.static_pad("src") else {
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
