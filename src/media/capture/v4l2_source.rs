//! The source of a V4L2 camera, in the mode that fits.

use super::camera_encoder::CameraEncoder;
use super::camera_h264::{self, H264Offer};
use super::camera_source::{CameraFormat, CameraSource};
use super::capture_config::CaptureConfig;
use super::mode::{self, Wanted};
use super::plug::Plug;
use crate::config::kiosk::Camera;
use crate::media::devices::{self, CameraDevice, CameraMode, OwnH264, PixelFormat};
use crate::media::error::MediaError;
use crate::media::pipeline::make;

/// The elements of a camera in the mode that gives the wanted size at least cost; in one that
/// gives its own H.264 with `h264`, where nothing speaks against it.
pub(super) fn v4l2_source(
    config: &CaptureConfig,
    camera: &Camera,
    size: Wanted,
    plug: &Plug,
    h264: bool,
) -> Result<CameraSource, MediaError> {
    let found = plug.find(&camera.source, &devices::nodes(), devices::identify)?;
    let modes = devices::modes(&found.path);
    let path = found.path.display().to_string();
    let source = make("v4l2src", "camera")
        .property("device", &path)
        .build()?;
    let mut encoded = None;
    let offer = match (h264, camera_h264::allowed(config, camera)) {
        (false, _) => H264Offer::None,
        (true, Err(reason)) => H264Offer::Refused(reason),
        (true, Ok(())) => {
            H264Offer::of(config, &format!("{} at {}", found.name, found.bus), || {
                let h264 = own_h264(config, &modes, &found)?;
                encoded = Some(h264.mode.clone());
                Ok(CameraEncoder::of_device(&source, &path, &h264))
            })
        }
    };
    // Set by a camera that was refused in the end, too.
    let encoded = encoded.filter(|_| matches!(offer, H264Offer::Of(_)));
    let chosen = encoded.as_ref().or_else(|| mode::choose(&modes, size));
    log::info!(camera = path, mode:? = chosen; "camera chosen");
    let mut elements = vec![source];
    // A camera that lists nothing gets the choice itself.
    if let Some(caps) = chosen.and_then(mode::caps) {
        elements.push(make("capsfilter", "mode").property("caps", caps).build()?);
    }
    Ok(CameraSource {
        elements,
        format: match chosen.map(|mode| mode.format) {
            Some(PixelFormat::Mjpeg) => CameraFormat::Jpeg,
            Some(PixelFormat::H264) => CameraFormat::H264,
            _ => CameraFormat::Raw,
        },
        h264: offer,
    })
}

/// Decides on the camera's own H.264. Its controls are asked for only if it has any, because
/// some cameras take their time to tell them.
fn own_h264(
    config: &CaptureConfig,
    modes: &[CameraMode],
    camera: &CameraDevice,
) -> Result<OwnH264, String> {
    let has_any = modes.iter().any(|mode| mode.format == PixelFormat::H264);
    let controls = match has_any {
        true => devices::controls(&camera.path),
        false => Vec::new(),
    };
    let size = (config.width, config.height);
    devices::decide_own_h264(modes, &controls, size, config.fps)
}
