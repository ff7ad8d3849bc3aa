//! The sound of one member on its way to the loudspeaker: held back as long as its play-out
//! clock says, and brought back to that when it comes too early or too late. Pure: the time
//! comes from the caller.
//!
//! Corrections are small: sound is stretched or squeezed by at most 5 %. Only what that cannot
//! put right in a second or so is cut, and silence is cut and prolonged at will.

use std::collections::VecDeque;

use super::stretch;
use crate::media::format::SAMPLE_RATE;

/// Samples that are kept: more than the longest delay that any clock asks for.
pub(super) const LONGEST: usize = SAMPLE_RATE as usize * 3 / 2;
/// Distance from the clock in µs that is on time.
const ON_TIME: f64 = 8_000.0;
/// Lateness in µs for which stretching cannot make up in a second and a half.
const TOO_LATE: f64 = 75_000.0;
/// Multiple of the length of a piece that was taken out or put in, which is played unchanged then:
/// 5 %.
const SPARING: usize = 20;
/// Weight of the newest block in how far off the clock the sound is: blocks are pulled unevenly.
const NEWEST: f64 = 1.0 / 8.0;
/// Samples below this are silence: -50 dBFS.
const QUIET: i16 = 104;
/// Samples over which sound fades that ends or begins abruptly: 2 ms.
const FADE: usize = SAMPLE_RATE as usize / 500;

/// The time at which a piece of sound is to be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Media time of the first sample, in µs.
    pub media: i64,
    /// Added to media time by the play-out clock: the time to give it to the device, in µs of
    /// [`now_micros`](crate::media::time_code::now_micros).
    pub lag: i64,
}

/// Figures of the sound of a member.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Played {
    /// Time of hearing less media time, in µs; absent while nothing is heard.
    pub lag: Option<i64>,
    /// Part of that which the device holds, in µs.
    pub device: i64,
    /// Media time squeezed out or stretched in, in samples.
    pub stretched: u64,
    /// Samples cut because they were too late for that, silence apart.
    pub cut: u64,
    /// Times that the sound ran out while it was playing.
    pub gaps: u64,
}

/// A measure that brings the sound closer to its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Correction {
    None,
    Shorten,
    Lengthen,
    Cut,
    CutSilence,
    ProlongSilence,
}

#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) waiting: VecDeque<i16>,
    /// Media time of the end of what waits, in µs.
    end: i64,
    lag: i64,
    playing: bool,
    /// Distance from the clock, smoothed; positive is late, in µs.
    off: f64,
    /// Samples to play before the next change.
    unchanged: usize,
    /// The last one played.
    last: i32,
    pub(super) played: Played,
}

/// Goes on from the `last` sample to silence.
fn fade_out(last: i32, sum: &mut [i32]) {
    for (left, sum) in (1..FADE as i32).rev().zip(sum) {
        *sum += last * left / FADE as i32;
    }
}

fn micros(samples: usize) -> i64 {
    samples as i64 * 1_000_000 / i64::from(SAMPLE_RATE)
}

fn samples(micros: f64) -> usize {
    (micros * f64::from(SAMPLE_RATE) / 1e6) as usize
}

impl Input {
    pub(super) fn push(&mut self, samples: &[i16], timing: Timing) {
        self.waiting.extend(samples);
        self.waiting
            .drain(..self.waiting.len().saturating_sub(LONGEST));
        self.end = timing.media + micros(samples.len());
        self.lag = timing.lag;
    }

    /// Lateness of the oldest sample in µs; negative: the time until it is due.
    fn late(&self, now: i64) -> i64 {
        now - self.lag - (self.end - micros(self.waiting.len()))
    }

    /// Adds up to `sum.len()` samples to `sum`, for a device that will play them `device` µs
    /// after `now`.
    pub(super) fn mix_into(&mut self, sum: &mut [i32], now: i64, device: i64) {
        if self.waiting.is_empty() {
            if self.playing {
                self.stop();
                fade_out(self.last, sum);
            }
            return;
        }
        let late = self.late(now);
        let begins = !self.playing;
        if begins {
            // The half of a block: the nearest there is.
            if late + micros(sum.len()) / 2 < 0 {
                return;
            }
            (self.playing, self.off) = (true, late as f64);
        }
        self.off += (late as f64 - self.off) * NEWEST;
        if self.correct(sum.len()) {
            return;
        }
        self.played.lag = Some(self.lag + self.late(now) + device);
        self.played.device = device;
        let count = sum.len().min(self.waiting.len());
        self.unchanged = self.unchanged.saturating_sub(count);
        let (now, rest) = sum.split_at_mut(count);
        for (at, (sum, sample)) in now.iter_mut().zip(self.waiting.drain(..count)).enumerate() {
            let from_edge = if begins { at.min(FADE) } else { FADE };
            self.last = i32::from(sample) * from_edge as i32 / FADE as i32;
            *sum += self.last;
        }
        if !rest.is_empty() {
            self.stop();
            fade_out(self.last, rest);
        }
    }

