//! Captured frames on their way into a leg: at their time, or something else in their place.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::media::capture::Frame;

/// Time since something was captured.
pub(super) fn age(captured: gst::ClockTime) -> Duration {
    gst::SystemClock::obtain()
        .time()
        .saturating_sub(captured)
        .into()
}

/// A captured frame, or `instead` of it, at `time` of the leg.
pub(super) fn timed(
    frame: &Frame,
    instead: Option<&gst::Buffer>,
    time: gst::ClockTime,
) -> Option<gst::Buffer> {
    // Copies the description of the frame, not its pixels.
    let mut buffer = instead.map(AsRef::as_ref).or(frame.sample.buffer())?.copy();
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(time);
        buffer.set_dts(gst::ClockTime::NONE);
    }
    Some(buffer)
}

/// A black picture of these caps.
pub(super) fn black(caps: &gst::Caps) -> Option<gst::Buffer> {
    let info = gst_video::VideoInfo::from_caps(caps).ok()?;
    let mut bytes = vec![128u8; info.size()];
    let luma = info.comp_height(0) as usize * usize::try_from(info.stride()[0]).ok()?;
    bytes[..luma].fill(16);
    Some(gst::Buffer::from_mut_slice(bytes))
}

/// Silence of the same length.
pub(super) fn silence(like: &gst::BufferRef) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![0u8; like.size()]);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_duration(like.duration());
    }
    buffer
}
