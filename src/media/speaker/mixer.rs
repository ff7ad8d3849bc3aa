//! Mixing: pure, no device and no clock.

use std::fmt;
use std::sync::Arc;

use super::input::Input;

/// A listener to each block as the device gets it, with the time until it is heard, in µs.
type Listener = Box<dyn FnMut(&[i16], i64) + Send>;

pub(super) struct Mixer {
    /// Inputs with the member's name, for the log.
    pub(super) inputs: Vec<(Arc<str>, Input)>,
    pub(super) volume: f64,
    pub(super) listener: Option<Listener>,
    sum: Vec<i32>,
}

impl fmt::Debug for Mixer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mixer")
            .field("inputs", &self.inputs)
            .field("volume", &self.volume)
            .finish_non_exhaustive()
    }
}

impl Mixer {
    pub(super) fn new() -> Self {
        Self {
            inputs: Vec::new(),
            volume: 1.0,
            listener: None,
            sum: Vec::new(),
        }
    }

    /// The next `count` samples for a device that plays them `device` µs after `now`.
    pub(super) fn mix(&mut self, count: usize, now: i64, device: i64) -> Vec<u8> {
        self.sum.clear();
        self.sum.resize(count, 0);
        for (_, input) in &mut self.inputs {
            input.mix_into(&mut self.sum, now, device);
        }
        let volume = self.volume;
        let samples = self.sum.iter().map(|&sum| {
            let loud = (f64::from(sum) * volume).clamp(f64::from(i16::MIN), f64::from(i16::MAX));
            loud as i16
        });
        let samples: Vec<i16> = samples.collect();
        if let Some(listener) = &mut self.listener {
            listener(&samples, device);
        }
        samples.iter().copied().flat_map(i16::to_le_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::Timing;
    use super::*;
    use crate::media::format;

    fn samples(bytes: &[u8]) -> Vec<i16> {
        format::samples(bytes).collect()
    }

    #[test]
    fn mixes_and_limits() {
        let mut mixer = Mixer::new();
        for (member, value) in [("a", 30_000i16), ("b", 20_000)] {
            let mut input = Input::default();
            input.push(&vec![value; 4000], Timing { media: 0, lag: 0 });
            mixer.inputs.push((member.into(), input));
        }
        let block = samples(&mixer.mix(480, 0, 0));
        assert_eq!((block[0], block[479]), (0, i16::MAX), "it fades in");
        mixer.volume = 0.5;
        assert_eq!(samples(&mixer.mix(480, 10_000, 0)), [25_000; 480]);
        mixer.inputs.clear();
        assert_eq!(samples(&mixer.mix(3, 20_000, 0)), [0; 3]);
    }
}
