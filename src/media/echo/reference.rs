//! The loudspeaker's sound, kept for the canceller and aligned with the microphone. Pure.
//!
//! Loudspeaker and microphone have clocks of their own, come and go on their own, and tell the
//! time with jitter. Here the loudspeaker's samples are numbered, the time at which a sample is
//! handed to the device is learnt from the least late of the last blocks, and whoever asks for
//! the block of a certain time gets a stream without gaps: a small misalignment is corrected
//! by a sample per block, which the canceller follows, a large one at once.
//!
//! The times are those at which samples are handed to the device, which is earlier than they
//! leave it: the canceller finds the rest of the delay itself, but could not undo an echo that
//! comes before its cause.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::format::{BLOCK, Block, SAMPLE_RATE};

/// Samples per second.
const RATE: i64 = SAMPLE_RATE as i64;
/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a millisecond.
const MILLISECOND: i64 = SECOND / 1000;
/// Samples that are kept: a second, more than a microphone can be late.
const KEPT: usize = RATE as usize;
/// Blocks in one of the two stretches whose least late block counts.
const STRETCH: u32 = 100;
/// Nanoseconds off its time from which on a block means that the device has stalled or was opened
/// again.
const RESTART: i64 = 100 * MILLISECOND;
/// Weight of the newest block in the average misalignment: half a second.
const NEWEST: f64 = 0.02;
/// Average of samples off from which on the misalignment is corrected sample by sample.
const SLIP_FROM: f64 = 48.0;
/// Average of samples off at which that ends.
const SLIP_UNTIL: f64 = 4.0;
/// Average of samples off from which on it is corrected at once.
const JUMP_FROM: f64 = 240.0;
/// Samples off in one block from which on it is corrected at once.
const JUMP_NOW: i64 = 100 * RATE / 1000;

/// Samples of the echo's delay allowed for at first: the buffers of sound cards.
const USUAL_DELAY: i64 = 45 * RATE / 1000;
/// Samples by which an echo may come later than allowed for: the canceller copes with that.
const WINDOW: i64 = 30 * RATE / 1000;
/// Place in that window of an echo that was newly found, in samples.
const INTO_WINDOW: i64 = 12 * RATE / 1000;

/// The minimum of the last one to two stretches of values.
#[derive(Debug, Default)]
struct Least {
    before: Option<i64>,
    now: Option<i64>,
    count: u32,
}

impl Least {
    fn get(&self) -> Option<i64> {
        self.before.into_iter().chain(self.now).min()
    }

    fn add(&mut self, value: i64) {
        if self.count == STRETCH {
            self.count = 0;
            self.before = self.now.take();
        }
        self.count += 1;
        self.now = Some(self.now.map_or(value, |now| now.min(value)));
    }
}

/// The place of the reader.
#[derive(Debug, Default)]
struct Reader {
    /// Number of the next sample.
    next: i64,
    /// Average of how many samples it is behind where it should be.
    behind: f64,
    slipping: bool,
}

/// The last second of the loudspeaker.
#[derive(Debug)]
pub(super) struct Reference {
    samples: VecDeque<i16>,
    /// Number of the next sample to come.
    written: i64,
    /// Time of sample 0, in nanoseconds.
    origin: Least,
    reader: Option<Reader>,
    /// The echo's delay in samples that is allowed for.
    delay: i64,
}

/// Sound of the far end, mono at 48 kHz.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FarEnd {
    /// Handed to the device now.
    pub(super) now: Block,
    /// Sound to be heard now.
    pub(super) echoing: Block,
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl Default for Reference {
    fn default() -> Self {
        Self {
            samples: VecDeque::new(),
            written: 0,
            origin: Least::default(),
            reader: None,
            delay: USUAL_DELAY,
        }
    }
}

impl Reference {
    /// Notes that `samples` are handed to the device at `at`.
    pub(super) fn played(&mut self, at: Duration, samples: &[i16]) {
        let origin = nanoseconds(at) - self.written * SECOND / RATE;
        if self
            .origin
            .get()
            .is_some_and(|known| (origin - known).abs() > RESTART)
        {
            self.origin = Least::default();
        }
        self.origin.add(origin);
        self.written += samples.len() as i64;
        self.samples.extend(samples);
        let surplus = self.samples.len().saturating_sub(KEPT);
        self.samples.drain(..surplus);
    }

