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

/// Coded bytes that wait for a decoder, at most: 4 s of the fastest stream that is worth showing.
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
