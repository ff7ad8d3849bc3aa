//! The takers of what one connection delivers, and the ends that both tracks have.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppLeakyType, AppSink, AppSinkCallbacks, AppSrc};
use tokio::sync::watch;

use super::arrivals::Arrivals;
use crate::media::codecs::Decoders;
use crate::media::speaker::SpeakerInput;
use crate::media::time_code::now_micros;

/// Coded bytes that wait for a decoder, at most: 4 s of the fastest stream that is worth showing, and a
/// minute of one at 2 Mbit/s.
const MOST_BYTES: u64 = 16 << 20;

/// The takers of what one connection delivers.
#[derive(Debug, Clone)]
pub(super) struct Outlets {
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) picture: Arc<watch::Sender<Option<gst::Sample>>>,
    pub(super) speaker: Option<SpeakerInput>,
    pub(super) decoders: Decoders,
}

/// The elements of a branch in their order, and the first of them.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) feed: AppSrc,
    pub(super) elements: Vec<gst::Element>,
}

/// The entry of a branch. Holds packets up to `longest`, then drops the oldest; never blocks.
pub(super) fn feed(name: &str, longest: Duration) -> AppSrc {
    AppSrc::builder()
        .name(name)
        .format(gst::Format::Time)
        .block(false)
        .max_time(gst::ClockTime::try_from(longest).unwrap_or(gst::ClockTime::SECOND))
        .max_bytes(MOST_BYTES)
        .max_buffers(0)
        .leaky_type(AppLeakyType::Downstream)
        .build()
}

/// The end of a branch.
pub(super) fn sink(caps: &gst::Caps, callbacks: AppSinkCallbacks) -> gst::Element {
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

/// Time of now in µs, as media times here.
pub(super) fn now() -> i64 {
    now_micros() as i64
}

pub(super) fn micros(time: Option<gst::ClockTime>) -> i64 {
    time.map_or(0, |time| time.useconds() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    /// A packet every 40 ms for twelve seconds, of which four may wait.
    #[test]
    fn the_oldest_go_when_a_branch_is_late_and_the_gap_is_marked() {
        gst::init().expect("GStreamer starts");
        let feed = feed("feed", Duration::from_secs(4));
        let sink = AppSink::builder().sync(false).async_(false).build();
        let pipeline = gst::Pipeline::new();
        let elements = [feed.upcast_ref(), sink.upcast_ref::<gst::Element>()];
        pipeline.add_many(elements).expect("fresh elements");
        gst::Element::link_many(elements).expect("they fit");
        let pad = feed.static_pad("src").expect("a source has one");
        let late = gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER;
        let late = pad.add_probe(late, |_, _| gst::PadProbeReturn::Ok);
        pipeline.set_state(gst::State::Playing).expect("it plays");
        for n in 0..300 {
            let mut buffer = gst::Buffer::from_slice([n as u8]);
            let fresh = buffer.get_mut().expect("fresh");
            fresh.set_dts(gst::ClockTime::from_mseconds(n * 40));
            fresh.set_pts(gst::ClockTime::from_mseconds(n * 40));
            feed.push_buffer(buffer).expect("never refused");
        }
        let level = feed.current_level_time().mseconds();
        assert!((3 * SECOND..=4 * SECOND).contains(&level), "{level}");
        pad.remove_probe(late.expect("a probe"));
        feed.end_of_stream().expect("it ends");
        let mut seen = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer().expect("a buffer");
            let gap = buffer.flags().contains(gst::BufferFlags::DISCONT);
            seen.push((buffer.pts().map_or(0, gst::ClockTime::mseconds), gap));
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
        // One was on its way already: any, as its thread began at any time.
        let oldest = seen.iter().rfind(|(_, gap)| *gap);
        let &(at, gap) = oldest.expect("a gap");
        assert!(at >= 7 * SECOND && gap, "{seen:?}");
        assert_eq!(seen.last(), Some(&(299 * 40, false)));
    }
}
