//! The settings of every H.264 encoder: constrained baseline without reordering, a constant rate,
//! and nothing kept back. Names and units are those of GStreamer 1.22 to 1.28.

/// The way in which an encoder takes its bitrate and its distance of key frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
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
    pub(super) hardware: bool,
    pub(super) rate: Rate,
    /// A version of the element that lacks one of them, or its value, works without.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// Pinned in the caps after the encoder.
    pub(super) profile: &'static str,
    pub(super) level: Option<&'static str>,
}

/// The profile of all encoders: every decoder plays it, and it has no reordering.
const BASELINE: &str = "constrained-baseline";

/// Settings of each encoder, in the order of `elements::H264_ENCODERS`.
pub(super) const H264_SETTINGS: &[H264] = &[
    H264 {
        element: "v4l2h264enc",
        hardware: true,
        rate: Rate::V4l2,
        settings: &[],
        profile: BASELINE,
        // bcm2835-codec does not start unless the level is pinned.
        level: Some("4"),
    },
    va("vah264enc"),
    // The low power entry point: the only one of some processors.
    va("vah264lpenc"),
    H264 {
        element: "vaapih264enc",
        hardware: true,
        rate: Rate::Kbps {
            gop: "keyframe-period",
        },
        settings: &[
            ("rate-control", "cbr"),
            ("max-bframes", "0"),
            ("quality-level", "7"),
        ],
        profile: BASELINE,
        level: None,
    },
    H264 {
        element: "qsvh264enc",
        hardware: true,
        rate: Rate::Kbps { gop: "gop-size" },
        settings: &[
            ("low-latency", "true"),
            ("rate-control", "cbr"),
            ("b-frames", "0"),
            ("target-usage", "7"),
        ],
        profile: BASELINE,
        level: None,
    },
    H264 {
        element: "nvh264enc",
        hardware: true,
        rate: Rate::Kbps { gop: "gop-size" },
        settings: &[
            // One of these two, by version.
            ("preset", "low-latency-hp"),
            ("tune", "ultra-low-latency"),
            ("rc-mode", "cbr"),
            ("rate-control", "cbr"),
            ("zerolatency", "true"),
            ("zero-reorder-delay", "true"),
            ("bframes", "0"),
            ("b-frames", "0"),
        ],
        profile: BASELINE,
        level: None,
    },
    H264 {
        element: "x264enc",
        hardware: false,
        rate: Rate::Kbps { gop: "key-int-max" },
        settings: &[
            ("tune", "zerolatency"),
            ("speed-preset", "ultrafast"),
            // A frame may take at most this much of the bitrate: key frames stay short.
            ("vbv-buf-capacity", "300"),
        ],
        profile: BASELINE,
        level: None,
    },
    H264 {
        element: "openh264enc",
        hardware: false,
        rate: Rate::Bps { gop: "gop-size" },
        settings: &[
            ("complexity", "low"),
            ("rate-control", "bitrate"),
            ("usage-type", "camera"),
        ],
        profile: BASELINE,
        level: None,
    },
];

const fn va(element: &'static str) -> H264 {
    H264 {
        element,
        hardware: true,
        rate: Rate::Kbps { gop: "key-int-max" },
        settings: &[
            ("rate-control", "cbr"),
            ("b-frames", "0"),
            ("target-usage", "7"),
        ],
        profile: BASELINE,
        level: None,
    }
}
