//! V4L2 cameras: which of those that are present is meant, and in which mode it runs.

use std::sync::{Mutex, PoisonError};

use super::super::pipeline::make;
use super::super::{MediaError, devices};
use super::VideoSource;
use super::mode::{self, Wanted};
use super::video::Front;

/// The elements of a camera in the mode that gives the wanted size at least cost.
pub(super) fn front(wanted: &VideoSource, size: Wanted, plug: &Plug) -> Result<Front, MediaError> {
    let camera = plug.find(wanted, devices::cameras())?;
    let chosen = mode::choose(&camera.modes, size);
    log::info!(camera = camera.path.display().to_string(), mode:? = chosen; "camera chosen");
    let source = make("v4l2src", "camera").property("device", camera.path.display().to_string());
    let mut elements = vec![source.build()?];
    // A camera that lists nothing gets the choice itself.
    if let Some(caps) = chosen.and_then(mode::caps) {
        elements.push(make("capsfilter", "mode").property("caps", caps).build()?);
    }
    let jpeg = chosen.is_some_and(|mode| mode.format == devices::PixelFormat::Mjpeg);
    Ok(Front { elements, jpeg })
}

/// Where a camera was plugged in when it was last found: its name and its bus.
///
/// A camera that is pulled out and put back may get another number, for as long as anything
/// holds the old device open (GStreamer 1.22.0 forgets to close one file of each start).
#[derive(Debug, Default)]
pub(super) struct Plug(Mutex<Option<(String, String)>>);

impl Plug {
    fn find(
        &self,
        wanted: &VideoSource,
        cameras: Vec<devices::Camera>,
    ) -> Result<devices::Camera, MediaError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_plug = |camera: &&devices::Camera| {
            let here = (&camera.name, &camera.bus);
            last.as_ref().is_some_and(|(name, bus)| here == (name, bus))
        };
        let moved = cameras.iter().find(same_plug).cloned();
        let found = find(wanted, cameras).or_else(|error| moved.ok_or(error))?;
        *last = Some((found.name.clone(), found.bus.clone()));
        Ok(found)
    }
}

/// The camera that the configuration means.
fn find(
    wanted: &VideoSource,
    cameras: Vec<devices::Camera>,
) -> Result<devices::Camera, MediaError> {
    let present: Vec<String> = cameras
        .iter()
        .map(|camera| format!("{} ({})", camera.path.display(), camera.name))
        .collect();
    let fits = |camera: &devices::Camera| match wanted {
        VideoSource::Device(path) => {
            camera.path == *path
                || std::fs::canonicalize(path).is_ok_and(|real| real == camera.path)
        }
        VideoSource::Name(name) => camera.name.contains(name.as_str()),
        VideoSource::Auto | VideoSource::Test | VideoSource::Gst(_) => true,
    };
    cameras
        .into_iter()
        .find(fits)
        .ok_or_else(|| MediaError::NoCamera {
            wanted: format!("wanted {wanted}, present: [{}]", present.join(", ")),
        })
}

/// The same error, with what it means where GStreamer's words do not tell.
pub(super) fn explain(error: MediaError) -> MediaError {
    let MediaError::Pipeline {
        element,
        message,
        debug,
    } = error
    else {
        return error;
    };
    let full = [
        "No space left on device",
        "Failed to allocate required memory",
    ];
    let hint = if full
        .iter()
        .any(|text| message.contains(text) || debug.contains(text))
    {
        " (a USB bus may have no bandwidth left for it beside another camera: try a smaller or a \
         compressed mode, or another port)"
    } else if message.contains("is busy") || debug.contains("Device or resource busy") {
        " (another program, or another camera of the configuration, uses it)"
    } else {
        ""
    };
    MediaError::Pipeline {
        element,
        message: message + hint,
        debug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn a_camera_that_comes_back_under_another_number_is_known_by_its_plug() {
        let camera = |path: &str, bus: &str| devices::Camera {
            path: path.into(),
            name: "Webcam".to_owned(),
            driver: String::new(),
            bus: bus.to_owned(),
            modes: Vec::new(),
            controls: Vec::new(),
        };
        let (plug, wanted) = (Plug::default(), VideoSource::Device("/dev/video0".into()));
        let found = |cameras| plug.find(&wanted, cameras).map(|camera| camera.path).ok();
        let (front, desk) = (
            camera("/dev/video0", "usb-1"),
            camera("/dev/video1", "usb-2"),
        );
        // Nothing is known before it was found once.
        assert_eq!(found(vec![desk.clone()]), None);
        assert_eq!(found(vec![front, desk.clone()]), Some("/dev/video0".into()));
        assert_eq!(found(vec![desk.clone()]), None);
        let moved = camera("/dev/video2", "usb-1");
        assert_eq!(found(vec![desk, moved]), Some("/dev/video2".into()));
    }

    #[test]
    fn explains_what_gstreamer_does_not() {
        let explained = |message: &str, debug: &str| {
            let error = MediaError::Pipeline {
                element: "camera".to_owned(),
                message: message.to_owned(),
                debug: debug.to_owned(),
            };
            explain(error).to_string()
        };
        for (message, debug, hint) in [
            (
                "Could not start.",
                "VIDIOC_STREAMON: No space left on device",
                "USB bus",
            ),
            ("Failed to allocate required memory.", "", "USB bus"),
            ("Device '/dev/video0' is busy", "", "another program"),
            (
                "Could not start.",
                "S_FMT: Device or resource busy",
                "another program",
            ),
        ] {
            let text = explained(message, debug);
            assert!(text.starts_with(&format!("camera: {message} (")), "{text}");
            assert!(text.contains(hint), "{text}");
        }
        assert_eq!(explained("gone", "ENODEV"), "camera: gone");
    }

    #[test]
    fn finds_the_camera_that_is_meant() {
        let cameras = || {
            ["HD Webcam", "vivid"]
                .iter()
                .zip(["/dev/video0", "/dev/video2"])
                .map(|(name, path)| devices::Camera {
                    path: PathBuf::from(path),
                    name: (*name).to_owned(),
                    driver: String::new(),
                    bus: String::new(),
                    modes: Vec::new(),
                    controls: Vec::new(),
                })
        };
        for (wanted, expected) in [
            (VideoSource::Auto, Some("/dev/video0")),
            (
                VideoSource::Device("/dev/video2".into()),
                Some("/dev/video2"),
            ),
            (VideoSource::Device("/dev/video7".into()), None),
            (VideoSource::Name("vivid".to_owned()), Some("/dev/video2")),
            (VideoSource::Name("Web".to_owned()), Some("/dev/video0")),
            (VideoSource::Name("none".to_owned()), None),
        ] {
            let found = find(&wanted, cameras().collect());
            assert_eq!(
                found.ok().map(|c| c.path),
                expected.map(PathBuf::from),
                "{wanted:?}"
            );
        }
        let error = find(&VideoSource::Name("none".to_owned()), cameras().collect());
        let text = error.expect_err("not there").to_string();
        assert!(
            text.contains("none") && text.contains("/dev/video2 (vivid)"),
            "{text}"
        );
    }
}
