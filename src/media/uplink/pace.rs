//! Thins out the captured pictures to those that are encoded.

use std::sync::Mutex;
use std::time::Duration;

use crate::media::congestion::Quality;
use crate::media::lock::lock;

/// Lets through so many pictures a second, evenly spaced.
#[derive(Debug)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Frames per second of the camera.
    full: u32,
    /// Wanted; 0 is none.
    fps: u32,
    /// The time at which the next picture is due.
    due: Duration,
}

impl Pace {
    pub(super) fn new(quality: Quality, full: u32) -> Self {
        let pace = Self(Mutex::new(State {
            full,
            fps: full,
            due: Duration::ZERO,
        }));
        pace.set(quality);
        pace
    }

    pub(super) fn set(&self, quality: Quality) {
        let mut state = lock(&self.0);
        state.fps = if quality.video() { quality.fps } else { 0 };
        state.due = Duration::ZERO;
    }

    /// Whether the picture of this moment is wanted.
    pub(super) fn takes(&self, captured: Duration) -> bool {
        let mut state = lock(&self.0);
        if state.fps == 0 || state.fps >= state.full {
            return state.fps > 0;
        }
        // A camera is never exact: what comes half a picture early is on time.
        let early = Duration::from_secs(1) / (2 * state.full);
        if captured + early < state.due {
            return false;
        }
        let distance = Duration::from_secs(1) / state.fps;
        // After a gap the count starts anew.
        state.due = (state.due + distance).max(captured + distance / 2);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::congestion::Stage;

    /// Pictures taken of 10 s at 30 a second that come up to 5 ms early or late.
    fn taken(pace: &Pace) -> usize {
        let picture = |n: u64| Duration::from_micros(60_000_000 + n * 33_333 + (n * 7919) % 10_000);
        (0..300).filter(|&n| pace.takes(picture(n))).count()
    }

    #[test]
    fn thins_out_evenly() {
        let quality = |stage, fps| Quality {
            stage,
            fps,
            ..Quality::default()
        };
        let pace = Pace::new(quality(Stage::Full, 30), 30);
        assert_eq!(taken(&pace), 300);
        for (fps, expected) in [(15, 149..=151), (10, 99..=101), (20, 195..=205)] {
            pace.set(quality(Stage::FewerFrames, fps));
            let taken = taken(&pace);
            assert!(expected.contains(&taken), "{fps}: {taken}");
        }
        pace.set(quality(Stage::SoundOnly, 15));
        assert_eq!(taken(&pace), 0);
        pace.set(quality(Stage::Full, 30));
        assert_eq!(taken(&pace), 300);
    }
}
