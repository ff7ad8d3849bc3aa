//! The player of one member's stream: RTMP in, newest picture and sound out.
//!
//! One task owns the connection. It reconnects with back-off, watches progress instead of
//! believing that a pipeline in PLAYING plays, and reports by Tencent's numbers.

mod arrivals;
mod branch;
mod catch_up;
mod facts;
mod fault;
mod figures;
mod jitter;
mod outlets;
mod passage;
mod picture_chain;
mod play_config;
mod play_stats;
mod playback;
mod player;
mod playout;
mod progress;
mod rates;
mod sound_chain;
mod source;
mod stream;

pub use super::play_event::PlayEvent;
pub use super::tone::AudioLevel;
pub use play_config::DownlinkConfig;
pub use play_stats::{DownlinkStats, PictureDelay, PlayDelay, SoundDelay};
pub use playback::Downlink;
