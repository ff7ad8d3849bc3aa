//! Decides whether the H.264 that a camera makes itself can be sent, from what V4L2 tells of the
//! camera. Pure. It takes a mode of exactly the size that is sent, because nothing can make
//! H.264 smaller, a bitrate that follows the link, and key frames for members that join.

use serde::Serialize;

use super::camera_mode::{CameraControl, CameraMode, PixelFormat};

/// V4L2 control of the bitrate, by GStreamer's name of it, as `extra-controls` takes it.
pub(crate) const BITRATE: &str = "video_bitrate";
/// V4L2 control that makes a key frame.
pub(crate) const FORCE_KEY: &str = "force_key_frame";
/// V4L2 controls of the frames from one key frame to the next; drivers have one or the other.
const DISTANCE: [&str; 2] = ["h264_i_frame_period", "video_gop_size"];

/// The use of a camera's own H.264.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnH264 {
    pub(crate) mode: CameraMode,
    /// Whether it makes a key frame when it is asked for one.
    pub(crate) force_key: bool,
    /// The control that spaces its key frames.
    pub(crate) distance: Option<&'static str>,
}

/// The same as `devices` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "detail", rename_all = "lowercase")]
pub enum OwnH264Report {
    /// Can be sent, with its mode and controls.
    Usable(String),
    /// Cannot be sent, with the reason.
    Refused(String),
}

/// Decides on a camera with these modes and controls, for pictures of `size`, at least `fps` a
/// second.
///
/// # Errors
/// The reason why its own H.264 cannot be used.
pub(crate) fn decide(
    modes: &[CameraMode],
    controls: &[CameraControl],
    size: (u32, u32),
    fps: u32,
) -> Result<OwnH264, String> {
    let mode = mode(modes, size, fps)?.clone();
    let names: Vec<_> = controls.iter().map(|c| gst_name(&c.name)).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if !has(BITRATE) {
        return Err(format!("its bitrate cannot be set: no control {BITRATE}"));
    }
    let force_key = has(FORCE_KEY);
    let distance = DISTANCE.into_iter().find(|name| has(name));
    if !force_key && distance.is_none() {
        let [one, other] = DISTANCE;
        return Err(format!(
            "its key frames cannot be set: no control {FORCE_KEY}, {one} or {other}"
        ));
    }
    Ok(OwnH264 {
        mode,
        force_key,
        distance,
    })
}

/// The slowest of the modes that are fast enough.
fn mode(modes: &[CameraMode], size: (u32, u32), fps: u32) -> Result<&CameraMode, String> {
    let h264: Vec<_> = modes
        .iter()
        .filter(|mode| mode.format == PixelFormat::H264)
        .collect();
    if h264.is_empty() {
        return Err("it makes none".to_owned());
    }
    // In tenths, because 30000/1001 is as good as 30.
    let fast_enough = |mode: &CameraMode| mode.tenths_fps() + 1 >= u64::from(fps) * 10;
    let fits = |mode: &&&CameraMode| (mode.width, mode.height) == size && fast_enough(mode);
    let slowest = h264
        .iter()
        .filter(fits)
        .min_by_key(|mode| mode.tenths_fps());
    slowest.copied().ok_or_else(|| {
        let (width, height) = size;
        let all: Vec<_> = h264
            .iter()
            .map(|mode| format!("{}x{}@{}", mode.width, mode.height, mode.tenths_fps() / 10))
            .collect();
        format!(
            "no mode of {width}x{height} at {fps} frames/s: {}",
            all.join(" ")
        )
    })
}

/// The decision as `devices` shows it.
pub(super) fn report(
    modes: &[CameraMode],
    controls: &[CameraControl],
    size: (u32, u32),
    fps: u32,
) -> OwnH264Report {
    match decide(modes, controls, size, fps) {
        Ok(h264) => {
            let force = h264.force_key.then_some(FORCE_KEY);
            let by: Vec<_> = [Some(BITRATE), force, h264.distance]
                .into_iter()
                .flatten()
                .collect();
            let CameraMode { width, height, .. } = h264.mode;
            OwnH264Report::Usable(format!("{width}x{height}, set by {}", by.join(", ")))
        }
        Err(reason) => OwnH264Report::Refused(reason),
    }
}

