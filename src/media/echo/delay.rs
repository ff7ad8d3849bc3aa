//! Finds how long the echo takes from being handed to the loudspeaker's device until the
//! microphone hears it. Pure.
//!
//! The canceller's filter covers 48 ms, and its own search for more does not work in all of its
//! versions; sound cards and rooms vary by more than that. So the loudspeaker's sound is
//! correlated with the microphone's, coarsely, and the reference delayed by what is found.

use super::level::SPEECH_DB;
use crate::media::format::{BLOCK, Block};

/// Samples that are averaged into one: the correlation runs at 2 kHz.
const STEP: usize = 24;
/// Values at 2 kHz in one block.
const PER_BLOCK: usize = BLOCK / STEP;
/// Delays that are looked at, in values at 2 kHz: up to 400 ms.
const LAGS: usize = 40 * PER_BLOCK;
/// Part that one block leaves of those before: a memory of one second.
const FORGET: f32 = 0.99;
/// Blocks with speech of the far end before the first look.
const FIRST_LOOK: u32 = 30;
/// Blocks with speech between two looks.
const NEXT_LOOK: u32 = 5;
/// Blocks for which an echo may follow the far end's last word.
const ECHO: u32 = (LAGS / PER_BLOCK) as u32;
/// Correlation from which on it is an echo.
const LEAST: f32 = 0.2;
/// Factor by which it must be higher than elsewhere.
const DISTINCT: f32 = 1.25;
/// Lags that are still a part of the same peak: a voice's own period, up to 15 ms.
const PEAK: usize = PER_BLOCK * 3 / 2;
/// Lags that count as the same delay in two looks: 5 ms.
const SAME: usize = PER_BLOCK / 2;
/// Looks in a row that must agree.
const AGREED: u32 = 3;
/// The same for another delay than the one that is known: two voices at once look like that for
/// moments.
const AGREED_AGAIN: u32 = 10;

/// Listens to loudspeaker and microphone.
#[derive(Debug)]
pub(super) struct DelayFinder {
    /// The loudspeaker at 2 kHz; the newest block stands behind `LAGS` older values.
    far: Vec<f32>,
    /// Last values of loudspeaker and microphone, for the differences.
    last: [f32; 2],
    /// Correlation by lag.
    sums: Vec<f32>,
    powers: [f32; 2],
    /// Blocks with speech so far, and blocks since the last of them.
    spoken: u32,
    silent: u32,
    found: Option<usize>,
    agreed: u32,
    /// The lag that was given last.
    known: Option<usize>,
}

impl Default for DelayFinder {
    fn default() -> Self {
        Self {
            far: vec![0.0; LAGS + PER_BLOCK],
            last: [0.0; 2],
            sums: vec![0.0; LAGS + 1],
            powers: [0.0; 2],
            spoken: 0,
            silent: ECHO,
            found: None,
            agreed: 0,
            known: None,
        }
    }
}

impl DelayFinder {
    /// Takes the blocks of one time, and the far end's level in dB below full scale; gives the
    /// delay in samples whenever it is sure of one.
    pub(super) fn add(&mut self, far: &Block, far_db: f64, near: &Block) -> Option<usize> {
        let [last_far, last_near] = &mut self.last;
        self.far.copy_within(PER_BLOCK.., 0);
        let newest = coarse(far, last_far);
        self.far[LAGS..].copy_from_slice(&newest);
        let near = coarse(near, last_near);
        self.silent = self.silent.saturating_add(1);
        let speaks = far_db > SPEECH_DB;
        if speaks {
            self.silent = 0;
        }
        if self.silent >= ECHO {
            return None;
        }
        for (lag, sum) in self.sums.iter_mut().enumerate() {
            let then = &self.far[LAGS - lag..][..PER_BLOCK];
            let product: f32 = then.iter().zip(&near).map(|(far, near)| far * near).sum();
            *sum = *sum * FORGET + product;
        }
        for (power, block) in self.powers.iter_mut().zip([&newest, &near]) {
            *power = *power * FORGET + block.iter().map(|s| s * s).sum::<f32>();
        }
        self.spoken += u32::from(speaks);
        let look = speaks && self.spoken >= FIRST_LOOK && self.spoken.is_multiple_of(NEXT_LOOK);
        if look { self.look() } else { None }
    }

    fn look(&mut self) -> Option<usize> {
        let scale = (self.powers[0] * self.powers[1])
            .sqrt()
            .max(f32::MIN_POSITIVE);
        let highest = |lags: &mut dyn Iterator<Item = (usize, f32)>| {
            lags.max_by(|(_, a), (_, b)| a.total_cmp(b))
                .unwrap_or_default()
        };
        let all = || self.sums.iter().map(|sum| sum.abs()).enumerate();
        let (lag, peak) = highest(&mut all());
        let (_, other) = highest(&mut all().filter(|(at, _)| at.abs_diff(lag) > PEAK));
        if peak < LEAST * scale || peak < DISTINCT * other {
            return None;
        }
        if self.found.is_some_and(|found| found.abs_diff(lag) <= SAME) {
            self.agreed += 1;
        } else {
            self.agreed = 1;
        }
        self.found = Some(lag);
        let another = self.known.is_some_and(|known| known.abs_diff(lag) > SAME);
        let enough = if another { AGREED_AGAIN } else { AGREED };
        if self.agreed < enough {
            return None;
        }
        self.known = Some(lag);
        Some(lag * STEP)
    }
}