    fn stop(&mut self) {
        self.playing = false;
        self.played.gaps += 1;
        self.played.lag = None;
    }

    /// Brings the sound closer to its clock; true when silence is to be played instead.
    fn correct(&mut self, block: usize) -> bool {
        let quiet = self.quiet(block);
        let excess = samples(self.off.max(0.0));
        let changed = match decide(self.off, quiet >= block, self.unchanged == 0) {
            Correction::None => return false,
            Correction::ProlongSilence => {
                self.off += micros(block) as f64;
                return true;
            }
            Correction::Cut => {
                let cut = stretch::cut(&mut self.waiting, excess);
                self.played.cut += cut as u64;
                cut
            }
            Correction::CutSilence => stretch::cut(&mut self.waiting, excess.min(quiet)),
            Correction::Shorten => self.stretched(stretch::shorten),
            Correction::Lengthen => {
                let longer = self.stretched(stretch::lengthen);
                self.off += micros(longer) as f64;
                return false;
            }
        };
        self.off -= micros(changed) as f64;
        false
    }

    fn stretched(&mut self, change: impl Fn(&mut VecDeque<i16>) -> usize) -> usize {
        let changed = change(&mut self.waiting);
        self.unchanged = SPARING * changed;
        self.played.stretched += changed as u64;
        changed
    }

    /// Silent samples at the front, as far as a correction may need them.
    fn quiet(&self, block: usize) -> usize {
        if self.off.abs() <= ON_TIME {
            return 0;
        }
        let most = block + samples(self.off.max(0.0));
        let silent = |sample: &&i16| sample.unsigned_abs() < QUIET.unsigned_abs();
        self.waiting.iter().take(most).take_while(silent).count()
    }
}

