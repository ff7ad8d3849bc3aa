//! Makes waiting sound a little shorter or longer without changing its pitch: waves that look
//! alike are laid over each other (WSOLA). Pure.

use std::collections::VecDeque;

use crate::media::format::SAMPLE_RATE;

/// Samples over which one wave fades into the other: 10 ms.
const OVERLAP: usize = SAMPLE_RATE as usize / 100;
/// Minimum of samples taken out or put in at a time: 2.5 ms, a period of a high voice.
const LEAST: usize = SAMPLE_RATE as usize / 400;
/// Maximum of samples taken out or put in at a time: 12.5 ms, a period of a deep voice or a few of
/// others.
const MOST: usize = SAMPLE_RATE as usize / 80;
/// Samples that must wait for any change.
const NEEDS: usize = OVERLAP + MOST;
/// Distance in samples of those compared: speech has little above 6 kHz, and this runs on a board.
const STRIDE: usize = 4;

/// Takes one piece out of the oldest sound; gives its samples, 0 when too little waits.
pub(super) fn shorten(waiting: &mut VecDeque<i16>) -> usize {
    if waiting.len() < NEEDS {
        return 0;
    }
    let period = period(waiting.make_contiguous());
    cut(waiting, period)
}

/// Repeats one piece of the oldest sound; gives its samples, 0 when too little waits.
pub(super) fn lengthen(waiting: &mut VecDeque<i16>) -> usize {
    if waiting.len() < NEEDS {
        return 0;
    }
    let samples = waiting.make_contiguous();
    let period = period(samples);
    let mut head = samples[..period].to_vec();
    head.extend((0..OVERLAP).map(|at| fade(samples[period + at], samples[at], at)));
    waiting.drain(..OVERLAP);
    for sample in head.into_iter().rev() {
        waiting.push_front(sample);
    }
    period
}

/// Takes out the oldest `samples`, fading over the seam; gives how many it took.
pub(super) fn cut(waiting: &mut VecDeque<i16>, samples: usize) -> usize {
    let count = samples.min(waiting.len().saturating_sub(OVERLAP));
    if count > 0 {
        let waiting = waiting.make_contiguous();
        for at in 0..OVERLAP {
            waiting[count + at] = fade(waiting[at], waiting[count + at], at);
        }
    }
    waiting.drain(..count);
    count
}

/// Fades from `old` to `new` in the course of the overlap.
fn fade(old: i16, new: i16, at: usize) -> i16 {
    let (weight, whole) = (at as i32 + 1, OVERLAP as i32 + 1);
    ((i32::from(old) * (whole - weight) + i32::from(new) * weight) / whole) as i16
}

/// The distance at which the sound is most like itself. Needs [`NEEDS`] samples.
fn period(samples: &[i16]) -> usize {
    let coarse = best(samples, (LEAST..=MOST).step_by(STRIDE));
    let near = coarse.saturating_sub(STRIDE).max(LEAST)..=(coarse + STRIDE).min(MOST);
    best(samples, near)
}

fn best(samples: &[i16], distances: impl Iterator<Item = usize>) -> usize {
    let likeness = |distance: usize| {
        let (mut product, mut energy) = (0.0, 1.0);
        for at in (0..OVERLAP).step_by(STRIDE) {
            let (here, there) = (f64::from(samples[at]), f64::from(samples[at + distance]));
            product += here * there;
            energy += there * there;
        }
        // Of the first wave the energy is the same for all.
        product / f64::sqrt(energy)
    };
    distances
        .map(|distance| (distance, likeness(distance)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(LEAST, |(distance, _)| distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, samples: usize) -> VecDeque<i16> {
        let rate = f64::from(SAMPLE_RATE);
        (0..samples)
            .map(|n| (10_000.0 * (std::f64::consts::TAU * hz * n as f64 / rate).sin()) as i16)
            .collect()
    }

    /// The largest step from one sample to the next: a click is far above that of the tone.
    fn steepest(samples: &VecDeque<i16>) -> i32 {
        let pairs = samples.iter().zip(samples.iter().skip(1));
        pairs
            .map(|(&a, &b)| (i32::from(b) - i32::from(a)).abs())
            .max()
            .unwrap()
    }

    /// Zero crossings from below, per second.
    fn pitch(samples: &VecDeque<i16>) -> f64 {
        let pairs = samples.iter().zip(samples.iter().skip(1));
        let crossings = pairs.filter(|&(&a, &b)| a < 0 && b >= 0).count();
        crossings as f64 * f64::from(SAMPLE_RATE) / samples.len() as f64
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level_and_does_not_click() {
        for hz in [100.0, 220.0, 440.0, 1000.0] {
            let whole = SAMPLE_RATE as usize;
            for change in [shorten, lengthen] {
                let mut samples = tone(hz, whole);
                let steep = steepest(&samples);
                let mut changed = 0;
                for _ in 0..10 {
                    changed += change(&mut samples);
                    // So that the next change is at another place.
                    samples.rotate_left(3000);
                }
                samples.rotate_right(30_000);
                let length = whole.abs_diff(samples.len());
                assert_eq!(length, changed, "{hz}");
                assert!((10 * LEAST..=10 * MOST).contains(&changed), "{hz}");
                assert!((pitch(&samples) - hz).abs() < 0.02 * hz + 2.0, "{hz}");
                let loudest = samples.iter().map(|s| s.abs()).max().unwrap();
                assert!((9_900..=10_000).contains(&loudest), "{hz}: {loudest}");
                assert!(steepest(&samples) < steep * 5 / 4 + 200, "{hz}");
            }
        }
    }

    #[test]
    fn a_cut_takes_what_it_is_told() {
        let mut samples = tone(440.0, 10_000);
        let end: Vec<i16> = samples.iter().skip(9_000).copied().collect();
        assert_eq!(cut(&mut samples, 7_000), 7_000);
        assert_eq!(samples.len(), 3_000);
        assert!(samples.iter().skip(2_000).eq(&end));
        assert_eq!(cut(&mut samples, 100_000), 3_000 - OVERLAP);
        assert_eq!(cut(&mut samples, 1), 0, "nothing to fade into");
    }

    #[test]
    fn too_little_is_left_alone() {
        let mut samples = tone(440.0, NEEDS - 1);
        assert_eq!((shorten(&mut samples), lengthen(&mut samples)), (0, 0));
        assert_eq!(samples.len(), NEEDS - 1);
        let mut silence = VecDeque::from(vec![0; NEEDS]);
        assert!(shorten(&mut silence) >= LEAST);
    }
}
