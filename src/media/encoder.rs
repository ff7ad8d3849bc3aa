//! Which encoders are used, and how each is set: one table, because every encoder names and
//! counts the same things differently.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::MediaError;
use super::pipeline::make;

/// Which H.264 encoder the configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EncoderChoice {
    /// The first that works, hardware before software.
    #[default]
    Auto,
    /// A GStreamer element of the table, by name.
    Named(String),
}

/// What an encoder is asked to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) kbps: u32,
    /// Frames between key frames.
    pub(crate) gop: u32,
}

/// How an encoder takes its bitrate and its key frame distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    /// kbit/s in `bitrate`, frames in the named property.
    Kbps { gop: &'static str },
    /// bit/s in `bitrate`, frames in the named property.
    Bps { gop: &'static str },
    /// V4L2 controls in `extra-controls`.
    V4l2,
}

/// One H.264 encoder: settings for the least delay that the encoder can do.
#[derive(Debug)]
pub(crate) struct H264 {
    pub(crate) element: &'static str,
    package: &'static str,
    rate: Rate,
    settings: &'static [(&'static str, &'static str)],
    /// Pinned in the caps after the encoder.
    profile: &'static str,
    level: Option<&'static str>,
}

/// In the order of preference.
const H264: &[H264] = &[
    H264 {
        element: "v4l2h264enc",
        package: "gstreamer1.0-plugins-good and a board with an encoder",
        rate: Rate::V4l2,
        settings: &[],
        profile: "constrained-baseline",
        // bcm2835-codec does not start unless the level is pinned.
        level: Some("4"),
    },
    H264 {
        element: "x264enc",
        package: "gstreamer1.0-plugins-ugly",
        rate: Rate::Kbps { gop: "key-int-max" },
        settings: &[
            ("tune", "zerolatency"),
            ("speed-preset", "ultrafast"),
            // A frame may take at most this much of the bitrate: key frames stay short.
            ("vbv-buf-capacity", "300"),
        ],
        profile: "constrained-baseline",
        level: None,
    },
    H264 {
        element: "openh264enc",
        package: "gstreamer1.0-plugins-bad",
        rate: Rate::Bps { gop: "gop-size" },
        settings: &[
            ("complexity", "low"),
            ("rate-control", "bitrate"),
            ("usage-type", "camera"),
        ],
        profile: "constrained-baseline",
        level: None,
    },
];

/// One AAC encoder; all take bit/s in `bitrate`.
const AAC: &[(&str, &str)] = &[
    ("avenc_aac", "gstreamer1.0-libav"),
    ("voaacenc", "gstreamer1.0-plugins-bad"),
    ("fdkaacenc", "gstreamer1.0-fdkaac"),
];

impl H264 {
    /// The encoder to use, from what works on this machine.
    ///
    /// # Errors
    /// `NoEncoder` with what was tried, or with what may be named.
    pub(crate) fn choose(
        choice: &EncoderChoice,
        works: impl Fn(&str) -> bool,
    ) -> Result<&'static Self, MediaError> {
        let wanted = |encoder: &&Self| match choice {
            EncoderChoice::Auto => true,
            EncoderChoice::Named(name) => encoder.element == name,
        };
        let candidates: Vec<_> = H264.iter().filter(wanted).collect();
        if let Some(found) = candidates.iter().find(|encoder| works(encoder.element)) {
            return Ok(found);
        }
        let tried = match choice {
            EncoderChoice::Named(name) if candidates.is_empty() => {
                let known: Vec<_> = H264.iter().map(|encoder| encoder.element).collect();
                format!("{name:?} is not one of {}", known.join(", "))
            }
            _ => {
                let tried = candidates
                    .iter()
                    .map(|e| format!("{} ({})", e.element, e.package));
                tried.collect::<Vec<_>>().join(", ")
            }
        };
        Err(MediaError::NoEncoder {
            kind: "H.264",
            tried,
        })
    }

    /// The element, set for `target`.
    pub(crate) fn build(&self, target: Target) -> Result<gst::Element, MediaError> {
        let mut builder = make(self.element, "encoder");
        for (name, value) in self.settings {
            builder = builder.property_from_str(name, value);
        }
        let builder = match self.rate {
            Rate::Kbps { gop } => builder
                .property("bitrate", target.kbps)
                .property(gop, target.gop),
            Rate::Bps { gop } => builder
                .property("bitrate", target.kbps * 1000)
                .property(gop, target.gop),
            Rate::V4l2 => builder.property("extra-controls", v4l2_controls(target)),
        };
        builder.build().map_err(|error| self.broken(&error))
    }

    /// Whether software may do better when it fails.
    pub(crate) fn is_hardware(&self) -> bool {
        self.rate == Rate::V4l2
    }

    /// Changes the bitrate of an element that [`H264::build`] made, while it plays.
    pub(crate) fn set_rate(&self, element: &gst::Element, target: Target) {
        match self.rate {
            Rate::Kbps { .. } => element.set_property("bitrate", target.kbps),
            Rate::Bps { .. } => element.set_property("bitrate", target.kbps * 1000),
            // Set on the open device at once.
            Rate::V4l2 => element.set_property("extra-controls", v4l2_controls(target)),
        }
    }

    /// Caps that must follow the encoder.
    pub(crate) fn caps(&self) -> gst::Caps {
        let caps = gst::Caps::builder("video/x-h264").field("profile", self.profile);
        caps.field_if_some("level", self.level).build()
    }

    fn broken(&self, error: &gst::glib::BoolError) -> MediaError {
        MediaError::NoEncoder {
            kind: "H.264",
            tried: format!("{}: {error}", self.element),
        }
    }
}

