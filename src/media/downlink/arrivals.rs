//! Arrivals of one connection: written by GStreamer's threads, read by the owner.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::facts::Facts;
use super::passage::Passage;
use crate::media::codecs::Decoder;
use crate::media::lock::lock;
use crate::media::tone::AudioLevel;
use crate::protocol::flv::Track;

/// Age from which on a level says nothing about what is heard now.
const LEVEL_LIFETIME: Duration = Duration::from_millis(500);

/// Counters only grow; a new connection begins with a new set.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Bytes of media and script data from the network.
    pub(super) bytes: AtomicU64,
    /// Coded video frames received.
    pub(super) video: AtomicU64,
    /// Coded key frames received.
    pub(super) keys: AtomicU64,
    /// Coded audio frames received.
    pub(super) audio: AtomicU64,
    /// Messages of tracks that are not played.
    pub(super) passed: AtomicU64,
    /// Coded bytes of pictures and of sound.
    pub(super) picture_bytes: AtomicU64,
    pub(super) sound_bytes: AtomicU64,
    /// Coded pictures that the decoder was not given.
    pub(super) undecoded: AtomicU64,
    /// Decoded pictures given to [`Picture`](crate::picture::Picture).
    pub(super) frames: AtomicU64,
    /// Samples of sound decoded.
    pub(super) samples: AtomicU64,
    /// Media time of the newest coded video frame received, in ms.
    pub(super) newest_ms: AtomicU64,
    /// Media time received but not decoded yet, in ms.
    pub(super) backlog_ms: AtomicU64,
    pub(super) passage: Passage,
    pub(super) decoder: OnceLock<Decoder>,
    pub(super) first_frame: OnceLock<Instant>,
    /// Reasons for which the picture and the sound that come are not played.
    unplayable: Mutex<[String; 2]>,
    size: Mutex<Option<(u32, u32)>>,
    level: Mutex<Option<(Instant, AudioLevel)>>,
}

impl Arrivals {
    pub(super) fn shown(&self, size: (u32, u32)) {
        *lock(&self.size) = Some(size);
        self.first_frame.get_or_init(Instant::now);
        self.frames.fetch_add(1, Relaxed);
    }

    pub(super) fn heard(&self, level: AudioLevel) {
        *lock(&self.level) = Some((Instant::now(), level));
    }

    /// Level and tone heard just now.
    pub(super) fn level(&self, now: Instant) -> AudioLevel {
        lock(&self.level)
            .filter(|(at, _)| now.saturating_duration_since(*at) < LEVEL_LIFETIME)
            .map(|(_, level)| level)
            .unwrap_or_default()
    }

    pub(super) fn refuse(&self, track: Track, reason: &str) {
        lock(&self.unplayable)[usize::from(track == Track::Sound)] = reason.to_owned();
    }

    /// Notes that a track is played which was refused before.
    pub(super) fn plays(&self, track: Track) {
        lock(&self.unplayable)[usize::from(track == Track::Sound)].clear();
    }

    /// Reasons for which the picture and the sound are not played; empty if they are.
    pub(super) fn refusals(&self) -> [String; 2] {
        lock(&self.unplayable).clone()
    }

    pub(super) fn facts(&self, connected: bool) -> Facts {
        Facts {
            connected,
            video: self.video.load(Relaxed),
            keys: self.keys.load(Relaxed),
            audio: self.audio.load(Relaxed),
            passed: self.passed.load(Relaxed),
            frames: self.frames.load(Relaxed),
            samples: self.samples.load(Relaxed),
            decoder: self.decoder.get().copied(),
            size: *lock(&self.size),
        }
    }
}
