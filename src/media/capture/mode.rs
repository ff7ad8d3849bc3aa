//! Chooses the mode of a camera that gives the wanted picture at the lowest cost.

use gstreamer as gst;

use crate::media::devices::{CameraMode, PixelFormat};

/// The picture that the uplink wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
}

/// The mode to ask the camera for: first fast enough, then big enough, then cheapest, where a
/// compressed pixel costs its decoding. `None` when no mode can be read.
pub(super) fn choose(modes: &[CameraMode], wanted: Wanted) -> Option<&CameraMode> {
    modes
        .iter()
        .filter(|mode| mode.format.caps_name().is_some())
        .min_by_key(|mode| {
            let pixels = u64::from(mode.width) * u64::from(mode.height);
            let missing = u64::from(wanted.width.saturating_sub(mode.width))
                * u64::from(wanted.height)
                + u64::from(wanted.height.saturating_sub(mode.height)) * u64::from(wanted.width);
            // In tenths, because 30000/1001 is as good as 30.
            let slow = (u64::from(wanted.fps) * 10).saturating_sub(mode.tenths_fps() + 1);
            let spare = mode.tenths_fps().saturating_sub(u64::from(wanted.fps) * 10);
            (slow, missing, pixels * cost(mode.format), spare)
        })
}

/// Work per pixel until it is I420, relative.
fn cost(format: PixelFormat) -> u64 {
    match format {
        PixelFormat::I420 => 2,
        PixelFormat::Nv12 | PixelFormat::Yuyv | PixelFormat::Uyvy => 3,
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => 5,
        PixelFormat::Mjpeg => 12,
        PixelFormat::H264 | PixelFormat::Other(_) => 100,
    }
}

/// Caps that make `v4l2src` use `mode`.
pub(super) fn caps(mode: &CameraMode) -> Option<gst::Caps> {
    let (media, format) = match mode.format {
        PixelFormat::H264 => ("video/x-h264", None),
        other => other.caps_name()?,
    };
    let size = |value| i32::try_from(value).ok();
    let rate = gst::Fraction::new(size(mode.fps.0)?, size(mode.fps.1)?);
    let caps = gst::Caps::builder(media)
        .field("width", size(mode.width)?)
        .field("height", size(mode.height)?)
        .field("framerate", rate)
        .field_if_some("format", format);
    Some(caps.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(format: PixelFormat, width: u32, height: u32, fps: u32) -> CameraMode {
        CameraMode {
            format,
            width,
            height,
            fps: (fps, 1),
        }
    }

    #[test]
    fn takes_the_cheapest_mode_that_is_good_enough() {
        use PixelFormat::{H264, I420, Mjpeg, Yuyv};
        let usb2 = [
            mode(Mjpeg, 640, 480, 30),
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 1920, 1080, 30),
            mode(Yuyv, 320, 240, 30),
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 640, 480, 15),
            mode(Yuyv, 1280, 720, 10),
            mode(H264, 1280, 720, 30),
        ];
        let ntsc = [CameraMode {
            fps: (30_000, 1001),
            ..mode(I420, 640, 480, 30)
        }];
        for (modes, wanted, expected) in [
            // Raw where the bus carries it.
            (&usb2[..], (640, 480, 30), Some((Yuyv, 640, 30))),
            // The slower of two that are fast enough: less light is needed.
            (&usb2, (640, 480, 15), Some((Yuyv, 640, 15))),
            // Raw is too slow at this size.
            (&usb2, (1280, 720, 30), Some((Mjpeg, 1280, 30))),
            // Slow enough for raw.
            (&usb2, (1280, 720, 10), Some((Yuyv, 1280, 10))),
            // Nothing is big enough: the nearest.
            (&usb2, (2560, 1440, 30), Some((Mjpeg, 1920, 30))),
            // Nothing is fast enough: the fastest.
            (&usb2[6..], (640, 480, 30), Some((Yuyv, 1280, 10))),
            (&ntsc, (640, 480, 30), Some((I420, 640, 30_000))),
            (&[], (640, 480, 30), None),
            (&usb2[7..], (640, 480, 30), None),
        ] {
            let (width, height, fps) = wanted;
            let chosen = choose(modes, Wanted { width, height, fps });
            let chosen = chosen.map(|mode| (mode.format, mode.width, mode.fps.0));
            assert_eq!(chosen, expected, "{wanted:?}");
        }
    }

    #[test]
    fn caps_name_the_mode() {
        gst::init().expect("GStreamer starts");
        let text = |mode| caps(&mode).expect("readable").to_string();
        let raw = text(mode(PixelFormat::Yuyv, 640, 480, 30));
        assert!(
            raw.starts_with("video/x-raw") && raw.contains("YUY2"),
            "{raw}"
        );
        let jpeg = text(mode(PixelFormat::Mjpeg, 1280, 720, 30));
        assert!(
            jpeg.starts_with("image/jpeg") && jpeg.contains("30/1"),
            "{jpeg}"
        );
        assert!(!jpeg.contains("format"), "{jpeg}");
        let own = text(mode(PixelFormat::H264, 640, 480, 30));
        assert!(
            own.starts_with("video/x-h264") && own.contains("30/1"),
            "{own}"
        );
    }
}
