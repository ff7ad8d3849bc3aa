//! Looks at all devices of this machine.

use serde::Serialize;

use super::camera_list::{CameraDevice, cameras, controls};
use super::displays::{self, Display};
use super::gpio::{self, GpioChip};
use super::own_h264;
use super::sound::{SoundDevice, microphones, speakers};
use crate::media::codecs::{self, CodecTrial, Kind, Shape};
use crate::media::elements;

/// All devices; a list is empty when the machine has none of the kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DeviceList {
    pub cameras: Vec<CameraDevice>,
    pub microphones: Vec<SoundDevice>,
    pub speakers: Vec<SoundDevice>,
    pub displays: Vec<Display>,
    /// H.264 encoders that work, best first; empty if GStreamer cannot start.
    pub encoders: Vec<&'static str>,
    /// Every encoder and decoder that is known, best first, and how it went when it was tried.
    pub codecs: Vec<CodecTrial>,
    pub gpio_chips: Vec<GpioChip>,
}

/// Looks at all devices. Blocks: call it off the async workers. A device that cannot be asked
/// (busy, no permission) is left out, or listed without what it did not tell.
#[must_use]
pub fn list() -> DeviceList {
    let codecs = elements::init()
        .ok()
        .map(|()| codecs::now(Shape::default()));
    DeviceList {
        cameras: whole_cameras(),
        microphones: microphones(),
        speakers: speakers(),
        displays: displays::displays(),
        encoders: codecs
            .iter()
            .flat_map(|found| found.working(Kind::H264Encoder))
            .collect(),
        codecs: codecs.map_or_else(Vec::new, |found| found.trials),
        gpio_chips: gpio::chips(),
    }
}

/// Cameras with all that they tell.
fn whole_cameras() -> Vec<CameraDevice> {
    let mut cameras = cameras();
    let shape = Shape::default();
    for camera in &mut cameras {
        camera.controls = controls(&camera.path);
        let (modes, controls) = (&camera.modes, &camera.controls);
        let size = (shape.width, shape.height);
        camera.own_h264 = Some(own_h264::report(modes, controls, size, shape.fps));
    }
    cameras
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_without_an_error_whatever_the_machine_has() {
        let list = serde_json::to_value(list()).expect("plain data");
        for kind in [
            "cameras",
            "microphones",
            "speakers",
            "displays",
            "gpio_chips",
        ] {
            assert!(list[kind].is_array(), "{kind}");
        }
        assert!(
            list["encoders"]
                .as_array()
                .is_some_and(|list| list.contains(&"x264enc".into()))
        );
    }
}
