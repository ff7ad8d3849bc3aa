//! Sound that is to a canceller what speech is: a voice with a gliding pitch, formants that
//! change with each syllable, hissing consonants, and pauses. Synthesised, so that nothing has
//! to be licensed, and the same in every run.

use std::f64::consts::TAU;

pub(crate) const RATE: usize = 48_000;

/// Random numbers that are the same in every run (xorshift).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to 1.
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.roll()
    }

    /// From -1 to 1.
    pub(crate) fn noise(&mut self) -> f64 {
        self.between(-1.0, 1.0)
    }
}

/// One formant.
#[derive(Debug, Default)]
struct Resonator {
    one: f64,
    two: f64,
}

impl Resonator {
    fn ring(&mut self, input: f64, hz: f64, width: f64) -> f64 {
        let radius = (-std::f64::consts::PI * width / RATE as f64).exp();
        let turn = 2.0 * radius * (TAU * hz / RATE as f64).cos();
        let output = (1.0 - radius) * input + turn * self.one - radius * radius * self.two;
        self.two = self.one;
        self.one = output;
        output
    }
}

/// Formants of five vowels, hertz (Peterson and Barney, 1952).
const VOWELS: [[f64; 3]; 5] = [
    [730.0, 1090.0, 2440.0],
    [270.0, 2290.0, 3010.0],
    [300.0, 870.0, 2240.0],
    [530.0, 1840.0, 2480.0],
    [570.0, 840.0, 2410.0],
];

/// `seconds` of a voice, -26 dB below full scale in the mean where it speaks: the usual level of
/// speech in digital systems (ITU-T P.56, G.192). Another `seed` is another speaker.
pub(crate) fn speech(seed: u64, seconds: f64) -> Vec<i16> {
    let mut dice = Dice::new(seed);
    let base = dice.between(95.0, 210.0);
    let (mut wave, mut phase) = (Vec::new(), 0.0);
    let mut formants: [Resonator; 3] = Default::default();
    let (mut lowered, mut last_noise) = (0.0, 0.0);
    let mut until_pause = 5;
    while wave.len() < (seconds * RATE as f64) as usize {
        if dice.roll() < 0.4 {
            // A hiss: noise whose low frequencies are taken away.
            let count = (dice.between(0.05, 0.11) * RATE as f64) as usize;
            for n in 0..count {
                let noise = dice.noise();
                let shape = (std::f64::consts::PI * n as f64 / count as f64).sin();
                wave.push(0.25 * shape * (noise - last_noise));
                last_noise = noise;
            }
        }
        let count = (dice.between(0.12, 0.28) * RATE as f64) as usize;
        let vowel = VOWELS[(dice.roll() * VOWELS.len() as f64) as usize % VOWELS.len()];
        let (from, to) = (
            base * dice.between(0.85, 1.2),
            base * dice.between(0.75, 1.1),
        );
        for n in 0..count {
            let share = n as f64 / count as f64;
            phase += (from + (to - from) * share) / RATE as f64;
            let mut pulse = 0.02 * dice.noise();
            if phase >= 1.0 {
                phase -= 1.0;
                pulse += 1.0;
            }
            lowered += 0.15 * (pulse - lowered);
            let shape = (share * 8.0).min((1.0 - share) * 4.0).min(1.0);
            let voiced: f64 = formants
                .iter_mut()
                .zip(vowel)
                .zip([80.0, 100.0, 140.0])
                .zip([60.0, 40.0, 25.0])
                .map(|(((formant, hz), width), gain)| gain * formant.ring(lowered, hz, width))
                .sum();
            wave.push(shape * voiced);
        }
        until_pause -= 1;
        if until_pause == 0 {
            until_pause = 4 + (dice.roll() * 4.0) as i32;
            let count = (dice.between(0.15, 0.4) * RATE as f64) as usize;
            wave.extend(std::iter::repeat_n(0.0, count));
        }
    }
    wave.truncate((seconds * RATE as f64) as usize);
    scaled(&wave, -26.0)
}

/// Samples whose mean power, where there is sound, is `db` below full scale.
fn scaled(wave: &[f64], db: f64) -> Vec<i16> {
    let loud: Vec<f64> = wave.iter().copied().filter(|s| s.abs() > 1e-6).collect();
    let rms = (loud.iter().map(|s| s * s).sum::<f64>() / loud.len() as f64).sqrt();
    let gain = 10f64.powf(db / 20.0) / rms * 32768.0;
    wave.iter().map(|s| (s * gain) as i16).collect()
}

/// The way from a loudspeaker to a microphone in a small room: the direct sound and reflections
/// that fade by 60 dB in 0.3 s, so many dB quieter in all, and a little noise at the microphone.
#[derive(Debug)]
pub(crate) struct Path {
    /// Delays in samples, and gains.
    taps: Vec<(usize, f64)>,
    /// The last played, newest last.
    played: Vec<f64>,
    dice: Dice,
}

/// Noise at the microphone, amplitude: -65 dB below full scale.
const HUSH: f64 = 32.0;

impl Path {
    pub(crate) fn new(delay_ms: usize, db: f64) -> Self {
        let mut dice = Dice::new(4711);
        let direct = delay_ms * RATE / 1000;
        let mut taps = vec![(direct, 1.0)];
        for _ in 0..30 {
            let later = dice.between(0.001, 0.08);
            let gain = 0.6 * dice.noise() * 10f64.powf(-3.0 * later / 0.3);
            taps.push((direct + (later * RATE as f64) as usize, gain));
        }
        let power: f64 = taps.iter().map(|(_, gain)| gain * gain).sum();
        let scale = 10f64.powf(db / 20.0) / power.sqrt();
        for (_, gain) in &mut taps {
            *gain *= scale;
        }
        let longest = taps.iter().map(|(delay, _)| *delay).max().unwrap_or(0);
        Self {
            taps,
            played: vec![0.0; longest + 1],
            dice,
        }
    }

    /// Returns the microphone's sound while `far` is played, and `near` spoken in front of it.
    pub(crate) fn hear(&mut self, far: &[i16], near: &[i16]) -> Vec<i16> {
        self.played.extend(far.iter().map(|&s| f64::from(s)));
        let start = self.played.len() - far.len();
        let heard = (0..far.len())
            .map(|n| {
                let played = |delay: usize| self.played[start + n - delay];
                let echo: f64 = self.taps.iter().map(|(d, gain)| gain * played(*d)).sum();
                let near = near.get(n).map_or(0.0, |&s| f64::from(s));
                (echo + near + HUSH * self.dice.noise()) as i16
            })
            .collect();
        self.played.drain(..far.len());
        heard
    }
}
