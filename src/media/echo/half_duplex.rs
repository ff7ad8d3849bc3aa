//! Half duplex: the microphone is turned down while the far end speaks. Pure.
//!
//! For boards without the canceller, and for rooms that it cannot cope with. The far end is
//! known some 60 ms before its echo arrives, so the gate can wait until it is sure that
//! somebody speaks; it opens within the block of 10 ms in which the near end is louder than an
//! echo can be, so that no first syllable is lost.

use std::collections::VecDeque;

use super::level::SPEECH_DB;
use crate::media::format::BLOCK;

/// Gain of a closed gate: -40 dB.
const CLOSED: f64 = 0.01;
/// Blocks among the last few in which the far end must speak: a click is no speech.
const SURE: usize = 2;
/// Number of those last blocks.
const RECENT: usize = 3;
/// Blocks after the far end's last in which its echo may still be in the room: the sound card's
/// buffer, the way through the room, and its reverberation.
const HANG_OVER: u32 = 30;
/// Blocks within which an echo arrives at its full level.
const ECHO_DELAY: u32 = 15;
/// Decay of the echo after that in a small furnished room, dB per block: 60 dB in 0.4 s.
const DECAY_DB: f64 = 1.5;
/// Level in dB above the loudest echo from which on it is somebody in front of the kiosk.
const BREAK_IN_DB: f64 = 6.0;
/// Blocks for which a gate that somebody has opened stays open after their last loud one.
const BREAK_IN_HOLD: u32 = 20;
/// Level of the echo relative to the loudspeaker's, at first, in dB.
const COUPLING_DB: f64 = 0.0;
/// Limits of that level.
const COUPLING_RANGE_DB: (f64, f64) = (-30.0, 20.0);
/// Step in dB per block by which a loud echo is forgotten: slowly.
const FORGET_DB: f64 = 0.01;
/// Step in dB per block by which an echo that is louder than was thought is learnt: fast.
const LEARN_DB: f64 = 0.3;
/// Samples over which the gain moves: 2.5 ms, or it clicks.
const RAMP: usize = BLOCK / 4;

/// Decides block by block.
#[derive(Debug)]
pub(super) struct HalfDuplex {
    /// Levels of the far end, newest first, as far back as an echo may come from.
    far: VecDeque<f64>,
    /// Blocks since the far end spoke.
    silent: u32,
    /// The far end's loudest, when it spoke last.
    loudest: f64,
    coupling: f64,
    /// Blocks for which the near end keeps the gate open.
    near: u32,
}

impl Default for HalfDuplex {
    fn default() -> Self {
        Self {
            far: VecDeque::new(),
            silent: HANG_OVER,
            loudest: SPEECH_DB,
            coupling: COUPLING_DB,
            near: 0,
        }
    }
}

impl HalfDuplex {
    /// The gain of this block, from the levels of loudspeaker and microphone in dB below full
    /// scale.
    pub(super) fn gain(&mut self, far_db: f64, near_db: f64) -> f64 {
        self.look_at_far(far_db);
        if self.silent >= HANG_OVER {
            self.near = 0;
            return 1.0;
        }
        let faded = f64::from(self.silent.saturating_sub(ECHO_DELAY)) * DECAY_DB;
        let over = near_db - (self.loudest + self.coupling - faded);
        if over > BREAK_IN_DB && near_db > SPEECH_DB {
            self.near = BREAK_IN_HOLD;
        }
        self.near = self.near.saturating_sub(1);
        let open = self.near > 0;
        if self.silent == 0 {
            // An echo louder than was thought opens the gate at first, too.
            let step = if over > 0.0 {
                over.min(LEARN_DB)
            } else {
                -FORGET_DB
            };
            let (least, most) = COUPLING_RANGE_DB;
            self.coupling = (self.coupling + step).clamp(least, most);
        }
        if open { 1.0 } else { CLOSED }
    }

    fn look_at_far(&mut self, far_db: f64) {
        self.far.truncate(HANG_OVER as usize - 1);
        self.far.push_front(far_db);
        let speaks = |&&level: &&f64| level > SPEECH_DB;
        if self.far.iter().take(RECENT).filter(speaks).count() >= SURE {
            self.silent = 0;
            self.loudest = self.far.iter().copied().fold(SPEECH_DB, f64::max);
        } else {
            self.silent = self.silent.saturating_add(1);
        }
    }
}