    /// The block whose first sample is handed to the device at `at`; silence where there is
    /// none. Asked for block after block.
    pub(super) fn at(&mut self, at: Duration) -> FarEnd {
        let Some(origin) = self.origin.get() else {
            return FarEnd {
                now: [0; BLOCK],
                echoing: [0; BLOCK],
            };
        };
        let since = i128::from(nanoseconds(at) - origin);
        let wanted = (since * i128::from(RATE) / i128::from(SECOND)) as i64;
        let reader = self.reader.get_or_insert_with(|| Reader::standing(wanted));
        let now = reader.step(wanted);
        FarEnd {
            now: self.from(now),
            echoing: self.from(now - self.delay),
        }
    }

    /// Notes that an echo was found so many samples after it was played. Returns whether the
    /// reference has moved for that.
    pub(super) fn echoes_after(&mut self, found: usize) -> bool {
        let found = found as i64;
        if (self.delay..=self.delay + WINDOW).contains(&found) {
            return false;
        }
        let before = std::mem::replace(&mut self.delay, (found - INTO_WINDOW).max(0));
        log::debug!(ms = found / 48; "the echo's delay");
        self.delay != before
    }

    fn from(&self, from: i64) -> Block {
        let oldest = self.written - self.samples.len() as i64;
        std::array::from_fn(|index| {
            usize::try_from(from - oldest + index as i64)
                .ok()
                .and_then(|index| self.samples.get(index))
                .copied()
                .unwrap_or_default()
        })
    }
}