/// GStreamer's name of a V4L2 control: "H264 I-Frame Period" is `h264_i_frame_period`.
fn gst_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(width: u32, height: u32, fps: u32) -> CameraMode {
        CameraMode {
            format: PixelFormat::H264,
            width,
            height,
            fps: (fps, 1),
        }
    }

    fn control(name: &str) -> CameraControl {
        CameraControl {
            name: name.to_owned(),
            id: 0,
            min: 0,
            max: 1,
            step: 1,
            default: 0,
            value: None,
        }
    }

    /// Controls of cameras in the field, as V4L2 names them.
    const PI: &[&str] = &[
        "Brightness",
        "Video Bitrate Mode",
        "Video Bitrate",
        "Repeat Sequence Header",
        "Force Key Frame",
        "H264 I-Frame Period",
    ];
    const UVC: &[&str] = &["Brightness", "Exposure, Auto", "Zoom, Absolute"];

    #[test]
    fn takes_what_can_be_controlled_and_says_why_not_otherwise() {
        let raw = CameraMode {
            format: PixelFormat::Yuyv,
            ..h264(640, 480, 30)
        };
        let modes = [
            raw.clone(),
            h264(640, 480, 60),
            h264(640, 480, 30),
            h264(640, 480, 15),
            h264(1280, 720, 25),
        ];
        let both = Some("h264_i_frame_period");
        for (modes, controls, size, fps, expected) in [
            (&modes[..], PI, (640, 480), 30, Ok((30, true, both))),
            (&modes, PI, (640, 480), 20, Ok((30, true, both))),
            (&modes, PI, (640, 480), 15, Ok((15, true, both))),
            (
                &modes,
                &["Video Bitrate", "Video GOP Size"],
                (1280, 720),
                25,
                Ok((25, false, Some("video_gop_size"))),
            ),
            (
                &modes,
                &["Video Bitrate", "Force Key Frame"],
                (640, 480),
                60,
                Ok((60, true, None)),
            ),
            (&modes[..1], PI, (640, 480), 30, Err("it makes none")),
            (
                &modes,
                PI,
                (640, 360),
                30,
                Err(
                    "no mode of 640x360 at 30 frames/s: 640x480@60 640x480@30 640x480@15 1280x720@25",
                ),
            ),
            (
                &modes[4..],
                PI,
                (1280, 720),
                30,
                Err("no mode of 1280x720 at 30 frames/s: 1280x720@25"),
            ),
            (
                &modes,
                UVC,
                (640, 480),
                30,
                Err("its bitrate cannot be set: no control video_bitrate"),
            ),
            (
                &modes,
                &["Video Bitrate"],
                (640, 480),
                30,
                Err(
                    "its key frames cannot be set: no control force_key_frame, h264_i_frame_period or video_gop_size",
                ),
            ),
        ] {
            let controls: Vec<_> = controls.iter().map(|name| control(name)).collect();
            let found = decide(modes, &controls, size, fps);
            let found = found.map(|h264| (h264.mode.fps.0, h264.force_key, h264.distance));
            assert_eq!(
                found,
                expected.map_err(str::to_owned),
                "{size:?} at {fps} with {controls:?}"
            );
        }
    }

    #[test]
    fn a_rate_of_ntsc_is_fast_enough() {
        let mode = CameraMode {
            fps: (30_000, 1001),
            ..h264(640, 480, 30)
        };
        let controls = PI.iter().map(|name| control(name)).collect::<Vec<_>>();
        decide(&[mode], &controls, (640, 480), 30).expect("29.97 is meant");
    }

    #[test]
    fn names_controls_as_gstreamer_does() {
        for (name, expected) in [
            ("H264 I-Frame Period", "h264_i_frame_period"),
            ("Exposure (absolute)", "exposure_absolute"),
            ("Exposure, Auto", "exposure_auto"),
        ] {
            assert_eq!(gst_name(name), expected);
        }
    }
}
