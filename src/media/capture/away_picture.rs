//! The picture that flows while no camera works.

use super::camera_h264::H264Offer;
use super::camera_source::CameraSource;
use super::capture_config::CaptureConfig;
use super::luma::change_luma;
use super::placeholder;
use super::test_pattern::test_pattern;
use crate::media::error::MediaError;

/// Makes the source that flows while no camera works.
pub(super) fn away_picture(config: &CaptureConfig) -> Result<CameraSource, MediaError> {
    let (width, height) = (config.width, config.height);
    let elements = test_pattern("black", config.fps, Some((width, height)))?;
    let lines = [config.away.title.as_str(), config.away.reason.as_str()];
    let luma = placeholder::luma(width, height, &lines);
    if let Some(last) = elements.last() {
        change_luma(last, move |_, plane, stride, width, _| {
            for (row, drawn) in plane.chunks_mut(stride).zip(luma.chunks(width)) {
                row[..width].copy_from_slice(drawn);
            }
        });
    }
    Ok(CameraSource::raw(elements, H264Offer::None))
}