impl Reader {
    fn standing(next: i64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// Number of the first sample of the next block, which should be `wanted`.
    fn step(&mut self, wanted: i64) -> i64 {
        let behind = wanted - self.next;
        self.behind += (behind as f64 - self.behind) * NEWEST;
        if behind.abs() > JUMP_NOW || self.behind.abs() > JUMP_FROM {
            *self = Self::standing(wanted);
        }
        if self.behind.abs() > SLIP_FROM {
            self.slipping = true;
        } else if self.behind.abs() < SLIP_UNTIL {
            self.slipping = false;
        }
        if self.slipping {
            let slip = self.behind.signum();
            self.next += slip as i64;
            self.behind -= slip;
        }
        let from = self.next;
        self.next += BLOCK as i64;
        from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loudspeaker that plays its sample numbers (modulo 30000), with a clock of its own.
    struct Player {
        reference: Reference,
        played: i64,
        /// Time of its next block, nanoseconds.
        at: i64,
        /// Length of its blocks by the common clock, nanoseconds.
        block: i64,
    }

    fn time(nanoseconds: i64) -> Duration {
        Duration::from_nanos(u64::try_from(nanoseconds).expect("not before the beginning"))
    }

    impl Player {
        fn new() -> Self {
            Self {
                reference: Reference::default(),
                played: 0,
                at: SECOND,
                block: 10 * MILLISECOND,
            }
        }

        /// Plays what is due before `until`, each block as late as `late` says.
        fn play(&mut self, until: i64, late: impl Fn(i64) -> i64) {
            while self.at < until {
                let samples: Vec<i16> = (0..BLOCK as i64)
                    .map(|n| ((self.played + n) % 30_000) as i16)
                    .collect();
                self.reference
                    .played(time(self.at + late(self.played)), &samples);
                self.played += BLOCK as i64;
                self.at += self.block;
            }
        }

        /// The sample number at the start of the block of `at`.
        fn number(&mut self, at: i64) -> i64 {
            i64::from(self.reference.at(time(at)).now[0])
        }
    }

    /// Jitter of 0 to 8 ms that looks random.
    fn jitter(n: i64) -> i64 {
        (n / BLOCK as i64 * 7919 % 80) * MILLISECOND / 10
    }

    /// Distance of `found` from `expected`, numbers modulo 30000.
    fn off(found: i64, expected: i64) -> i64 {
        (found - expected + 15_000).rem_euclid(30_000) - 15_000
    }

    #[test]
    fn jitter_moves_nothing() {
        let mut player = Player::new();
        let mut steps = Vec::new();
        let mut last = None;
        for block in 10..1000 {
            let at = SECOND + block * 10 * MILLISECOND;
            player.play(at + 10 * MILLISECOND, jitter);
            let number = player.number(at);
            if block > 20 {
                assert!(off(number, block * 480).abs() <= 48, "{block}: {number}");
                steps.push(off(number, last.expect("there was one before")));
            }
            last = Some(number);
        }
        assert!(
            steps.iter().all(|step| *step == 480),
            "a stream without gaps"
        );
    }

    #[test]
    fn a_clock_that_runs_off_is_followed_sample_by_sample() {
        for ppm in [-200, -50, 50, 200] {
            let mut player = Player::new();
            player.block = 10 * MILLISECOND * (1_000_000 + ppm) / 1_000_000;
            let (mut last, mut worst, mut steepest) = (0, 0, 0);
            for block in 10..30_000 {
                let at = SECOND + block * 10 * MILLISECOND;
                player.play(at + 10 * MILLISECOND, jitter);
                let number = player.number(at);
                let ideal = block * 480 * 1_000_000 / (1_000_000 + ppm);
                if block > 300 {
                    worst = worst.max(off(number, ideal).abs());
                    steepest = steepest.max((off(number, last) - 480).abs());
                }
                last = number;
            }
            assert!(worst < 120, "{ppm} ppm: {worst} samples off");
            assert!(steepest <= 1, "{ppm} ppm: a jump of {steepest} samples");
        }
    }

    #[test]
    fn a_device_that_was_away_is_aligned_at_once() {
        let mut player = Player::new();
        player.play(3 * SECOND, |_| 0);
        assert_eq!(
            player.number(3 * SECOND - 10 * MILLISECOND),
            199 * 480 % 30_000
        );
        assert_eq!(player.number(4 * SECOND), 0, "silence meanwhile");
        // The loudspeaker is opened again and asks for five blocks at once.
        let (opened, first) = (5 * SECOND, player.played);
        for _ in 0..5 {
            player.at = opened;
            player.play(opened + 1, |_| 0);
        }
        player.play(9 * SECOND, |_| 0);
        let expected = |at: i64| first + 4 * BLOCK as i64 + (at - opened) * RATE / SECOND;
        for at in [8000, 8010, 8020] {
            let at = at * MILLISECOND;
            assert_eq!(off(player.number(at), expected(at)), 0);
        }
        // The microphone is away for a while, and goes on at its time.
        let at = 8700 * MILLISECOND;
        assert_eq!(off(player.number(at), expected(at)), 0);
    }

    #[test]
    fn the_reference_is_as_late_as_the_echo() {
        let mut player = Player::new();
        player.play(3 * SECOND, |_| 0);
        let at = time(5 * SECOND / 2);
        let mut later = |found: usize| {
            let moved = player.reference.echoes_after(found * 48);
            let FarEnd { now, echoing } = player.reference.at(at);
            (off(i64::from(now[0]), i64::from(echoing[0])) / 48, moved)
        };
        let cases = [
            (60, 45, false, "the usual delay allows for that"),
            (100, 88, true, "into the window"),
            (110, 88, false, "still in it"),
            (90, 88, false, "still in it"),
            (80, 68, true, "sooner"),
            (5, 0, true, "at once"),
            (30, 0, false, "in the window at its end"),
            (250, 238, true, "long"),
        ];
        for (found, expected, moved, why) in cases {
            assert_eq!(later(found), (expected, moved), "{found} ms: {why}");
        }
    }

    #[test]
    fn keeps_no_more_than_a_second_and_gives_silence_beyond() {
        let mut reference = Reference::default();
        assert_eq!(reference.at(Duration::from_secs(1)).now, [0; BLOCK]);
        for block in 0..500 {
            reference.played(Duration::from_millis(10 * block), &[7; BLOCK]);
        }
        assert_eq!(reference.samples.len(), KEPT);
        assert_eq!(reference.at(Duration::from_millis(4990)).now, [7; BLOCK]);
        for (millis, what) in [(3000, "too old"), (9000, "not played yet")] {
            let block = reference.at(Duration::from_millis(millis)).now;
            assert_eq!(block, [0; BLOCK], "{what}");
        }
    }
}
