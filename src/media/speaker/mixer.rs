//! Mixing: pure, no device and no clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::SAMPLE_RATE;

/// An input that was empty collects this much before it plays: three AAC frames' jitter.
pub(super) const PREFILL: usize = SAMPLE_RATE as usize * 60 / 1000;
/// An input never holds more; then its oldest sound is dropped down to the prefill.
pub(super) const LONGEST: usize = SAMPLE_RATE as usize * 200 / 1000;
/// The sound of one member, waiting to be mixed.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) waiting: VecDeque<i16>,
    playing: bool,
}

impl Input {
    pub(super) fn push(&mut self, samples: &[i16]) {
        // Only the newest can survive anyway.
        let samples = &samples[samples.len().saturating_sub(LONGEST)..];
        self.waiting.extend(samples);
        if self.waiting.len() > LONGEST {
            self.waiting.drain(..self.waiting.len() - PREFILL);
        }
    }

    /// Adds up to `sum.len()` samples to `sum`.
    fn mix_into(&mut self, sum: &mut [i32]) {
        self.playing |= self.waiting.len() >= PREFILL;
        if !self.playing {
            return;
        }
        let count = sum.len().min(self.waiting.len());
        for (sum, sample) in sum.iter_mut().zip(self.waiting.drain(..count)) {
            *sum += i32::from(sample);
        }
        self.playing = !self.waiting.is_empty();
    }
}

#[derive(Debug)]
pub(super) struct Mixer {
    /// With the member's name, for the log.
    pub(super) inputs: Vec<(Arc<str>, Input)>,
    pub(super) volume: f64,
    sum: Vec<i32>,
}

impl Mixer {
    pub(super) fn new() -> Self {
        Self {
            inputs: Vec::new(),
            volume: 1.0,
            sum: Vec::new(),
        }
    }

    /// The next block, `count` samples.
    pub(super) fn mix(&mut self, count: usize) -> Vec<u8> {
        self.sum.clear();
        self.sum.resize(count, 0);
        for (_, input) in &mut self.inputs {
            input.mix_into(&mut self.sum);
        }
        let volume = self.volume;
        let samples = self.sum.iter().map(|&sum| {
            let loud = (f64::from(sum) * volume).clamp(f64::from(i16::MIN), f64::from(i16::MAX));
            loud as i16
        });
        samples.flat_map(i16::to_le_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::BLOCK;
    use super::*;

    fn samples(bytes: &[u8]) -> Vec<i16> {
        let pairs = bytes.chunks_exact(2);
        pairs
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }

    #[test]
    fn an_input_plays_once_it_has_collected_enough() {
        let mut input = Input::default();
        let mut sum = vec![0; BLOCK];
        input.push(&vec![7; PREFILL - 1]);
        input.mix_into(&mut sum);
        assert!(sum.iter().all(|&s| s == 0));
        input.push(&[7]);
        input.mix_into(&mut sum);
        assert!(sum.iter().all(|&s| s == 7));
        // It plays to its end, and collects again.
        input.waiting.truncate(BLOCK / 2);
        let mut sum = vec![0; BLOCK];
        input.mix_into(&mut sum);
        assert_eq!(sum.iter().filter(|&&s| s == 7).count(), BLOCK / 2);
        assert!(!input.playing);
    }

    #[test]
    fn a_burst_leaves_no_standing_delay() {
        let mut input = Input::default();
        for second in 0..5i16 {
            input.push(&vec![second; SAMPLE_RATE as usize]);
            assert!(input.waiting.len() <= LONGEST);
        }
        assert_eq!(input.waiting, [4; PREFILL], "the newest stay");
        for _ in 0..10 {
            input.push(&[5; BLOCK]);
        }
        assert_eq!(input.waiting.len(), PREFILL + 10 * BLOCK, "jitter is kept");
    }

    #[test]
    fn mixes_and_limits() {
        let mut mixer = Mixer::new();
        for (member, value) in [("a", 30_000i16), ("b", 20_000)] {
            let mut input = Input::default();
            input.push(&vec![value; PREFILL]);
            mixer.inputs.push((member.into(), input));
        }
        assert_eq!(samples(&mixer.mix(2)), [i16::MAX; 2]);
        mixer.volume = 0.5;
        assert_eq!(samples(&mixer.mix(1)), [25_000]);
        mixer.inputs.clear();
        assert_eq!(samples(&mixer.mix(3)), [0; 3]);
    }
}
