//! The V4L2 camera that is meant, of those that are present.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::config::kiosk::VideoSource;
use crate::media::devices::CameraDevice;
use crate::media::error::MediaError;
use crate::media::lock::lock;

/// The place at which a camera was last found: its name and its bus.
///
/// A camera that is pulled out and put back may get another number, for as long as anything
/// holds the old device open (GStreamer 1.22.0 forgets to close one file of each start).
#[derive(Debug, Default)]
pub(super) struct Plug(Mutex<Option<(String, String)>>);

impl Plug {
    /// The camera that the configuration means, of the video devices `nodes`. `identify` is asked
    /// for as few of them as will do, because each has to be opened for it.
    pub(super) fn find(
        &self,
        wanted: &VideoSource,
        nodes: &[PathBuf],
        identify: impl Fn(&Path) -> Option<CameraDevice>,
    ) -> Result<CameraDevice, MediaError> {
        let mut last = lock(&self.0);
        let candidates = nodes.iter().filter(|path| may_be(wanted, path));
        let found = candidates
            .filter_map(|path| identify(path))
            .find(|camera| match wanted {
                VideoSource::Name(name) => camera.name.contains(name.as_str()),
                _ => true,
            });
        let found = match found {
            Some(found) => found,
            None => {
                let present: Vec<_> = nodes.iter().filter_map(|path| identify(path)).collect();
                let same_plug = |camera: &&CameraDevice| {
                    let here = (&camera.name, &camera.bus);
                    last.as_ref().is_some_and(|(name, bus)| here == (name, bus))
                };
                let moved = present.iter().find(same_plug).cloned();
                moved.ok_or_else(|| none(wanted, &present))?
            }
        };
        *last = Some((found.name.clone(), found.bus.clone()));
        Ok(found)
    }
}

/// Whether the device of that path can be the one that the configuration means.
fn may_be(wanted: &VideoSource, path: &Path) -> bool {
    match wanted {
        VideoSource::Device(wanted) => {
            path == wanted || std::fs::canonicalize(wanted).is_ok_and(|real| real == path)
        }
        _ => true,
    }
}

fn none(wanted: &VideoSource, present: &[CameraDevice]) -> MediaError {
    let present: Vec<String> = present
        .iter()
        .map(|camera| format!("{} ({})", camera.path.display(), camera.name))
        .collect();
    MediaError::NoCamera {
        wanted: format!("wanted {wanted}, present: [{}]", present.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The machine's cameras: path, name, bus.
    type Present = [(&'static str, &'static str, &'static str)];

    /// The camera that `wanted` is found to be, and the devices that were opened for it.
    fn found(
        plug: &Plug,
        wanted: &VideoSource,
        present: &Present,
    ) -> (Result<PathBuf, MediaError>, Vec<PathBuf>) {
        let opened = RefCell::new(Vec::new());
        let identify = |path: &Path| {
            opened.borrow_mut().push(path.to_owned());
            let (_, name, bus) = present.iter().find(|(at, ..)| Path::new(at) == path)?;
            Some(CameraDevice {
                path: path.to_owned(),
                name: (*name).to_owned(),
                driver: String::new(),
                bus: (*bus).to_owned(),
                modes: Vec::new(),
                controls: Vec::new(),
                own_h264: None,
            })
        };
        // The second is no camera.
        let nodes = ["/dev/video0", "/dev/video1", "/dev/video2"].map(PathBuf::from);
        let camera = plug.find(wanted, &nodes, identify);
        (camera.map(|camera| camera.path), opened.into_inner())
    }

    #[test]
    fn a_camera_that_comes_back_under_another_number_is_known_by_its_plug() {
        let (plug, wanted) = (Plug::default(), VideoSource::Device("/dev/video0".into()));
        let path = |present: &Present| found(&plug, &wanted, present).0.ok();
        let (face, desk) = (
            ("/dev/video0", "Webcam", "usb-1"),
            ("/dev/video1", "Webcam", "usb-2"),
        );
        // Nothing is known before it was found once.
        assert_eq!(path(&[desk]), None);
        assert_eq!(path(&[face, desk]), Some("/dev/video0".into()));
        assert_eq!(path(&[desk]), None);
        let moved = ("/dev/video2", "Webcam", "usb-1");
        assert_eq!(path(&[desk, moved]), Some("/dev/video2".into()));
    }

    #[test]
    fn finds_the_camera_that_is_meant_and_opens_no_more_than_it_must() {
        let present = [
            ("/dev/video0", "HD Webcam", "usb-1"),
            ("/dev/video2", "vivid", "platform"),
        ];
        let name = |name: &str| VideoSource::Name(name.to_owned());
        for (wanted, expected, opened) in [
            (VideoSource::Auto, Some("/dev/video0"), &[0][..]),
            (
                VideoSource::Device("/dev/video2".into()),
                Some("/dev/video2"),
                &[2],
            ),
            (name("Web"), Some("/dev/video0"), &[0]),
            (name("vivid"), Some("/dev/video2"), &[0, 1, 2]),
            // All, to say what is there.
            (VideoSource::Device("/dev/video7".into()), None, &[0, 1, 2]),
            (name("none"), None, &[0, 1, 2, 0, 1, 2]),
        ] {
            let (camera, asked) = found(&Plug::default(), &wanted, &present);
            assert_eq!(camera.ok(), expected.map(PathBuf::from), "{wanted:?}");
            let opened: Vec<_> = opened.iter().map(|n| format!("/dev/video{n}")).collect();
            assert_eq!(asked, opened.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
        let (camera, _) = found(&Plug::default(), &name("none"), &present);
        let text = camera.expect_err("not there").to_string();
        assert!(
            text.contains("none") && text.contains("/dev/video2 (vivid)"),
            "{text}"
        );
    }
}
