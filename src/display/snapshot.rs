//! A canvas as a PNG file.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use gstreamer as gst;
use gstreamer_video as gst_video;

use gst_video::prelude::*;

use super::canvas::PIXEL;
use super::error::DisplayError;

/// Writes a BGRx sample.
pub(super) fn write_png(canvas: &gst::Sample, path: &Path) -> Result<(), DisplayError> {
    let failed = |reason: String| DisplayError::Snapshot {
        path: path.to_owned(),
        reason,
    };
    let (width, height, pixels) = rgb(canvas).ok_or_else(|| failed("not a canvas".to_owned()))?;
    let file = File::create(path).map_err(|error| failed(error.to_string()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&pixels)?;
            writer.finish()
        })
        .map_err(|error| failed(error.to_string()))
}

/// Width, height and RGB bytes of a BGRx sample.
pub(super) fn rgb(canvas: &gst::Sample) -> Option<(u32, u32, Vec<u8>)> {
    let info = gst_video::VideoInfo::from_caps(canvas.caps()?).ok()?;
    let buffer = canvas.buffer()?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).ok()?;
    let stride = usize::try_from(frame.plane_stride()[0]).ok()?;
    let line = info.width() as usize * PIXEL;
    let pixels = frame
        .plane_data(0)
        .ok()?
        .chunks(stride)
        .take(info.height() as usize)
        .flat_map(|bytes| bytes[..line].chunks_exact(PIXEL))
        .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]])
        .collect();
    Some((info.width(), info.height(), pixels))
}
