//! Measures one side of a demo call where a person would see and hear: delay from the time code
//! in each shown picture, and whether the other side's tone is what is heard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gstreamer_video::prelude::*;
use gstreamer_video::{VideoFrameRef, VideoInfo};

use super::latency::Latency;
use crate::media::time_code;
use crate::media::tone::AudioLevel;

/// Greatest error of a heard tone, hertz: the meter's windows are short.
const TONE_TOLERANCE_HZ: f64 = 15.0;
/// Least level that counts as heard, dBFS: well below the tones of both sides.
const HEARD_DB: f64 = -45.0;
/// Most delays kept: an hour at 30 pictures per second.
const MAX_SAMPLES: usize = 108_000;

/// Takes note of what one side sees and hears; clones share the notes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    delays_ms: Vec<f64>,
    first_shown: Option<Instant>,
    heard: bool,
}

impl Meter {
    /// Takes note of a picture of the other side; to be called at the moment it is shown.
    pub(super) fn shown(&self, sample: &gstreamer::Sample) {
        let now = time_code::now_micros();
        let stamped = read_time_code(sample);
        let mut seen = self.seen();
        seen.first_shown.get_or_insert_with(Instant::now);
        if let Some(delay) = stamped.and_then(|stamped| now.checked_sub(stamped))
            && seen.delays_ms.len() < MAX_SAMPLES
        {
            seen.delays_ms.push(delay as f64 / 1000.0);
        }
    }

    /// Takes note of what is heard; to be called now and then.
    pub(super) fn heard(&self, level: &AudioLevel, wanted_hz: f64) {
        let near = |hz: f64| (hz - wanted_hz).abs() <= TONE_TOLERANCE_HZ;
        if level.rms_db >= HEARD_DB && level.tone_hz.is_some_and(near) {
            self.seen().heard = true;
        }
    }

    pub(super) fn latency(&self) -> Latency {
        Latency::of(self.seen().delays_ms.clone())
    }

    pub(crate) fn first_shown(&self) -> Option<Instant> {
        self.seen().first_shown
    }

    pub(super) fn has_heard(&self) -> bool {
        self.seen().heard
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time at which a picture left its source, if it carries an intact time code.
pub(crate) fn read_time_code(sample: &gstreamer::Sample) -> Option<u64> {
    let info = VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
    let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
    let (width, height) = (
        usize::try_from(info.width()).ok()?,
        usize::try_from(info.height()).ok()?,
    );
    time_code::read(frame.plane_data(0).ok()?, stride, width, height)
}