/// Decides what to do about sound that is `off` its clock by so many µs. `ready`: it was left
/// alone for long enough after the last change.
fn decide(off: f64, quiet: bool, ready: bool) -> Correction {
    match off {
        _ if off > TOO_LATE => Correction::Cut,
        _ if off.abs() <= ON_TIME => Correction::None,
        _ if quiet && off > 0.0 => Correction::CutSilence,
        _ if quiet => Correction::ProlongSilence,
        _ if !ready => Correction::None,
        _ if off > 0.0 => Correction::Shorten,
        _ => Correction::Lengthen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::format::BLOCK;

    /// Samples of an AAC frame at 48 kHz.
    const FRAME: usize = 1024;

    fn tone(from: usize, count: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * 200.0 / f64::from(SAMPLE_RATE);
        let wave = |n: usize| (10_000.0 * (step * n as f64).sin()) as i16;
        (from..from + count).map(wave).collect()
    }

    /// A member who sends a frame of `sound` whenever one is due, and a device that pulls.
    struct Scene {
        input: Input,
        sent: usize,
        pulled: usize,
        heard: Vec<i32>,
        /// End of a stall, in which frames wait in the network.
        stalled_until: i64,
        lag: i64,
    }

    impl Scene {
        fn new(lag: i64) -> Self {
            Self {
                input: Input::default(),
                sent: 0,
                pulled: 0,
                heard: Vec::new(),
                stalled_until: 0,
                lag,
            }
        }

        fn run(&mut self, millis: usize, sound: impl Fn(usize, usize) -> Vec<i16>) {
            let end = self.pulled + millis / 10;
            while self.pulled < end {
                let now = micros(self.pulled * BLOCK);
                while micros(self.sent + FRAME) <= now && now >= self.stalled_until {
                    let timing = Timing {
                        media: micros(self.sent),
                        lag: self.lag,
                    };
                    self.input.push(&sound(self.sent, FRAME), timing);
                    self.sent += FRAME;
                }
                let mut block = vec![0; BLOCK];
                self.input.mix_into(&mut block, now, 0);
                self.heard.extend(block);
                self.pulled += 1;
            }
        }

        fn delay(&self) -> i64 {
            self.input.played.lag.expect("plays") / 1000
        }
    }

    #[test]
    fn what_to_do() {
        use Correction::{Cut, CutSilence, Lengthen, None, ProlongSilence, Shorten};
        for (off, quiet, ready, expected) in [
            (0.0, false, true, None),
            (7_900.0, true, true, None),
            (9_000.0, false, true, Shorten),
            (9_000.0, false, false, None),
            (9_000.0, true, false, CutSilence),
            (80_000.0, false, false, Cut),
            (-9_000.0, false, true, Lengthen),
            (-9_000.0, false, false, None),
            (-200_000.0, true, true, ProlongSilence),
        ] {
            assert_eq!(decide(off, quiet, ready), expected, "{off} {quiet} {ready}");
        }
    }

    #[test]
    fn plays_at_its_time_and_without_a_gap() {
        let mut scene = Scene::new(50_000);
        scene.run(2000, tone);
        let silent = scene.heard.iter().take_while(|&&s| s == 0).count();
        assert!((40..=60).contains(&(micros(silent) / 1000)), "{silent}");
        assert!((42..=58).contains(&scene.delay()), "{}", scene.delay());
        let Played {
            gaps,
            stretched,
            cut,
            ..
        } = scene.input.played;
        assert_eq!((gaps, stretched, cut), (0, 0, 0));
    }

    #[test]
    fn a_new_delay_is_reached_by_stretching_five_per_cent() {
        for (from, to) in [(40_000, 100_000), (100_000, 40_000)] {
            let mut scene = Scene::new(from);
            scene.run(1000, tone);
            scene.lag = to;
            scene.run(600, tone);
            let early = scene.delay();
            assert!((from / 1000 - early).abs() < 40, "not in one jump: {early}");
            scene.run(1400, tone);
            let (delay, played) = (scene.delay(), scene.input.played);
            assert!((delay - to / 1000).abs() < 15, "{from} to {to}: {delay}");
            assert_eq!((played.cut, played.gaps), (0, 0), "{from} to {to}");
            let stretched = micros(played.stretched as usize) / 1000;
            assert!((40..=70).contains(&stretched), "{stretched} ms");
        }
    }

    #[test]
    fn after_a_stall_the_delay_comes_back_and_stays() {
        let mut scene = Scene::new(40_000);
        scene.run(1000, tone);
        scene.stalled_until = 3_000_000;
        scene.run(2500, tone);
        for _ in 0..10 {
            let delay = scene.delay();
            assert!((30..=50).contains(&delay), "{delay}");
            scene.run(500, tone);
        }
        assert_eq!(scene.input.played.gaps, 1);
        assert!(scene.input.waiting.len() <= LONGEST);
    }

    #[test]
    fn silence_takes_the_correction_and_words_are_left_alone() {
        let words = |at: usize, count: usize| {
            let speaks = (at / SAMPLE_RATE as usize).is_multiple_of(2);
            if speaks {
                tone(at, count)
            } else {
                vec![0; count]
            }
        };
        let mut scene = Scene::new(150_000);
        scene.run(1300, words);
        scene.lag = 80_000;
        scene.run(300, words);
        assert!((70..=95).contains(&scene.delay()), "{}", scene.delay());
        scene.lag = 150_000;
        scene.run(300, words);
        assert!((135..=165).contains(&scene.delay()), "{}", scene.delay());
        assert_eq!(scene.input.played.stretched, 0);
        assert_eq!((scene.input.played.cut, scene.input.played.gaps), (0, 0));
    }

    #[test]
    fn sound_that_ends_does_not_click() {
        let mut input = Input::default();
        let timing = Timing { media: 0, lag: 0 };
        input.push(&vec![10_000; BLOCK + BLOCK / 2], timing);
        let mut heard = Vec::new();
        for now in [0, 10_000, 20_000] {
            let mut block = vec![0; BLOCK];
            input.mix_into(&mut block, now, 0);
            heard.extend(block);
        }
        let steps = heard.iter().zip(&heard[1..]).map(|(a, b)| (a - b).abs());
        assert!(steps.max().unwrap() < 300, "{heard:?}");
        assert_eq!((input.played.gaps, input.played.lag), (1, None));
    }
}
