//! Sets encoders, of which each names and counts the same things differently.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use super::report::Kind;
use super::table::{H264, H264_SETTINGS, Rate};
use crate::media::error::MediaError;
use crate::media::pipeline::make;

/// Bitrate and distance of key frames for an encoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) kbps: u32,
    /// Frames between key frames.
    pub(crate) gop: u32,
}

/// Elements from raw video to H.264 with parameter sets before each key frame.
#[derive(Debug)]
pub(crate) struct EncoderStage {
    /// Fixes the size that is encoded.
    pub(crate) size: gst::Element,
    pub(crate) encoder: gst::Element,
    /// All, in order.
    pub(crate) elements: Vec<gst::Element>,
}

impl H264 {
    pub(crate) fn named(element: &str) -> Option<&'static Self> {
        H264_SETTINGS.iter().find(|h264| h264.element == element)
    }

    /// The element, set for `target`, and what must stand around it.
    pub(crate) fn stage(
        &self,
        target: Target,
        size: &gst::Caps,
    ) -> Result<EncoderStage, MediaError> {
        let encoder = self.build(target)?;
        let size = make("capsfilter", "size").property("caps", size).build()?;
        let elements = vec![
            make("videoconvertscale", "scale").build()?,
            size.clone(),
            encoder.clone(),
            make("capsfilter", "profile")
                .property("caps", self.caps())
                .build()?,
            make("h264parse", "h264")
                .property("config-interval", -1i32)
                .build()?,
        ];
        Ok(EncoderStage {
            size,
            encoder,
            elements,
        })
    }

    fn build(&self, target: Target) -> Result<gst::Element, MediaError> {
        let encoder = make(self.element, "encoder").build()?;
        for (name, value) in self.settings {
            if let Err(reason) = set(&encoder, name, value) {
                log::debug!(encoder = self.element, reason; "works without a setting");
            }
        }
        let distance = match self.rate {
            Rate::Kbps { gop } | Rate::Bps { gop } => set(&encoder, gop, &target.gop.to_string()),
            Rate::V4l2 => set_controls(&encoder, v4l2_controls(target)),
        };
        distance
            .and_then(|()| self.set_kbps(&encoder, target.kbps))
            .map_err(MediaError::Build)?;
        Ok(encoder)
    }

    /// Whether software may do better when it fails.
    pub(crate) fn is_hardware(&self) -> bool {
        self.hardware
    }

    /// Changes the bitrate of the encoder of a [`EncoderStage`] while it plays.
    pub(crate) fn set_rate(&self, encoder: &gst::Element, kbps: u32) {
        if let Err(reason) = self.set_kbps(encoder, kbps) {
            log::warn!("the bitrate stays: {reason}");
        }
    }

    fn set_kbps(&self, encoder: &gst::Element, kbps: u32) -> Result<(), String> {
        match self.rate {
            Rate::Kbps { .. } => set(encoder, "bitrate", &kbps.to_string()),
            Rate::Bps { .. } => set(encoder, "bitrate", &kbps.saturating_mul(1000).to_string()),
            Rate::V4l2 if encoder.current_state() == gst::State::Null => Ok(()),
            Rate::V4l2 => {
                let rate = gst::Structure::builder("controls").field("video_bitrate", bps(kbps));
                set_controls(encoder, rate.build())
            }
        }
    }

    /// Caps that must follow the encoder.
    fn caps(&self) -> gst::Caps {
        let caps = gst::Caps::builder("video/x-h264").field("profile", self.profile);
        caps.field_if_some("level", self.level).build()
    }
}

/// Asks the encoder of a [`EncoderStage`] for a key frame.
pub(crate) fn request_key(encoder: &gst::Element) {
    let event = gst_video::UpstreamForceKeyUnitEvent::builder()
        .all_headers(true)
        .build();
    if !encoder.send_event(event) {
        log::warn!("the encoder refused to make a key frame");
    }
}

/// Sets a property of any type from text.
fn set(element: &gst::Element, name: &str, value: &str) -> Result<(), String> {
    let Some(property) = element.find_property(name) else {
        return Err(format!("it has no property {name}"));
    };
    let value = gst::glib::Value::deserialize_with_pspec(value, &property)
        .map_err(|_| format!("its property {name} does not take {value}"))?;
    element.set_property_from_value(name, &value);
    Ok(())
}

