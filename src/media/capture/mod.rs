//! Camera and microphone for the length of a call.
//!
//! Two pipelines, one for the picture and one for the sound, on one clock: a camera that is
//! pulled out does not stop the sound. Each ends in a [`Feed`]; the uplink taps the feeds,
//! so that nothing that happens on the network reaches a device. While a device is away, a
//! picture that says so or silence flows in its place and the device is tried again. Another
//! camera is a pipeline of its own that takes over the feed with its first frame.

mod away_picture;
mod camera_encoder;
mod camera_fault;
mod camera_h264;
mod camera_handle;
mod camera_pipeline;
mod camera_source;
mod capture_config;
mod capture_pipeline;
mod device_choice;
mod device_group;
mod feed;
mod h264_trial;
mod luma;
mod microphone_pipeline;
mod mode;
mod open_camera;
mod open_devices;
mod picture_chain;
mod placeholder;
mod plug;
mod snapshot;
mod still;
mod supervisor;
mod test_pattern;
#[cfg(test)]
mod tests;
mod v4l2_source;

pub(super) use camera_encoder::CameraEncoder;
pub use camera_handle::Cameras;
pub use capture_config::{AwayText, CaptureConfig};
pub(super) use feed::{Attachment, Encoded, Feed, Frame};
pub use open_devices::Capture;
pub use snapshot::SnapshotError;
