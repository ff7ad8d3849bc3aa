//! Cameras, as V4L2 tells of them.

use std::path::{Path, PathBuf};

use serde::Serialize;
use v4l::FourCC;
use v4l::capability::Flags;
use v4l::control;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;

use super::camera_mode::{CameraControl, CameraMode, PixelFormat};
use super::own_h264::OwnH264Report;

/// A V4L2 device that captures video.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraDevice {
    pub path: PathBuf,
    pub name: String,
    pub driver: String,
    pub bus: String,
    pub modes: Vec<CameraMode>,
    /// Controls that can be set; only where the whole machine is listed.
    pub controls: Vec<CameraControl>,
    /// The use of the H.264 that it makes itself; only where the whole machine is listed.
    pub own_h264: Option<OwnH264Report>,
}

/// Sizes to offer where a driver accepts any size of a range.
const USUAL_SIZES: [(u32, u32); 11] = [
    (320, 180),
    (320, 240),
    (480, 272),
    (480, 360),
    (640, 360),
    (640, 480),
    (960, 540),
    (960, 720),
    (1280, 720),
    (1280, 960),
    (1920, 1080),
];
/// Rates to offer where a driver accepts any rate of a range, besides the fastest.
const USUAL_RATES: [u32; 6] = [5, 10, 15, 25, 30, 60];

/// Cameras in the order of their device numbers. Blocks.
#[must_use]
pub fn cameras() -> Vec<CameraDevice> {
    let mut cameras: Vec<CameraDevice> = nodes().iter().filter_map(|path| identify(path)).collect();
    for camera in &mut cameras {
        camera.modes = modes(&camera.path);
    }
    cameras
}

/// Video devices of any kind, in the order of their numbers; none is opened.
pub(crate) fn nodes() -> Vec<PathBuf> {
    let mut nodes = v4l::context::enum_devices();
    nodes.sort_by_key(v4l::context::Node::index);
    nodes.iter().map(|node| node.path().to_path_buf()).collect()
}

/// The camera behind a video device, if it is one, without its modes and controls. Blocks.
pub(crate) fn identify(path: &Path) -> Option<CameraDevice> {
    let device = v4l::Device::with_path(path).ok()?;
    let caps = device.query_caps().ok()?;
    // Metadata nodes of UVC cameras are video devices too.
    if !caps.capabilities.contains(Flags::VIDEO_CAPTURE) {
        return None;
    }
    Some(CameraDevice {
        path: path.to_owned(),
        name: caps.card,
        driver: caps.driver,
        bus: caps.bus,
        modes: Vec::new(),
        controls: Vec::new(),
        own_h264: None,
    })
}

/// The modes of a camera; some drivers take their time to list them. Blocks.
pub(crate) fn modes(path: &Path) -> Vec<CameraMode> {
    v4l::Device::with_path(path).map_or_else(|_| Vec::new(), |device| all_modes(&device))
}

/// The controls of a camera; some take their time to tell. Blocks.
pub(crate) fn controls(path: &Path) -> Vec<CameraControl> {
    ask_controls(path).unwrap_or_default()
}

fn ask_controls(path: &Path) -> Option<Vec<CameraControl>> {
    let device = v4l::Device::with_path(path).ok()?;
    // The crate panics at kinds of controls that are younger than it, and at names that are not
    // UTF-8: such a camera is listed without controls.
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.query_controls()));
    let Ok(Ok(found)) = asked else {
        log::warn!(camera = path.display().to_string(); "the camera's controls cannot be read");
        return None;
    };
    let plain = |control: &control::Description| {
        use control::Type::{Bitmask, Boolean, Button, Integer, IntegerMenu, Menu};
        matches!(
            control.typ,
            Integer | Boolean | Menu | Bitmask | IntegerMenu | Button
        ) && !control.flags.contains(control::Flags::DISABLED)
    };
    let value = |control: &control::Description| match control.typ {
        // A button has none, and asking for it may push it.
        control::Type::Button => None,
        _ => match device.control(control.id).ok()?.value {
            control::Value::Integer(value) => Some(value),
            control::Value::Boolean(value) => Some(value.into()),
            _ => None,
        },
    };
    let describe = |control: control::Description| CameraControl {
        value: value(&control),
        name: control.name,
        id: control.id,
        min: control.minimum,
        max: control.maximum,
        step: control.step,
        default: control.default,
    };
    Some(found.into_iter().filter(plain).map(describe).collect())
}