fn v4l2_controls(target: Target) -> gst::Structure {
    gst::Structure::builder("controls")
        .field(
            "video_bitrate",
            i32::try_from(target.kbps * 1000).unwrap_or(i32::MAX),
        )
        .field(
            "video_gop_size",
            i32::try_from(target.gop).unwrap_or(i32::MAX),
        )
        .field("repeat_sequence_header", 1i32)
        .build()
}

/// Whether an element of this name can be made and opened. Blocks: a hardware encoder opens
/// its device.
pub(crate) fn works(name: &str) -> bool {
    let Ok(element) = gst::ElementFactory::make(name).build() else {
        return false;
    };
    let opened = element.set_state(gst::State::Ready).is_ok();
    let closed = element.set_state(gst::State::Null).is_ok();
    opened && closed
}

/// H.264 encoders that work on this machine, best first. Blocks, see [`works`].
pub(crate) fn present() -> Vec<&'static str> {
    H264.iter()
        .map(|encoder| encoder.element)
        .filter(|name| works(name))
        .collect()
}

/// The AAC encoder, set to `kbps`.
pub(crate) fn aac(kbps: u32) -> Result<gst::Element, MediaError> {
    let bps = i32::try_from(kbps * 1000).unwrap_or(i32::MAX);
    let found = AAC
        .iter()
        .find(|(name, _)| gst::ElementFactory::find(name).is_some());
    let Some((name, _)) = found else {
        let tried = AAC
            .iter()
            .map(|(name, package)| format!("{name} ({package})"));
        return Err(MediaError::NoEncoder {
            kind: "AAC",
            tried: tried.collect::<Vec<_>>().join(", "),
        });
    };
    Ok(make(name, "aac").property("bitrate", bps).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_comes_before_software_and_a_name_is_obeyed() {
        let name = |encoder: &str| EncoderChoice::Named(encoder.to_owned());
        for (choice, present, expected) in [
            (
                EncoderChoice::Auto,
                "v4l2h264enc x264enc openh264enc",
                Some("v4l2h264enc"),
            ),
            (EncoderChoice::Auto, "x264enc openh264enc", Some("x264enc")),
            (EncoderChoice::Auto, "openh264enc", Some("openh264enc")),
            (EncoderChoice::Auto, "", None),
            (
                name("openh264enc"),
                "x264enc openh264enc",
                Some("openh264enc"),
            ),
            (name("openh264enc"), "x264enc", None),
            (name("vp8enc"), "vp8enc", None),
        ] {
            let chosen = H264::choose(&choice, |name| present.split(' ').any(|p| p == name));
            assert_eq!(
                chosen.ok().map(|e| e.element),
                expected,
                "{choice:?} from {present:?}"
            );
        }
    }

    #[test]
    fn a_wrong_name_says_which_are_right() {
        let error = H264::choose(&EncoderChoice::Named("vp8enc".to_owned()), |_| true);
        let text = error.expect_err("not an H.264 encoder").to_string();
        assert!(
            text.contains("vp8enc") && text.contains("x264enc, openh264enc"),
            "{text}"
        );
    }

    #[test]
    fn every_encoder_here_takes_its_settings() {
        super::super::init().expect("GStreamer starts");
        let present = present();
        assert!(
            present.contains(&"x264enc") && present.contains(&"openh264enc"),
            "{present:?}"
        );
        for encoder in H264
            .iter()
            .filter(|encoder| present.contains(&encoder.element))
        {
            let element = encoder
                .build(Target { kbps: 800, gop: 30 })
                .expect("settings fit");
            let bps: u64 = match encoder.rate {
                Rate::Kbps { .. } => u64::from(element.property::<u32>("bitrate")) * 1000,
                Rate::Bps { .. } => u64::from(element.property::<u32>("bitrate")),
                Rate::V4l2 => continue,
            };
            assert_eq!(bps, 800_000, "{}", encoder.element);
        }
        aac(64).expect("an AAC encoder");
    }

    #[test]
    fn v4l2_encoders_get_controls() {
        super::super::init().expect("GStreamer starts");
        let controls = v4l2_controls(Target { kbps: 800, gop: 30 });
        assert_eq!(controls.get::<i32>("video_bitrate"), Ok(800_000));
        assert_eq!(controls.get::<i32>("video_gop_size"), Ok(30));
    }
}
