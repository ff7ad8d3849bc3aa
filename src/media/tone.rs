//! Level and dominant tone of sound: evidence that somebody is heard, not an assumption.
//!
//! The demo and the tests send tones and ask here whether they arrived.

use serde::Serialize;

/// Level of digital silence in dBFS: JSON has no minus infinity.
pub const SILENCE_DB: f64 = -120.0;
/// Level in dBFS under which no tone is looked for.
const QUIET_DB: f64 = -60.0;
/// The part of the energy that one frequency must hold to be called a tone.
const TONE_SHARE: f64 = 0.5;
/// Frequencies that are looked for, in Hz.
const TONES: std::ops::RangeInclusive<f64> = 50.0..=8000.0;
/// Windows per second: a tenth of one is 10 Hz wide in frequency, and short enough for a level
/// meter.
const WINDOWS_PER_SECOND: u32 = 10;

/// Level and tone of a stretch of sound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AudioLevel {
    /// Root mean square in dB below full scale; a full-scale sine has -3, silence -120.
    pub rms_db: f64,
    /// Frequency of the tone that holds at least half of the energy, if there is one.
    pub tone_hz: Option<f64>,
}

impl Default for AudioLevel {
    fn default() -> Self {
        Self {
            rms_db: SILENCE_DB,
            tone_hz: None,
        }
    }
}

/// Cuts a stream of mono samples into tenths of a second and measures each.
#[derive(Debug)]
pub struct Meter {
    rate: u32,
    window: Vec<i16>,
}

impl Meter {
    /// A meter for sound of `rate` samples per second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            window: Vec::new(),
        }
    }

    /// Takes samples; gives the level of the last tenth of a second that they completed.
    pub fn push(&mut self, mut samples: &[i16]) -> Option<AudioLevel> {
        let size = (self.rate / WINDOWS_PER_SECOND).max(1) as usize;
        let mut level = None;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(size - self.window.len()));
            self.window.extend_from_slice(now);
            samples = later;
            if self.window.len() == size {
                level = Some(measure(&self.window, self.rate));
                self.window.clear();
            }
        }
        level
    }
}

/// Level and tone of mono `samples` at `rate` samples per second.
#[must_use]
pub fn measure(samples: &[i16], rate: u32) -> AudioLevel {
    if samples.is_empty() || rate == 0 {
        return AudioLevel::default();
    }
    let count = samples.len() as f64;
    let mean = samples.iter().map(|&s| f64::from(s)).sum::<f64>() / count;
    let wave: Vec<f64> = samples
        .iter()
        .map(|&s| (f64::from(s) - mean) / 32768.0)
        .collect();
    let power = wave.iter().map(|s| s * s).sum::<f64>() / count;
    let rms_db = (10.0 * power.log10()).max(SILENCE_DB);
    let tone_hz = (rms_db > QUIET_DB)
        .then(|| crossing_frequency(&wave, rate, power.sqrt()))
        .flatten()
        .filter(|hz| TONES.contains(hz))
        .filter(|&hz| share(&wave, rate, hz, power) >= TONE_SHARE);
    AudioLevel { rms_db, tone_hz }
}

/// Frequency of the rises through zero. A rise counts once the wave went from well below to well
/// above zero: noise around zero does not.
fn crossing_frequency(wave: &[f64], rate: u32, rms: f64) -> Option<f64> {
    let high = 0.75 * rms;
    let mut armed = false;
    let (mut first, mut last, mut periods) = (None, 0.0, -1i32);
    for (index, pair) in wave.windows(2).enumerate() {
        armed |= pair[0] < -high;
        if armed && pair[1] >= high {
            last = index as f64 + (high - pair[0]) / (pair[1] - pair[0]);
            first.get_or_insert(last);
            periods += 1;
            armed = false;
        }
    }
    let span = last - first?;
    (periods > 0 && span > 0.0).then(|| f64::from(periods) * f64::from(rate) / span)
}

/// Goertzel's algorithm: the part of `power` that lies at `hz`.
fn share(wave: &[f64], rate: u32, hz: f64, power: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * hz / f64::from(rate)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in wave {
        let zero = sample + turn * one - two;
        two = one;
        one = zero;
    }
    let magnitude = one * one + two * two - turn * one * two;
    let count = wave.len() as f64;
    2.0 * magnitude / (count * count * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn sine(hz: f64, amplitude: f64, count: usize) -> Vec<f64> {
        (0..count)
            .map(|n| {
                amplitude * (std::f64::consts::TAU * hz * n as f64 / f64::from(RATE) + 0.3).sin()
            })
            .collect()
    }

    fn noise(amplitude: f64, count: usize) -> Vec<f64> {
        let mut state = 0x9e37_79b9_u32;
        (0..count)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                amplitude * (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0)
            })
            .collect()
    }

    fn mix(parts: &[Vec<f64>]) -> Vec<i16> {
        (0..parts[0].len())
            .map(|n| (parts.iter().map(|part| part[n]).sum::<f64>() * 32767.0) as i16)
            .collect()
    }

    #[test]
    fn finds_the_tone() {
        let clean = |hz, amplitude| mix(&[sine(hz, amplitude, 4800)]);
        let cases = [
            ("440", clean(440.0, 0.5), Some(440.0)),
            ("1000 quiet", clean(1000.0, 0.01), Some(1000.0)),
            ("60", clean(60.0, 0.5), Some(60.0)),
            (
                "in noise",
                mix(&[sine(440.0, 0.5, 4800), noise(0.2, 4800)]),
                Some(440.0),
            ),
            ("noise", mix(&[noise(0.5, 4800)]), None),
            ("under hearing", clean(20.0, 0.5), None),
            ("too quiet", clean(440.0, 0.0005), None),
            ("silence", vec![0; 4800], None),
        ];
        for (name, wave, expected) in cases {
            let found = measure(&wave, RATE).tone_hz;
            match (found, expected) {
                (None, None) => {}
                (Some(hz), Some(want)) if (hz - want).abs() < want * 0.02 => {}
                _ => panic!("{name}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn measures_the_level() {
        let full = measure(&mix(&[sine(440.0, 1.0, 4800)]), RATE).rms_db;
        assert!((full + 3.01).abs() < 0.1, "{full}");
        assert_eq!(measure(&[0; 4800], RATE), AudioLevel::default());
        assert_eq!(measure(&[], RATE), AudioLevel::default());
        // A constant offset is no sound.
        assert_eq!(measure(&[9000; 4800], RATE), AudioLevel::default());
        assert!(measure(&[i16::MIN; 1], 1).rms_db.is_finite());
    }

    #[test]
    fn the_meter_cuts_windows_from_any_chunks() {
        let wave = mix(&[sine(440.0, 0.5, RATE as usize)]);
        for chunk in [1, 441, 1024, 4800, 5000, 48_000] {
            let mut meter = Meter::new(RATE);
            let levels: Vec<_> = wave.chunks(chunk).filter_map(|c| meter.push(c)).collect();
            assert!(!levels.is_empty(), "{chunk}");
            for level in levels {
                let hz = level.tone_hz.unwrap_or_default();
                assert!((hz - 440.0).abs() < 2.0, "{chunk}: {level:?}");
            }
        }
    }
}