fn all_modes(device: &v4l::Device) -> Vec<CameraMode> {
    let mut modes = Vec::new();
    for format in device.enum_formats().unwrap_or_default() {
        for (width, height) in sizes(device, format.fourcc) {
            for fps in rates(device, format.fourcc, width, height) {
                let format = PixelFormat::from_fourcc(format.fourcc.repr);
                modes.push(CameraMode {
                    format,
                    width,
                    height,
                    fps,
                });
            }
        }
    }
    modes
}

fn sizes(device: &v4l::Device, fourcc: FourCC) -> Vec<(u32, u32)> {
    let listed = device.enum_framesizes(fourcc).unwrap_or_default();
    listed
        .into_iter()
        .flat_map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => vec![(size.width, size.height)],
            FrameSizeEnum::Stepwise(range) => USUAL_SIZES
                .into_iter()
                .filter(|&(width, height)| {
                    fits(width, range.min_width, range.max_width, range.step_width)
                        && fits(
                            height,
                            range.min_height,
                            range.max_height,
                            range.step_height,
                        )
                })
                .collect(),
        })
        .collect()
}

fn fits(value: u32, min: u32, max: u32, step: u32) -> bool {
    (min..=max).contains(&value) && (value - min).is_multiple_of(step.max(1))
}

/// Frame rates at one size.
fn rates(device: &v4l::Device, fourcc: FourCC, width: u32, height: u32) -> Vec<(u32, u32)> {
    let listed = device
        .enum_frameintervals(fourcc, width, height)
        .unwrap_or_default();
    let rate = |interval: v4l::Fraction| (interval.denominator, interval.numerator);
    let rates = listed
        .into_iter()
        .flat_map(|interval| match interval.interval {
            FrameIntervalEnum::Discrete(interval) => vec![rate(interval)],
            FrameIntervalEnum::Stepwise(range) => usual_rates(rate(range.max), rate(range.min)),
        });
    rates.filter(|&(_, seconds)| seconds > 0).collect()
}

/// The usual rates of a range, and the fastest.
fn usual_rates(slowest: (u32, u32), fastest: (u32, u32)) -> Vec<(u32, u32)> {
    let at_least = |rate: u32, (frames, seconds): (u32, u32)| {
        u64::from(rate) * u64::from(seconds) >= u64::from(frames)
    };
    let below = |rate: u32, (frames, seconds): (u32, u32)| {
        u64::from(rate) * u64::from(seconds) < u64::from(frames)
    };
    let usual = USUAL_RATES
        .into_iter()
        .filter(|&rate| at_least(rate, slowest) && below(rate, fastest));
    usual.map(|rate| (rate, 1)).chain([fastest]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_sizes_offers_what_fits() {
        assert!(fits(640, 48, 3840, 16));
        assert!(!fits(180, 32, 2160, 16));
        assert!(!fits(1920, 2, 1280, 2));
        assert!(fits(640, 640, 640, 0));
    }

    #[test]
    fn a_range_of_rates_offers_what_fits_and_the_fastest() {
        let whole = |rates: &[u32]| rates.iter().map(|&rate| (rate, 1)).collect::<Vec<_>>();
        // The camera of a Raspberry Pi.
        let pi = usual_rates((1, 1), (90, 1));
        assert_eq!(pi, whole(&[5, 10, 15, 25, 30, 60, 90]));
        assert_eq!(usual_rates((10, 1), (30, 1)), whole(&[10, 15, 25, 30]));
        let ntsc = usual_rates((15, 1), (30_000, 1001));
        assert_eq!(ntsc, [(15, 1), (25, 1), (30_000, 1001)]);
    }
}
