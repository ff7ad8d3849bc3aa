//! A camera up to the frames as it makes them.

use gstreamer as gst;

use super::camera_h264::{self, H264Offer};
use crate::media::error::MediaError;

/// The elements up to the frames as the camera makes them.
pub(super) struct CameraSource {
    pub(super) elements: Vec<gst::Element>,
    pub(super) format: CameraFormat,
    pub(super) h264: H264Offer,
}

/// The form of the frames that a camera makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CameraFormat {
    Raw,
    Jpeg,
    H264,
}

impl CameraSource {
    pub(super) fn raw(elements: Vec<gst::Element>, h264: H264Offer) -> Self {
        Self {
            elements,
            format: CameraFormat::Raw,
            h264,
        }
    }

    /// The elements up to frames that can be stills.
    pub(super) fn frames(mut self) -> Result<Vec<gst::Element>, MediaError> {
        if self.format == CameraFormat::H264 {
            self.elements.extend(camera_h264::decoding(None)?);
        }
        Ok(self.elements)
    }
}