/// Moves the gain of a block from that of the block before it to its own.
pub(super) fn apply(block: &mut [i16; BLOCK], before: f64, gain: f64) {
    for (index, sample) in block.iter_mut().enumerate() {
        let share = (index as f64 / RAMP as f64).min(1.0);
        // Both are at most 1: it fits.
        *sample = (f64::from(*sample) * (before + (gain - before) * share)) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: f64 = -80.0;

    /// Plays (blocks, far, near) and gives for each whether the gate was open at its first and
    /// at its last block, and how many blocks of it were open.
    fn play(gate: &mut HalfDuplex, stretches: &[(u32, f64, f64)]) -> Vec<(bool, bool, u32)> {
        let open = |gate: &mut HalfDuplex, far, near| gate.gain(far, near) > 0.5;
        let stretch = |&(blocks, far, near): &(u32, f64, f64)| {
            let gains: Vec<bool> = (0..blocks).map(|_| open(gate, far, near)).collect();
            let count = gains.iter().filter(|open| **open).count() as u32;
            (gains[0], gains[gains.len() - 1], count)
        };
        stretches.iter().map(stretch).collect()
    }

    #[test]
    fn the_gate_follows_the_table() {
        type Case<'a> = (&'a str, &'a [(u32, f64, f64)], &'a [(bool, bool, u32)]);
        let cases: [Case<'_>; 8] = [
            (
                "nobody speaks, then somebody here",
                &[(50, QUIET, QUIET), (100, QUIET, -25.0)],
                &[(true, true, 50), (true, true, 100)],
            ),
            (
                "the far end closes it after 20 ms, before its echo comes",
                &[(6, -20.0, QUIET), (50, -20.0, -30.0)],
                &[(true, false, 1), (false, false, 0)],
            ),
            (
                "it stays closed while the echo fades, then opens",
                &[(50, -20.0, -30.0), (20, QUIET, -40.0), (60, QUIET, QUIET)],
                &[(true, false, 1), (false, false, 0), (false, true, 50)],
            ),
            (
                "a click is no speech",
                &[(20, QUIET, -60.0), (1, -20.0, -60.0), (50, QUIET, -60.0)],
                &[(true, true, 20), (true, true, 1), (true, true, 50)],
            ),
            (
                "pauses between words do not open it",
                &[(50, -20.0, -30.0), (15, QUIET, -60.0), (50, -20.0, -30.0)],
                &[(true, false, 1), (false, false, 0), (false, false, 0)],
            ),
            (
                "who answers at once is heard from the first syllable on",
                &[(50, -25.0, -35.0), (25, QUIET, -60.0), (50, QUIET, -25.0)],
                &[(true, false, 1), (false, false, 0), (true, true, 50)],
            ),
            (
                "who shouts louder than the loudspeaker is heard",
                &[(50, -30.0, -40.0), (10, -30.0, -15.0)],
                &[(true, false, 1), (true, true, 10)],
            ),
            (
                "who speaks under the loudspeaker is not",
                &[(50, -20.0, -30.0), (50, -20.0, -18.0)],
                &[(true, false, 1), (false, false, 0)],
            ),
        ];
        for (name, stretches, expected) in cases {
            let found = play(&mut HalfDuplex::default(), stretches);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn an_echo_louder_than_the_loudspeaker_is_learnt_within_half_a_second() {
        let mut gate = HalfDuplex::default();
        let [(_, closed, open)] = play(&mut gate, &[(100, -30.0, -18.0)])[..] else {
            panic!("one stretch");
        };
        assert!(!closed && open < 50, "{open} blocks of echo were sent");
        // The next time it knows.
        let again = play(&mut gate, &[(60, QUIET, QUIET), (50, -30.0, -18.0)]);
        assert_eq!(again[1].2, 1, "{again:?}");
    }

    #[test]
    fn a_quiet_echo_is_learnt_so_that_a_voice_can_break_in() {
        let mut gate = HalfDuplex::default();
        let found = play(&mut gate, &[(1500, -20.0, -45.0), (10, -20.0, -22.0)]);
        assert_eq!(found[1], (true, true, 10));
    }

    #[test]
    fn the_gain_moves_without_a_step() {
        let mut block = [10_000i16; BLOCK];
        apply(&mut block, 1.0, CLOSED);
        assert_eq!((block[0], block[BLOCK - 1]), (10_000, 100));
        assert!(block.windows(2).all(|two| (two[0] - two[1]).abs() < 100));
        let mut extreme = [i16::MIN; BLOCK];
        apply(&mut extreme, 1.0, 1.0);
        assert_eq!(extreme, [i16::MIN; BLOCK]);
    }
}
