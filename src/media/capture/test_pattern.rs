//! A picture that GStreamer makes, in place of a camera.

use gstreamer as gst;
use gstreamer_video as gst_video;

use crate::media::error::MediaError;
use crate::media::format::side;
use crate::media::pipeline::make;

/// The elements of a source of this `pattern`, of any size or of the one that is given.
pub(super) fn test_pattern(
    pattern: &str,
    fps: u32,
    size: Option<(u32, u32)>,
) -> Result<Vec<gst::Element>, MediaError> {
    let rate = gst::Fraction::new(i32::try_from(fps).unwrap_or(30), 1);
    let mut caps = gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .framerate(rate);
    if let Some((width, height)) = size {
        caps = caps.width(side(width)).height(side(height));
    }
    let pattern = make("videotestsrc", "source")
        .property("is-live", true)
        .property_from_str("pattern", pattern)
        // Bars that wander: a picture that stands still would hide a frozen stream.
        .property("horizontal-speed", 4_i32);
    Ok(vec![
        pattern.build()?,
        make("capsfilter", "rate")
            .property("caps", caps.build())
            .build()?,
    ])
}
