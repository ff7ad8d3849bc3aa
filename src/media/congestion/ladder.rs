//! The quality of the picture by bitrate: frame rate, then size, then the picture itself are
//! given up as the bitrate falls, and come back in the reverse order.

use serde::Serialize;

/// Factor by which coming back to a stage takes more than what it was left at.
const HYSTERESIS: f64 = 1.15;
/// Minimum of frames per second: fewer are no conversation.
const FEWEST_FPS: u32 = 10;

/// A rung of the ladder, by what has been given up so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bitrate only.
    #[default]
    Full,
    /// Half of the frames.
    FewerFrames,
    /// Half of width and height besides.
    Smaller,
    /// The picture; sound goes on.
    SoundOnly,
}

/// The range that the configuration and its preset allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Minimum rate of the picture; below this it is not sent at all.
    pub min_kbps: u32,
    pub max_kbps: u32,
    /// Rate with which the stream begins.
    pub start_kbps: u32,
    /// Rate that the sound takes.
    pub sound_kbps: u32,
    pub fps: u32,
    /// Width and height in pixels, even.
    pub size: (u32, u32),
}

/// Rate, frame rate and size of the picture that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Quality {
    pub stage: Stage,
    pub kbps: u32,
    pub fps: u32,
    pub width: u32,
    pub height: u32,
}

impl Quality {
    /// Whether a picture is sent.
    #[must_use]
    pub fn video(&self) -> bool {
        self.stage != Stage::SoundOnly
    }
}

impl Stage {
    /// The stage above, if there is one.
    pub(super) fn above(self) -> Option<Self> {
        match self {
            Self::Full => None,
            Self::FewerFrames => Some(Self::Full),
            Self::Smaller => Some(Self::FewerFrames),
            Self::SoundOnly => Some(Self::Smaller),
        }
    }
}

impl Limits {
    /// The same limits, with the minimum not above the maximum and the start between them.
    pub(super) fn in_order(self) -> Self {
        let max_kbps = self.max_kbps.max(1);
        let min_kbps = self.min_kbps.clamp(1, max_kbps);
        Self {
            min_kbps,
            max_kbps,
            start_kbps: self.start_kbps.clamp(min_kbps, max_kbps),
            ..self
        }
    }

    /// The minimum bitrate at which a picture of this stage is worth its size: the range from
    /// maximum to minimum in three equal ratios (800, 400, 200, 100 kbit/s).
    pub(super) fn floor(&self, stage: Stage) -> f64 {
        let (min, max) = (f64::from(self.min_kbps), f64::from(self.max_kbps));
        match stage {
            Stage::Full => max * (min / max).powf(1.0 / 3.0),
            Stage::FewerFrames => max * (min / max).powf(2.0 / 3.0),
            Stage::Smaller => min,
            Stage::SoundOnly => 0.0,
        }
    }

    /// The stage for a picture of `kbps`, seen from `now`: never [`Stage::SoundOnly`].
    pub(super) fn stage(&self, now: Stage, kbps: f64) -> Stage {
        let fits = |stage| kbps >= self.floor(stage);
        let enough = [Stage::Full, Stage::FewerFrames]
            .into_iter()
            .find(|s| fits(*s));
        let mut stage = enough
            .unwrap_or(Stage::Smaller)
            .max(now.min(Stage::Smaller));
        while let Some(above) = stage.above() {
            let back_at = (self.floor(above) * HYSTERESIS).min(f64::from(self.max_kbps));
            if kbps < back_at {
                break;
            }
            stage = above;
        }
        stage
    }

    /// The picture of a stage.
    pub(super) fn quality(&self, stage: Stage, kbps: f64) -> Quality {
        let full = stage == Stage::Full;
        let small = stage >= Stage::Smaller;
        let side = |pixels: u32| {
            if small {
                (pixels / 4 * 2).max(2)
            } else {
                pixels
            }
        };
        Quality {
            stage,
            kbps: kbps.round() as u32,
            fps: if full {
                self.fps
            } else {
                (self.fps / 2).max(self.fps.min(FEWEST_FPS))
            },
            width: side(self.size.0),
            height: side(self.size.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SD: Limits = Limits {
        min_kbps: 100,
        max_kbps: 800,
        start_kbps: 800,
        sound_kbps: 48,
        fps: 30,
        size: (640, 480),
    };

    #[test]
    fn frames_go_before_pixels_and_come_back_later_than_they_went() {
        use Stage::{FewerFrames, Full, Smaller, SoundOnly};
        for (now, kbps, expected) in [
            (Full, 800.0, Full),
            (Full, 401.0, Full),
            (Full, 399.0, FewerFrames),
            (Full, 199.0, Smaller),
            (FewerFrames, 401.0, FewerFrames),
            (FewerFrames, 461.0, Full),
            (Smaller, 210.0, Smaller),
            (Smaller, 231.0, FewerFrames),
            (Smaller, 800.0, Full),
            (SoundOnly, 100.0, Smaller),
            (SoundOnly, 800.0, Full),
        ] {
            assert_eq!(SD.stage(now, kbps), expected, "{now:?} at {kbps}");
        }
    }

    #[test]
    fn a_stage_says_what_is_sent() {
        let picture = |stage| {
            let quality = SD.quality(stage, 300.4);
            (quality.fps, quality.width, quality.height, quality.video())
        };
        assert_eq!(picture(Stage::Full), (30, 640, 480, true));
        assert_eq!(picture(Stage::FewerFrames), (15, 640, 480, true));
        assert_eq!(picture(Stage::Smaller), (15, 320, 240, true));
        assert!(!picture(Stage::SoundOnly).3);
        assert_eq!(SD.quality(Stage::Full, 300.4).kbps, 300);
        let slow = Limits { fps: 8, ..SD };
        assert_eq!(slow.quality(Stage::FewerFrames, 300.0).fps, 8);
        let odd = Limits {
            size: (638, 2),
            ..SD
        };
        let small = odd.quality(Stage::Smaller, 300.0);
        assert_eq!((small.width, small.height), (318, 2));
    }

    #[test]
    fn a_fixed_bitrate_has_every_stage_at_once() {
        let fixed = Limits {
            min_kbps: 800,
            ..SD
        }
        .in_order();
        assert_eq!(fixed.stage(Stage::Full, 800.0), Stage::Full);
        assert_eq!(fixed.stage(Stage::SoundOnly, 800.0), Stage::Full);
        let wrong = Limits {
            min_kbps: 900,
            start_kbps: 7,
            ..SD
        }
        .in_order();
        assert_eq!((wrong.min_kbps, wrong.start_kbps), (800, 800));
    }
}
