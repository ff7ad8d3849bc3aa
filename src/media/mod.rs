//! Cameras, microphones, encoders and streams: what the kiosk pushes and what it plays.
//!
//! Devices live in `capture`, the stream we push in `uplink`; both meet only through frames, so
//! that trouble on the network never touches a device. Pictures leave this room as
//! [`Picture`](crate::picture::Picture).
//!
//! The folders form floors; a file imports from its own floor or from those below:
//!
//! 1. the files of this folder, from `error` and `format` to `pipeline` and `loss`, and
//!    `relay_link`;
//! 2. `codecs`, `devices`; of these `devices` uses `codecs`;
//! 3. `echo`, `capture`, `speaker`; of these `capture` and `speaker` use `echo`;
//! 4. `congestion`, `uplink`, `downlink`; `uplink` uses `congestion` and the feeds of `capture`,
//!    `downlink` the inputs of `speaker`.

pub mod capture;
pub mod codecs;
pub mod congestion;
mod cpu;
pub mod devices;
pub mod downlink;
pub mod echo;
mod elements;
mod error;
mod format;
mod group_status;
mod lock;
mod loss;
mod pipeline;
mod play_event;
mod progress;
mod push_event;
mod reach;
pub mod relay_link;
mod relay_url;
mod smooth;
pub mod speaker;
pub mod time_code;
pub mod tone;
pub mod uplink;

pub use capture::{AwayText, Cameras, Capture, CaptureConfig, SnapshotError};
pub use downlink::{Downlink, DownlinkConfig, DownlinkStats, PlayEvent};
pub use echo::{Echo, EchoStatus};
pub use elements::init;
pub use error::MediaError;
pub use group_status::GroupStatus;
pub use loss::LossCause;
pub use push_event::PushEvent;
pub use speaker::Speaker;
pub use uplink::{Uplink, UplinkConfig, UplinkStats};
