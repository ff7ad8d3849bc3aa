//! Makes the picture that leaves from frames of any kind: its size, its rate, the right way up.

use gstreamer as gst;

use super::capture_config::CaptureConfig;
use crate::config::kiosk::Rotation;
use crate::media::error::MediaError;
use crate::media::format::{picture_caps, unturned_caps};
use crate::media::pipeline::make;

/// The elements from raw frames of any kind to the picture that leaves.
pub(super) fn to_picture(
    config: &CaptureConfig,
    rotation: Rotation,
) -> Result<Vec<gst::Element>, MediaError> {
    let mut chain = vec![
        make("videoscale", "scale").build()?,
        make("videoconvert", "convert").build()?,
    ];
    if rotation != Rotation::None {
        let lying = unturned_caps(turned(config, rotation), (config.width, config.height));
        chain.push(
            make("capsfilter", "lying")
                .property("caps", lying)
                .build()?,
        );
        chain.extend(upright(rotation)?);
    }
    chain.push(fewer_frames(config.fps)?);
    chain.push(
        make("capsfilter", "picture")
            .property("caps", picture_caps((config.width, config.height)))
            .build()?,
    );
    Ok(chain)
}

/// Width and height that the picture has before it is turned by `rotation`.
pub(super) fn turned(config: &CaptureConfig, rotation: Rotation) -> (u32, u32) {
    if rotation.lies_down() {
        (config.height, config.width)
    } else {
        (config.width, config.height)
    }
}

/// Turns the picture clockwise; nothing where it is upright.
pub(super) fn upright(rotation: Rotation) -> Result<Option<gst::Element>, MediaError> {
    let direction = match rotation {
        Rotation::None => return Ok(None),
        Rotation::Right => "90r",
        Rotation::Half => "180",
        Rotation::Left => "90l",
    };
    let turn = make("videoflip", "turn").property_from_str("video-direction", direction);
    Ok(Some(turn.build()?))
}

/// Takes the conversion off the camera's thread; when it falls behind, old frames are lost.
pub(super) fn latest_only() -> Result<gst::Element, MediaError> {
    Ok(make("queue", "latest")
        .property("max-size-buffers", 2u32)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .property_from_str("leaky", "downstream")
        .build()?)
}

/// Drops frames only: filling gaps would hold every frame back until the next one has come.
fn fewer_frames(fps: u32) -> Result<gst::Element, MediaError> {
    Ok(make("videorate", "rate-limit")
        .property("drop-only", true)
        .property("skip-to-first", true)
        .property("max-rate", i32::try_from(fps).unwrap_or(i32::MAX))
        .build()?)
}
