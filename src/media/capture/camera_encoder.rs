//! The H.264 encoder inside a camera, or inside a source of the configuration, which is told what
//! to do while the source plays.

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::media::codecs::{H264, Target, bps, known_names, request_key, set_controls};
use crate::media::devices::{BITRATE, FORCE_KEY, OwnH264};

/// One such encoder, for as long as its source lives.
#[derive(Debug)]
pub(crate) struct CameraEncoder {
    name: String,
    way: Way,
}

/// The way in which it gets its orders.
#[derive(Debug)]
enum Way {
    /// Controls of the V4L2 device that this element has open.
    Device {
        source: gst::Element,
        force_key: bool,
        distance: Option<&'static str>,
    },
    /// Properties, as those of an encoder of the table.
    Element {
        h264: &'static H264,
        encoder: gst::Element,
    },
}

impl CameraEncoder {
    /// The encoder of a camera which `v4l2src` opens in a mode that needs it. The source must not
    /// have been started.
    pub(crate) fn of_device(source: &gst::Element, device: &str, h264: &OwnH264) -> Self {
        let mut controls = gst::Structure::builder("controls")
            .field("video_bitrate_mode", 1i32)
            .field("repeat_sequence_header", 1i32)
            .build();
        // Until somebody says more, a key frame each second.
        if let Some(distance) = h264.distance {
            let frames = h264.mode.fps.0.div_ceil(h264.mode.fps.1.max(1));
            controls.set(distance, i32::try_from(frames).unwrap_or(i32::MAX));
        }
        let encoder = Self {
            name: format!("camera ({device})"),
            way: Way::Device {
                source: source.clone(),
                force_key: h264.force_key,
                distance: h264.distance,
            },
        };
        encoder.control(controls);
        encoder
    }

    /// The encoder among the elements of a source of the configuration.
    ///
    /// # Errors
    /// There is none, or more than one: says what would be right.
    pub(crate) fn inside(source: &gst::Element) -> Result<Self, String> {
        let bin = source.downcast_ref::<gst::Bin>();
        let elements = bin
            .into_iter()
            .flat_map(|bin| bin.iterate_recurse().into_iter().flatten());
        let known = |element: gst::Element| {
            let h264 = H264::named(&element.factory()?.name())?;
            Some((h264, element))
        };
        let mut found: Vec<_> = elements.filter_map(known).collect();
        let (Some((h264, encoder)), true) = (found.pop(), found.is_empty()) else {
            let names = known_names();
            return Err(format!(
                "it ends in H.264 and must have one encoder whose bitrate and key frames can be \
                 set ({names}), or else end in raw video"
            ));
        };
        Ok(Self {
            name: format!("camera ({})", h264.element),
            way: Way::Element { h264, encoder },
        })
    }

    /// "camera (/dev/video0)", "camera (x264enc)".
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sets bitrate and, where a device can, the distance of key frames; in a source of the
    /// configuration that is its author's.
    pub(crate) fn set_target(&self, target: Target) {
        if let Way::Device {
            distance: Some(distance),
            ..
        } = &self.way
        {
            let frames = i32::try_from(target.gop).unwrap_or(i32::MAX);
            let controls = gst::Structure::builder("controls").field(*distance, frames);
            self.control(controls.build());
        }
        self.set_rate(target.kbps);
    }

    pub(crate) fn set_rate(&self, kbps: u32) {
        match &self.way {
            Way::Device { .. } => {
                let rate = gst::Structure::builder("controls").field(BITRATE, bps(kbps));
                self.control(rate.build());
            }
            Way::Element { h264, encoder } => h264.set_rate(encoder, kbps),
        }
    }

    /// Asks for a key frame; a camera that can only space them makes its next one when it is due.
    pub(crate) fn request_key(&self) {
        match &self.way {
            Way::Device {
                force_key: true, ..
            } => {
                let button = gst::Structure::builder("controls").field(FORCE_KEY, 1i32);
                self.control(button.build());
            }
            Way::Device { .. } => {}
            Way::Element { encoder, .. } => request_key(encoder),
        }
    }

    fn control(&self, controls: gst::Structure) {
        if let Way::Device { source, .. } = &self.way
            && let Err(reason) = set_controls(source, controls)
        {
            log::warn!(camera = self.name; "the camera stays as it is: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::devices::{CameraMode, PixelFormat};
    use crate::media::elements;
    use crate::media::pipeline::{make, parse_source};

    /// The controls that the source was told last.
    fn controls(source: &gst::Element) -> gst::Structure {
        source.property::<gst::Structure>("extra-controls")
    }

    fn h264(force_key: bool, distance: Option<&'static str>) -> OwnH264 {
        OwnH264 {
            mode: CameraMode {
                format: PixelFormat::H264,
                width: 640,
                height: 480,
                fps: (30, 1),
            },
            force_key,
            distance,
        }
    }

    #[test]
    fn a_device_is_told_by_its_controls() {
        elements::init().expect("GStreamer starts");
        let source = make("v4l2src", "camera").build().expect("it is here");
        let period = "h264_i_frame_period";
        let encoder = CameraEncoder::of_device(&source, "/dev/video0", &h264(true, Some(period)));
        assert_eq!(encoder.name(), "camera (/dev/video0)");
        assert_eq!(
            controls(&source).get::<i32>("repeat_sequence_header"),
            Ok(1)
        );
        assert_eq!(controls(&source).get::<i32>(period), Ok(30));
        encoder.set_target(Target { kbps: 800, gop: 60 });
        assert_eq!(controls(&source).get::<i32>("video_bitrate"), Ok(800_000));
        encoder.request_key();
        assert_eq!(controls(&source).get::<i32>("force_key_frame"), Ok(1));
        encoder.set_rate(350);
        assert_eq!(controls(&source).get::<i32>("video_bitrate"), Ok(350_000));
        assert!(
            !controls(&source).has_field("force_key_frame"),
            "pushed once only"
        );
        // One that can only space its key frames is not asked for any.
        let encoder = CameraEncoder::of_device(&source, "/dev/video0", &h264(false, Some(period)));
        encoder.request_key();
        assert!(!controls(&source).has_field("force_key_frame"));
    }

    #[test]
    fn a_source_of_the_configuration_needs_one_encoder_that_is_known() {
        elements::init().expect("GStreamer starts");
        let inside = |description: &str| {
            let source = parse_source(description).expect("GStreamer takes it");
            CameraEncoder::inside(&source)
        };
        let source = parse_source("videotestsrc ! x264enc name=own ! video/x-h264");
        let source = source.expect("GStreamer takes it");
        let one = CameraEncoder::inside(&source).expect("one that is known");
        assert_eq!(one.name(), "camera (x264enc)");
        one.set_target(Target { kbps: 350, gop: 30 });
        let bin = source.downcast_ref::<gst::Bin>().expect("a bin");
        let encoder = bin.by_name("own").expect("it is in there");
        assert_eq!(encoder.property::<u32>("bitrate"), 350);
        for wrong in [
            "filesrc location=x ! h264parse",
            "videotestsrc ! x264enc ! avdec_h264 ! openh264enc ! h264parse",
        ] {
            let reason = inside(wrong).expect_err(wrong);
            assert!(
                reason.contains("x264enc, openh264enc") && reason.contains("raw video"),
                "{reason}"
            );
        }
    }
}
