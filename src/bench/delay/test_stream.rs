//! The format of the streams that are measured.

/// Size of the picture in pixels, and pictures per second: those of docs/performance.md.
pub(super) const WIDTH: u32 = 640;
pub(super) const HEIGHT: u32 = 480;
pub(super) const FPS: u32 = 30;
/// Microseconds in a second; each second of the monotonic clock begins with a burst of tone.
pub(super) const SECOND: u64 = 1_000_000;
