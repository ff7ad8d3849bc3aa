//! Every GStreamer element the code makes, and the Debian package that brings it.

use gstreamer as gst;
use gstreamer::prelude::PluginFeatureExtManual as _;

use super::MediaError;

const CORE: &str = "libgstreamer1.0-0";
const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const ALSA: &str = "gstreamer1.0-alsa";
const LIBAV: &str = "gstreamer1.0-libav";

/// Encoders are not listed: which of them must exist is the choice made in `encoder`.
const REQUIRED: &[(&str, &str)] = &[
    ("capsfilter", CORE),
    ("fakesink", CORE),
    ("queue", CORE),
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
    ("autoaudiosink", GOOD),
    ("autovideosink", GOOD),
    ("flvdemux", GOOD),
    ("jpegdec", GOOD),
    ("jpegenc", GOOD),
    ("v4l2src", GOOD),
    ("videoflip", GOOD),
    ("h264parse", BAD),
    ("rtmp2sink", BAD),
    ("rtmp2src", BAD),
    ("alsasink", ALSA),
    ("alsasrc", ALSA),
    ("avdec_aac", LIBAV),
    ("avdec_h264", LIBAV),
];

/// An element that this machine does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub element: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
}

/// Also loads the plugins: reading libav from an SD card takes seconds, and the first call
/// must not wait for that.
pub(super) fn check() -> Result<(), MediaError> {
    let loads = |name: &str| gst::ElementFactory::find(name).is_some_and(|f| f.load().is_ok());
    let missing = missing(REQUIRED, loads);
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

/// "alsasrc (gstreamer1.0-alsa), v4l2src (gstreamer1.0-plugins-good)"
pub(super) fn describe(missing: &[Missing]) -> String {
    let listed: Vec<String> = missing
        .iter()
        .map(|Missing { element, package }| format!("{element} ({package})"))
        .collect();
    listed.join(", ")
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
        super::super::init().expect("the build machine has all elements");
    }
}
