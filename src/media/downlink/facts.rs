//! The facts of one connection, as its owner reads them.

use crate::media::codecs::Decoder;

/// Arrivals so far over one connection. Counters only grow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) connected: bool,
    /// Coded video frames, key frames among them, and coded audio frames.
    pub(super) video: u64,
    pub(super) keys: u64,
    pub(super) audio: u64,
    /// Messages of tracks that are not played.
    pub(super) passed: u64,
    /// Decoded pictures, and samples of sound.
    pub(super) frames: u64,
    pub(super) samples: u64,
    pub(super) decoder: Option<Decoder>,
    pub(super) size: Option<(u32, u32)>,
}

impl Facts {
    /// Messages of any track.
    pub(super) fn media(&self) -> u64 {
        self.video + self.audio + self.passed
    }
}
