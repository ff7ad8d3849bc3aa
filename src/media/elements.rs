//! Every GStreamer element the code makes, and the Debian package that brings it.

use gstreamer as gst;
use gstreamer::prelude::PluginFeatureExtManual as _;

use super::error::{MediaError, Missing};

/// Debian's packages of GStreamer: its core.
const CORE: &str = "libgstreamer1.0-0";
/// Its base plugins.
const BASE: &str = "gstreamer1.0-plugins-base";
/// Its good plugins.
const GOOD: &str = "gstreamer1.0-plugins-good";
/// Its bad plugins.
const BAD: &str = "gstreamer1.0-plugins-bad";
/// Its plugin for ALSA.
const ALSA: &str = "gstreamer1.0-alsa";
/// Its ugly plugins.
const UGLY: &str = "gstreamer1.0-plugins-ugly";
/// Its plugin for libav.
const LIBAV: &str = "gstreamer1.0-libav";
/// Its older plugin for VA.
const VAAPI: &str = "gstreamer1.0-vaapi";
/// Its plugin for Fraunhofer's AAC.
const FDKAAC: &str = "gstreamer1.0-fdkaac";

/// An element, and the Debian package that brings it.
pub(super) type Element = (&'static str, &'static str);

/// Encoders of H.264 in the order of preference, hardware first. One of each kind must work;
/// `codecs` tries them.
pub(super) const H264_ENCODERS: &[Element] = &[
    ("v4l2h264enc", GOOD),
    ("vah264enc", BAD),
    ("vah264lpenc", BAD),
    ("vaapih264enc", VAAPI),
    ("qsvh264enc", BAD),
    ("nvh264enc", BAD),
    ("x264enc", UGLY),
    ("openh264enc", BAD),
];
/// Decoders of H.264 in the order of preference.
pub(super) const H264_DECODERS: &[Element] = &[
    ("v4l2h264dec", GOOD),
    ("v4l2slh264dec", BAD),
    ("vah264dec", BAD),
    ("nvh264dec", BAD),
    ("avdec_h264", LIBAV),
    ("openh264dec", BAD),
];
/// Encoders of AAC in the order of preference.
pub(super) const AAC_ENCODERS: &[Element] = &[
    ("avenc_aac", LIBAV),
    ("voaacenc", BAD),
    ("fdkaacenc", FDKAAC),
];
/// Decoders of AAC in the order of preference.
pub(super) const AAC_DECODERS: &[Element] =
    &[("avdec_aac", LIBAV), ("faad", BAD), ("fdkaacdec", FDKAAC)];

/// Elements of the voice processing: the image may lack them, and then no echo is cancelled.
const VOICE: &[Element] = &[("webrtcdsp", BAD), ("webrtcechoprobe", BAD)];

/// Elements without an alternative.
const REQUIRED: &[(&str, &str)] = &[
    ("capsfilter", CORE),
    ("fakesink", CORE),
    ("queue", CORE),
    ("tee", CORE),
    ("appsink", BASE),
    ("appsrc", BASE),
    ("audioconvert", BASE),
    ("audioresample", BASE),
    ("audiotestsrc", BASE),
    ("videoconvert", BASE),
    ("videoconvertscale", BASE),
    ("videorate", BASE),
    ("videoscale", BASE),
    ("videotestsrc", BASE),
    ("aacparse", GOOD),
    ("jpegdec", GOOD),
    ("jpegenc", GOOD),
    ("v4l2src", GOOD),
    ("videoflip", GOOD),
    ("h264parse", BAD),
    ("rtmp2sink", BAD),
    ("alsasink", ALSA),
    ("alsasrc", ALSA),
];

/// Starts GStreamer (once) and checks that every element the code needs exists.
///
/// # Errors
/// `Init` when GStreamer itself cannot start, `MissingElements` with each missing element and
/// the Debian package that brings it.
pub fn init() -> Result<(), MediaError> {
    gstreamer::init().map_err(|error| MediaError::Init(error.to_string()))?;
    check()
}

/// Looks for all, and loads the plugins: reading libav from an SD card takes seconds, and the first
/// call must not wait for that.
fn check() -> Result<(), MediaError> {
    require(REQUIRED)
}

/// Whether the elements of the voice processing are here.
pub(super) fn check_voice() -> Result<(), MediaError> {
    require(VOICE)
}

fn require(elements: &[Element]) -> Result<(), MediaError> {
    let loads = |name: &str| gst::ElementFactory::find(name).is_some_and(|f| f.load().is_ok());
    let missing = missing(elements, loads);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(MediaError::MissingElements(missing))
    }
}

fn missing(
    required: &[(&'static str, &'static str)],
    exists: impl Fn(&str) -> bool,
) -> Vec<Missing> {
    required
        .iter()
        .filter(|(element, _)| !exists(element))
        .map(|&(element, package)| Missing { element, package })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_missing_element_with_its_package() {
        let found = missing(REQUIRED, |name| name != "alsasrc" && name != "v4l2src");
        let text = MediaError::MissingElements(found).to_string();
        assert!(text.contains("alsasrc (gstreamer1.0-alsa)"), "{text}");
        assert!(
            text.contains("v4l2src (gstreamer1.0-plugins-good)"),
            "{text}"
        );
        assert!(!text.contains("appsrc"), "{text}");
    }

    #[test]
    fn this_machine_has_every_element() {
        init().expect("the build machine has all elements");
    }
}
