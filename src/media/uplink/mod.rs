//! The stream we push: frames of a capture, encoded, to an RTMP relay.
//!
//! Every connection is a pipeline of its own (see `leg`), so that each starts with a key frame
//! and with frames of now. One task (see `task`) makes, watches and replaces them.

mod batch;
mod counters;
mod decide;
mod encoders;
mod flv;
mod frames;
mod kernel_queue;
mod leg;
mod mutes;
mod outbox;
mod pace;
mod push;
mod push_config;
mod push_stats;
mod queue;
mod reporter;
mod selector;
mod sock_diag;
mod stages;
mod stall;
mod steer;
mod switch;
mod tagger;
mod taps;
mod task;

pub use push::Uplink;
pub use push_config::UplinkConfig;
pub use push_stats::{PushDelay, SendDelay, UplinkStats};
