//! `[[media.cameras]]`, or the one camera of `[media.video]`.

use std::fmt;
use std::path::PathBuf;

use super::choices::split;
use crate::config::document::Section;
use crate::config::rules;

/// A camera by the name that people use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// Name for `ctl camera`: 1 to 32 of A-Z, a-z, 0-9, `_` and `-`.
    pub name: String,
    pub source: VideoSource,
    /// Turn, clockwise, that makes its picture upright.
    pub rotation: Rotation,
    /// Minimum width and height of the mode that it runs in, if it has such a mode.
    pub at_least: Option<(u32, u32)>,
}

/// A source of pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoSource {
    /// The first camera found.
    Auto,
    /// A moving test pattern.
    Test,
    /// A device such as `/dev/video0`.
    Device(PathBuf),
    /// A camera by the name that `rtckiosk devices` shows.
    Name(String),
    /// A GStreamer description of a source: it ends in raw video, for example
    /// `libcamerasrc ! video/x-raw,width=1280,height=720`, or in H.264 of an encoder that can be
    /// controlled.
    Gst(String),
}

/// Writes the source in the words of the configuration.
impl fmt::Display for VideoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(path) => path.display().fmt(f),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Test => f.write_str("test"),
            Self::Gst(description) => write!(f, "gst:{description}"),
        }
    }
}

impl Camera {
    /// Makes the only camera, upright, under the usual name.
    #[must_use]
    pub fn only(source: VideoSource) -> Self {
        Self {
            name: ONLY.to_owned(),
            source,
            rotation: Rotation::None,
            at_least: None,
        }
    }
}

/// A turn of a picture, clockwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    Left,
}

impl Rotation {
    const DEGREES: [(u64, Self); 4] = [
        (0, Self::None),
        (90, Self::Right),
        (180, Self::Half),
        (270, Self::Left),
    ];

    /// Whether width and height change places.
    #[must_use]
    pub const fn lies_down(self) -> bool {
        matches!(self, Self::Right | Self::Left)
    }
}

/// Name of the only camera, if no camera is configured by name.
const ONLY: &str = "main";
/// Maximum number of cameras: more than any kiosk has; each is a line of `status`.
const MOST: usize = 8;
const NAME: usize = 32;
const ONE_ALLOWED: &str = "\"auto\", \"test\", a device such as \"/dev/video0\", \
     \"name:CAMERA\" or \"gst:SOURCE DESCRIPTION\"";
/// Sources of one camera of several: "auto" could be one that has a name already.
const OF_SEVERAL_ALLOWED: &str = "\"test\", a device such as \"/dev/video0\", \
     \"name:CAMERA\" or \"gst:SOURCE DESCRIPTION\"";

/// Reads the cameras in the order in which they are used; at least one.
pub(super) fn read(media: &Section<'_>, video: &Section<'_>) -> Vec<Camera> {
    let turn = rules::one_of(&Rotation::DEGREES);
    let rotation = video.get("rotation", Rotation::None, &turn);
    let source = video.get(
        "source",
        VideoSource::Auto,
        rules::text(ONE_ALLOWED, VideoSource::parse),
    );
    let only = Camera {
        rotation,
        ..Camera::only(source)
    };
    let several = media.list("cameras", MOST, &["name", "source"], |camera| {
        let side = || rules::even(160..=8192);
        camera.require(&["width"], &["height"]);
        camera.require(&["height"], &["width"]);
        let size = camera
            .optional("width", side())
            .zip(camera.optional("height", side()));
        Camera {
            name: camera.get("name", ONLY.to_owned(), rules::identifier(NAME)),
            source: camera.get(
                "source",
                VideoSource::Test,
                rules::text(OF_SEVERAL_ALLOWED, |text| {
                    VideoSource::parse(text).filter(|source| *source != VideoSource::Auto)
                }),
            ),
            rotation: camera.get("rotation", rotation, &turn),
            at_least: size,
        }
    });
    if several.is_empty() {
        return vec![only];
    }
    video.reject(
        "source",
        "not together with [[media.cameras]], which says it for each camera",
    );
    for (place, camera) in several.iter().enumerate() {
        let before = &several[..place];
        if before.iter().any(|other| other.name == camera.name) {
            media.reject(
                "cameras",
                format!("{:?} is the name of two cameras", camera.name),
            );
        }
        // Test patterns are not devices: any number of them can run at once.
        if camera.source != VideoSource::Test
            && let Some(other) = before.iter().find(|other| other.source == camera.source)
        {
            let message = format!("{:?} and {:?} have one source", other.name, camera.name);
            media.reject("cameras", message);
        }
    }
    several
}

impl VideoSource {
    fn parse(text: &str) -> Option<Self> {
        match split(text) {
            ("auto", None) => Some(Self::Auto),
            ("test", None) => Some(Self::Test),
            ("name", Some(name)) => Some(Self::Name(name)),
            ("gst", Some(description)) => Some(Self::Gst(description)),
            _ if text.len() > "/dev/".len() && text.starts_with("/dev/") => {
                Some(Self::Device(text.into()))
            }
            _ => None,
        }
    }
}
