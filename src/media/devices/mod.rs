//! The equipment of this machine: cameras with their modes, microphones, loudspeakers, displays,
//! encoders, GPIO lines; and news of those that come and go.

mod camera_list;
mod camera_mode;
mod displays;
mod gpio;
mod hotplug;
mod list;
mod mixer;
mod own_h264;
mod sound;

pub use camera_list::{CameraDevice, cameras};
pub(super) use camera_list::{controls, identify, modes, nodes};
pub use camera_mode::{CameraControl, CameraMode, PixelFormat};
pub use displays::Display;
pub use gpio::{GpioChip, GpioLine};
pub(super) use hotplug::{DeviceKind, Hotplug};
pub use list::{DeviceList, list};
pub use mixer::MixerControl;
pub(super) use mixer::set_level;
pub use own_h264::OwnH264Report;
pub(super) use own_h264::{BITRATE, FORCE_KEY, OwnH264, decide as decide_own_h264};
pub use sound::{SoundDevice, microphones, speakers};