/// Sets V4L2 controls, on an open device at once.
pub(crate) fn set_controls(element: &gst::Element, controls: gst::Structure) -> Result<(), String> {
    if element.find_property("extra-controls").is_none() {
        return Err("it takes no V4L2 controls".to_owned());
    }
    element.set_property("extra-controls", controls);
    Ok(())
}

pub(crate) fn bps(kbps: u32) -> i32 {
    i32::try_from(kbps.saturating_mul(1000)).unwrap_or(i32::MAX)
}

/// Drivers have one or the other of the two names for the distance of key frames; of a control
/// that a driver lacks, GStreamer warns in its own log only.
fn v4l2_controls(target: Target) -> gst::Structure {
    let gop = i32::try_from(target.gop).unwrap_or(i32::MAX);
    gst::Structure::builder("controls")
        .field("video_bitrate_mode", 1i32)
        .field("video_bitrate", bps(target.kbps))
        .field("video_gop_size", gop)
        .field("h264_i_frame_period", gop)
        .field("repeat_sequence_header", 1i32)
        .build()
}

/// A name that is not in the table.
pub(crate) fn unknown(name: &str) -> MediaError {
    MediaError::NoCodec {
        kind: Kind::H264Encoder.name(),
        tried: format!("{name:?} is not one of {}", known_names()),
    }
}

pub(crate) fn known_names() -> String {
    let known: Vec<_> = H264_SETTINGS.iter().map(|h264| h264.element).collect();
    known.join(", ")
}

/// An AAC encoder, set to `kbps`; all take bit/s in `bitrate`.
pub(crate) fn build_aac(element: &str, kbps: u32) -> Result<gst::Element, MediaError> {
    Ok(make(element, "aac")
        .property("bitrate", bps(kbps))
        .build()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::elements;

    #[test]
    fn every_encoder_has_its_settings() {
        let set: Vec<_> = H264_SETTINGS.iter().map(|h264| h264.element).collect();
        let listed: Vec<_> = elements::H264_ENCODERS
            .iter()
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(set, listed);
    }

    #[test]
    fn a_wrong_name_says_which_are_right() {
        let text = unknown("vp8enc").to_string();
        assert!(
            text.contains("vp8enc") && text.contains("x264enc, openh264enc"),
            "{text}"
        );
    }

    #[test]
    fn the_rate_is_set_in_the_encoders_own_unit_and_changed_while_it_plays() {
        elements::init().expect("GStreamer starts");
        for (element, at_first, later) in [("x264enc", 800, 350), ("openh264enc", 800_000, 350_000)]
        {
            let h264 = H264::named(element).expect("in the table");
            let encoder = h264
                .build(Target { kbps: 800, gop: 30 })
                .expect("settings fit");
            assert_eq!(encoder.property::<u32>("bitrate"), at_first, "{element}");
            h264.set_rate(&encoder, 350);
            assert_eq!(encoder.property::<u32>("bitrate"), later, "{element}");
        }
    }

    #[test]
    fn every_setting_of_the_encoders_here_is_known_to_them() {
        elements::init().expect("GStreamer starts");
        let here = H264_SETTINGS
            .iter()
            .filter(|h264| gst::ElementFactory::find(h264.element).is_some());
        for h264 in here {
            let encoder = make(h264.element, "encoder").build().expect("it is here");
            for (name, value) in h264.settings {
                assert_eq!(set(&encoder, name, value), Ok(()), "{}", h264.element);
            }
            let text = set(&encoder, "no-such-property", "1").expect_err("unknown");
            assert!(text.contains("no-such-property"), "{text}");
        }
    }

    #[test]
    fn v4l2_encoders_get_controls() {
        elements::init().expect("GStreamer starts");
        let controls = v4l2_controls(Target { kbps: 800, gop: 30 });
        assert_eq!(controls.get::<i32>("video_bitrate"), Ok(800_000));
        for distance in ["video_gop_size", "h264_i_frame_period"] {
            assert_eq!(controls.get::<i32>(distance), Ok(30));
        }
    }
}
