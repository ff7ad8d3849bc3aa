//! Scaling of pictures into a rectangle of the canvas.

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::canvas::PIXEL;
use super::layout::{self, Rect};

/// Scales pictures of one kind into one rectangle of the canvas.
pub(super) struct Scaler {
    /// Of the pictures that it scales.
    pub caps: gst::Caps,
    /// The rectangle that it fills.
    pub dest: Rect,
    from: gst_video::VideoInfo,
    into: gst_video::VideoInfo,
    inner: gst_video::VideoConverter,
}

impl Scaler {
    pub(super) fn new(
        sample: &gst::Sample,
        area: Rect,
        canvas: &gst_video::VideoInfo,
    ) -> Result<Self, String> {
        let text = |error: gst::glib::BoolError| error.to_string();
        let caps = sample.caps_owned().ok_or("a sample without caps")?;
        let written = gst_video::VideoInfo::from_caps(&caps).map_err(text)?;
        // The converter wants equal frame rates on both sides, and uses neither.
        let from = gst_video::VideoInfo::builder_from_info(&written)
            .fps(canvas.fps())
            .build()
            .map_err(text)?;
        let shape = shape(sample).ok_or("a picture without a shape")?;
        let dest = layout::fit(shape, area);
        let into = part_of(canvas, dest)?;
        let mut config = gst_video::VideoConverterConfig::new();
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        config.set_dither_method(gst_video::VideoDitherMethod::None);
        let inner = gst_video::VideoConverter::new(&from, &into, Some(config)).map_err(text)?;
        Ok(Self {
            caps,
            dest,
            from,
            into,
            inner,
        })
    }

    /// Scales a picture onto the canvas.
    pub(super) fn scale(
        &self,
        sample: &gst::Sample,
        canvas: &mut gst::BufferRef,
    ) -> Result<(), String> {
        let text = |error: gst::glib::BoolError| error.to_string();
        let buffer = sample.buffer().ok_or("a sample without a buffer")?;
        let source =
            gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.from).map_err(text)?;
        let mut dest =
            gst_video::VideoFrameRef::from_buffer_ref_writable(canvas, &self.into).map_err(text)?;
        self.inner.frame_ref(&source, &mut dest);
        Ok(())
    }
}

/// Describes a rectangle of the canvas as if it were a picture of its own. (The converter's own
/// destination rectangle spoils what stands beside it on the same lines.)
fn part_of(canvas: &gst_video::VideoInfo, rect: Rect) -> Result<gst_video::VideoInfo, String> {
    let stride = canvas.stride()[0];
    let line = usize::try_from(stride).map_err(|error| error.to_string())?;
    let offset = rect.y as usize * line + rect.x as usize * PIXEL;
    gst_video::VideoInfo::builder(canvas.format(), rect.width, rect.height)
        .fps(canvas.fps())
        .colorimetry(&canvas.colorimetry())
        .stride(&[stride])
        .offset(&[offset])
        .size(canvas.size())
        .build()
        .map_err(|error| error.to_string())
}

/// Width to height of a sample's picture, its pixels' own shape included.
pub(super) fn shape(sample: &gst::Sample) -> Option<(u64, u64)> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let (wide, high) = (info.par().numer(), info.par().denom());
    Some((
        u64::from(info.width()) * u64::try_from(wide).ok()?,
        u64::from(info.height()) * u64::try_from(high).ok()?,
    ))
}
