//! The frames of a capture, as every connection of an uplink takes them.

use std::sync::Arc;

use gstreamer as gst;

use super::flv::Metadata;
use super::mutes::Mutes;
use super::push_config::UplinkConfig;
use crate::media::capture::{Capture, Feed};
use crate::media::format::{SAMPLE_RATE, picture_caps};

/// The source of the frames of every leg.
#[derive(Debug)]
pub(super) struct Taps {
    pub(super) video: Arc<Feed>,
    pub(super) sound: Arc<Feed>,
    pub(super) video_caps: gst::Caps,
    pub(super) size: (u32, u32),
    pub(super) fps: u32,
    pub(super) mutes: Arc<Mutes>,
}

impl Taps {
    pub(super) fn new(capture: &Capture, mutes: Arc<Mutes>) -> Self {
        let (size, fps) = (
            (capture.config.width, capture.config.height),
            capture.config.fps,
        );
        let video_caps = at_rate(&picture_caps(size), fps);
        Self {
            video: Arc::clone(&capture.video),
            sound: Arc::clone(&capture.sound),
            video_caps,
            size,
            fps,
            mutes,
        }
    }

    pub(super) fn metadata(&self, config: &UplinkConfig) -> Metadata {
        Metadata {
            width: self.size.0,
            height: self.size.1,
            fps: self.fps,
            video_kbps: config.bitrate_kbps,
            audio_kbps: config.audio_kbps,
            audio_hz: SAMPLE_RATE,
        }
    }
}

/// The caps of captured pictures at another rate.
pub(super) fn at_rate(caps: &gst::Caps, fps: u32) -> gst::Caps {
    let mut caps = caps.clone();
    let rate = gst::Fraction::new(i32::try_from(fps).unwrap_or(30), 1);
    caps.make_mut().set("framerate", rate);
    caps
}