/// A block at 2 kHz, its low tones lowered: differences of averages.
fn coarse(block: &Block, last: &mut f32) -> [f32; PER_BLOCK] {
    let mut groups = block.chunks_exact(STEP);
    std::array::from_fn(|_| {
        let group = groups.next().unwrap_or_default();
        let mean = group.iter().map(|&s| f32::from(s)).sum::<f32>() / (STEP as f32 * 32768.0);
        mean - std::mem::replace(last, mean)
    })
}

#[cfg(test)]
mod tests {
    use super::super::level::{db, power};
    use super::*;

    /// Noise that swells and fades as speech does.
    fn noise(seed: u64, blocks: usize) -> Vec<Block> {
        let mut state = seed;
        let mut slow = 0.0;
        let mut sample = move |index: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let white = (state >> 40) as f64 / f64::from(1 << 23) - 1.0;
            slow += 0.2 * (white - slow);
            let swell = (index as f64 / 9600.0).sin().powi(2);
            (slow * swell * 9000.0) as i16
        };
        (0..blocks)
            .map(|block| std::array::from_fn(|n| sample(block * BLOCK + n)))
            .collect()
    }

    /// The delay that is found, and after how many blocks.
    fn find(far: &[Block], near: &[Block]) -> Option<(usize, usize)> {
        let mut finder = DelayFinder::default();
        far.iter()
            .zip(near)
            .enumerate()
            .find_map(|(index, (far, near))| {
                let found = finder.add(far, db(power(far)), near)?;
                Some((found, index))
            })
    }

    /// `far` after `delay` samples, times `gain`, plus `near` times `voice`.
    fn heard(far: &[Block], delay: usize, gain: f64, near: &[Block], voice: f64) -> Vec<Block> {
        let (far, near) = (far.as_flattened(), near.as_flattened());
        let mut samples = (0..far.len()).map(|n| {
            let echo = n.checked_sub(delay).map_or(0.0, |n| f64::from(far[n]));
            (echo * gain + f64::from(near[n]) * voice) as i16
        });
        let blocks = far.len() / BLOCK;
        (0..blocks)
            .map(|_| std::array::from_fn(|_| samples.next().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn finds_the_delay_within_a_second_and_a_half() {
        let (far, near) = (noise(1, 300), noise(2, 300));
        for delay_ms in [0, 1, 40, 75, 120, 250, 399] {
            for (gain, voice) in [(0.5, 0.0), (-0.25, 0.0), (0.5, 0.3)] {
                let delay = delay_ms * 48;
                let found = find(&far, &heard(&far, delay, gain, &near, voice));
                let (found, after) = found.expect("there is an echo");
                assert!(found.abs_diff(delay) <= 48, "{delay_ms} ms: {found}");
                assert!(after <= 150, "{delay_ms} ms: after {after} blocks");
            }
        }
    }

    #[test]
    fn another_delay_must_last() {
        let (far, near) = (noise(1, 600), noise(2, 600));
        let echo = |delay_ms: usize| heard(&far, delay_ms * 48, 0.5, &near, 0.0);
        let (first, other) = (echo(100), echo(130));
        // Blocks of the other delay, and the delays found while they come and 1.5 s after.
        for (blocks, expected) in [(60, false), (250, true)] {
            let mut finder = DelayFinder::default();
            let mut found = Vec::new();
            for index in 0..300 + blocks {
                let heard = match index {
                    150.. if index < 150 + blocks => &other,
                    _ => &first,
                };
                let level = db(power(&far[index]));
                found.extend(finder.add(&far[index], level, &heard[index]));
            }
            let at = |delay_ms: usize| found.iter().any(|d| d.abs_diff(delay_ms * 48) <= 48);
            assert!(at(100), "{blocks}: {found:?}");
            assert_eq!(at(130), expected, "{blocks}: {found:?}");
        }
    }

    #[test]
    fn finds_nothing_where_there_is_no_echo() {
        let (far, near) = (noise(1, 2000), noise(2, 2000));
        let silence = vec![[0; BLOCK]; 2000];
        assert_eq!(find(&far, &near), None, "two voices");
        assert_eq!(find(&far, &silence), None);
        assert_eq!(find(&silence, &near), None);
        let far_away = heard(&far, 600 * 48, 0.5, &near, 0.0);
        assert_eq!(find(&far, &far_away), None, "later than is looked for");
    }
}
