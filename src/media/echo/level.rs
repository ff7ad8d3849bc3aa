//! Levels in decibels, and how much of the loudspeaker comes back. Pure.

use std::collections::VecDeque;

use crate::media::tone::SILENCE_DB;

/// Level in dB below full scale from which on the far end is said to speak. Codecs and mixers leave
/// less than -70 in pauses, speech is -40 and more.
pub(super) const SPEECH_DB: f64 = -50.0;
/// Blocks of 10 ms in one look at the echo.
const LOOK: u32 = 100;
/// Looks that are kept.
const LOOKS: usize = 8;

/// Mean square of samples, full scale is 1.
#[must_use]
pub fn power(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    sum / samples.len() as f64 / 32768f64.powi(2)
}

/// A power in dB below full scale; silence is -120.
#[must_use]
pub fn db(power: f64) -> f64 {
    (10.0 * power.log10()).max(SILENCE_DB)
}

/// Echo return loss enhancement: by how many dB `after` is quieter than `before`.
#[must_use]
pub fn erle_db(before: &[i16], after: &[i16]) -> f64 {
    db(power(before)) - db(power(after))
}

/// Levels at which the loudspeaker comes back, in dB relative to what it plays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Return {
    /// Level at the microphone.
    pub(super) heard_db: f64,
    /// Level in what is sent.
    pub(super) sent_db: f64,
}

/// Measures the [`Return`] while the far end speaks. Somebody who speaks here as well makes it
/// louder, never quieter: of the last looks, one of the quieter counts.
#[derive(Debug, Default)]
pub(super) struct ReturnMeter {
    blocks: u32,
    speaking: u32,
    far: f64,
    heard: f64,
    sent: f64,
    looks: VecDeque<Return>,
}

impl ReturnMeter {
    /// Takes the powers of one block; gives a new result about once a second.
    pub(super) fn add(&mut self, far: f64, heard: f64, sent: f64) -> Option<Return> {
        self.blocks += 1;
        self.speaking += u32::from(db(far) > SPEECH_DB);
        self.far += far;
        self.heard += heard;
        self.sent += sent;
        if self.blocks < LOOK {
            return None;
        }
        let looks = std::mem::take(&mut self.looks);
        let look = std::mem::replace(
            self,
            Self {
                looks,
                ..Self::default()
            },
        );
        // In a second that is mostly silent there is more noise than echo.
        if look.speaking < LOOK / 2 {
            return None;
        }
        self.looks.truncate(LOOKS - 1);
        self.looks.push_front(Return {
            heard_db: db(look.heard / look.far),
            sent_db: db(look.sent / look.far),
        });
        Some(Return {
            heard_db: self.quieter(|look| look.heard_db),
            sent_db: self.quieter(|look| look.sent_db),
        })
    }

    /// The last of the quietest quarter of the looks.
    fn quieter(&self, level: impl Fn(&Return) -> f64) -> f64 {
        let mut levels: Vec<f64> = self.looks.iter().map(level).collect();
        levels.sort_by(f64::total_cmp);
        let quarter = levels.len().saturating_sub(1) / 4;
        levels.get(quarter).copied().unwrap_or(SILENCE_DB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_textbook() {
        let cases: [(&[i16], f64); 5] = [
            (&[], SILENCE_DB),
            (&[0; 480], SILENCE_DB),
            (&[i16::MIN; 480], 0.0),
            (&[16384, -16384], -6.02),
            (&[328; 7], -39.99),
        ];
        for (samples, expected) in cases {
            let found = db(power(samples));
            assert!((found - expected).abs() < 0.01, "{found} != {expected}");
        }
    }

    #[test]
    fn the_enhancement_is_what_was_taken_away() {
        let cases: [(&[i16], &[i16], f64); 4] = [
            (&[10_000; 10], &[1000; 10], 20.0),
            (&[10_000; 10], &[10_000; 20], 0.0),
            (&[1000; 10], &[10_000; 10], -20.0),
            // Silence counts as -120 dB: full scale away from it is the most there is.
            (&[i16::MIN; 10], &[0; 10], 120.0),
        ];
        for (before, after, expected) in cases {
            let found = erle_db(before, after);
            assert!((found - expected).abs() < 0.01, "{found} != {expected}");
        }
    }

    /// A second of blocks of these levels.
    fn second(meter: &mut ReturnMeter, far: f64, heard: f64, sent: f64) -> Option<Return> {
        let power = |db: f64| 10f64.powf(db / 10.0);
        (0..LOOK)
            .filter_map(|_| meter.add(power(far), power(heard), power(sent)))
            .next_back()
    }

    #[test]
    fn the_return_is_measured_while_the_far_end_speaks() {
        let mut meter = ReturnMeter::default();
        assert_eq!(second(&mut meter, -80.0, -60.0, -60.0), None, "silence");
        let close = |found: Option<Return>, heard: f64, sent: f64| {
            let found = found.expect("the far end speaks");
            assert!((found.heard_db - heard).abs() < 0.1, "{found:?}");
            assert!((found.sent_db - sent).abs() < 0.1, "{found:?}");
        };
        close(second(&mut meter, -20.0, -30.0, -60.0), -10.0, -40.0);
        // Somebody speaks here: the older look counts.
        close(second(&mut meter, -20.0, -15.0, -15.0), -10.0, -40.0);
        close(second(&mut meter, -20.0, -15.0, -15.0), -10.0, -40.0);
        // The loudspeaker is turned up: after some seconds that is what counts.
        for _ in 0..LOOKS {
            second(&mut meter, -20.0, -26.0, -50.0);
        }
        close(second(&mut meter, -20.0, -26.0, -50.0), -6.0, -30.0);
        assert!(meter.looks.len() <= LOOKS);
    }
}
