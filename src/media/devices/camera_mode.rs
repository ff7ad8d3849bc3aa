//! The modes and controls of a camera, by V4L2's names.

use serde::Serialize;

/// Something that can be set on a camera, such as its brightness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraControl {
    pub name: String,
    /// V4L2's number of it.
    pub id: u32,
    pub min: i64,
    pub max: i64,
    pub step: u64,
    pub default: i64,
    /// Value of now; absent where the camera does not tell it.
    pub value: Option<i64>,
}

/// One of a camera's modes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraMode {
    pub format: PixelFormat,
    pub width: u32,
    pub height: u32,
    /// Frames per second as a fraction.
    pub fps: (u32, u32),
}

impl CameraMode {
    /// Frames per ten seconds, rounded down.
    #[must_use]
    pub fn tenths_fps(&self) -> u64 {
        u64::from(self.fps.0) * 10 / u64::from(self.fps.1.max(1))
    }
}

/// The way in which a camera packs its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    I420,
    Nv12,
    Yuyv,
    Uyvy,
    Rgb24,
    Bgr24,
    Mjpeg,
    H264,
    /// One that we do not read, by its V4L2 four characters.
    Other([u8; 4]),
}

impl PixelFormat {
    const KNOWN: [([u8; 4], Self); 9] = [
        (*b"YU12", Self::I420),
        (*b"NV12", Self::Nv12),
        (*b"YUYV", Self::Yuyv),
        (*b"UYVY", Self::Uyvy),
        (*b"RGB3", Self::Rgb24),
        (*b"BGR3", Self::Bgr24),
        (*b"MJPG", Self::Mjpeg),
        (*b"JPEG", Self::Mjpeg),
        (*b"H264", Self::H264),
    ];

    pub(super) fn from_fourcc(fourcc: [u8; 4]) -> Self {
        let known = Self::KNOWN.iter().find(|(code, _)| *code == fourcc);
        known.map_or(Self::Other(fourcc), |&(_, format)| format)
    }

    fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Other(fourcc) => fourcc,
            _ => Self::KNOWN
                .iter()
                .find(|(_, format)| *format == self)
                .map_or(*b"????", |k| k.0),
        }
    }

    /// GStreamer's media type and, for raw video, its name of the format. `None` for formats
    /// that the kiosk does not read.
    #[must_use]
    pub fn caps_name(self) -> Option<(&'static str, Option<&'static str>)> {
        let raw = match self {
            Self::I420 => "I420",
            Self::Nv12 => "NV12",
            Self::Yuyv => "YUY2",
            Self::Uyvy => "UYVY",
            Self::Rgb24 => "RGB",
            Self::Bgr24 => "BGR",
            Self::Mjpeg => return Some(("image/jpeg", None)),
            Self::H264 | Self::Other(_) => return None,
        };
        Some(("video/x-raw", Some(raw)))
    }
}

/// Shows the format by its V4L2 four characters.
impl std::fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.fourcc()))
    }
}

impl Serialize for PixelFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_formats_as_v4l2_does() {
        for (fourcc, _) in PixelFormat::KNOWN
            .iter()
            .filter(|(code, _)| code != b"JPEG")
        {
            assert_eq!(PixelFormat::from_fourcc(*fourcc).fourcc(), *fourcc);
        }
        let unknown = PixelFormat::from_fourcc(*b"BA81");
        assert_eq!(
            serde_json::to_string(&unknown).expect("a string"),
            "\"BA81\""
        );
        assert_eq!(unknown.caps_name(), None);
    }
}
