//! Keeps the delay bounded when more video arrives at once than is shown at once.
//!
//! A relay replays the frames since the last key frame to whoever joins, up to a minute, and a network
//! that stalled delivers its backlog in one burst. Both are decoded as fast as the machine can and only
//! the newest frame is shown. When decoding does not catch up, what lies before the next key frame is
//! skipped.

use std::time::{Duration, Instant};

/// Lateness up to which a frame is shown: the next one is hardly due.
const SHOWN_BEHIND: Duration = Duration::from_millis(50);
/// Lateness that is worth a skip when decoding does not catch up.
const SKIPPED_BEHIND: Duration = Duration::from_millis(300);
/// Time after which it is asked whether decoding catches up, and for which late frames stay hidden.
const PATIENCE: Duration = Duration::from_secs(1);
/// Decoding catches up if it gains this part of what is left in that time: it is through after ten
/// such times, and the next key frame of a stream with so long a replay may be as far away.
const GAINED_PART: u32 = 10;
/// Lateness from which a frame is of another time, and how long those stay hidden: a replay of a
/// minute is decoded in three seconds by the boards that we know.
const LONG_AGO: Duration = Duration::from_secs(4);
const LONG_AGO_PATIENCE: Duration = Duration::from_secs(3);

/// The fate of one coded frame that reaches the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Show,
    /// Decode it because later frames build on it, but newer ones are already here.
    DecodeOnly,
    /// Cannot be decoded, or is not worth it.
    Drop,
}

/// One coded frame as it reaches the decoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded {
    pub(super) key: bool,
    /// Whether frames before this one are missing.
    pub(super) gap: bool,
    /// Distance to the newest frame that has come and is due as well.
    pub(super) behind: Duration,
}

/// Judges coded frames in their order.
#[derive(Debug)]
pub(super) struct CatchUp {
    needs_key: bool,
    hidden_since: Option<Instant>,
    /// Time of the last look at whether decoding catches up, and what was left then.
    behind_since: Option<(Instant, Duration)>,
}

impl CatchUp {
    /// Starts at a key frame: what comes before cannot be decoded.
    pub(super) fn new() -> Self {
        Self {
            needs_key: true,
            hidden_since: None,
            behind_since: None,
        }
    }

    pub(super) fn judge(&mut self, frame: Coded, now: Instant) -> Verdict {
        if frame.behind > SKIPPED_BEHIND {
            let (since, left) = *self.behind_since.get_or_insert((now, frame.behind));
            if now.saturating_duration_since(since) >= PATIENCE {
                let gained = left.saturating_sub(frame.behind);
                let catches_up = gained >= frame.behind / GAINED_PART;
                self.needs_key |= !catches_up;
                self.behind_since = catches_up.then_some((now, frame.behind));
            }
        } else {
            self.behind_since = None;
        }
        self.needs_key |= frame.gap;
        if self.needs_key && !frame.key {
            return Verdict::Drop;
        }
        self.needs_key = false;
        self.show(frame.behind, now)
    }

    /// Old frames stay hidden while decoding catches up, but not for long: a late picture is
    /// better than none.
    fn show(&mut self, behind: Duration, now: Instant) -> Verdict {
        if behind <= SHOWN_BEHIND {
            self.hidden_since = None;
            return Verdict::Show;
        }
        let since = *self.hidden_since.get_or_insert(now);
        let patience = match behind > LONG_AGO {
            true => LONG_AGO_PATIENCE,
            false => PATIENCE,
        };
        if now.saturating_duration_since(since) >= patience {
            Verdict::Show
        } else {
            Verdict::DecodeOnly
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn frame(key: bool, gap: bool, behind: u64) -> Coded {
        Coded {
            key,
            gap,
            behind: ms(behind),
        }
    }

    #[test]
    fn starts_at_a_key_frame() {
        let (mut catch_up, now) = (CatchUp::new(), Instant::now());
        assert_eq!(catch_up.judge(frame(false, false, 0), now), Verdict::Drop);
        assert_eq!(catch_up.judge(frame(true, true, 0), now), Verdict::Show);
        assert_eq!(catch_up.judge(frame(false, false, 0), now), Verdict::Show);
        assert_eq!(catch_up.judge(frame(false, true, 0), now), Verdict::Drop);
        assert_eq!(catch_up.judge(frame(false, false, 0), now), Verdict::Drop);
        assert_eq!(catch_up.judge(frame(true, false, 0), now), Verdict::Show);
    }

    #[test]
    fn a_burst_is_decoded_and_only_its_end_shown() {
        let (mut catch_up, start) = (CatchUp::new(), Instant::now());
        // 2 s of frames at 25 per second arrive at once, decoded at 3 ms each.
        let verdicts: Vec<_> = (0..50u32)
            .map(|n| {
                let burst = frame(n == 0, n == 0, u64::from(49 - n) * 40);
                catch_up.judge(burst, start + ms(3) * n)
            })
            .collect();
        assert!(verdicts[..48].iter().all(|&v| v == Verdict::DecodeOnly));
        assert!(verdicts[48..].iter().all(|&v| v == Verdict::Show));
    }

    /// A minute of frames at 25 per second arrives at once, and more come meanwhile.
    #[test]
    fn a_long_replay_is_decoded_if_that_is_soon_done() {
        let decoded = |millis: u32| {
            let (mut catch_up, start) = (CatchUp::new(), Instant::now());
            let verdict = |n: u32| {
                let at = millis * n;
                let behind = 60_000 + u64::from(at) - u64::from(n) * 40;
                catch_up.judge(frame(n == 0, n == 0, behind), start + ms(at.into()))
            };
            (0..1500).map(verdict).collect::<Vec<_>>()
        };
        let quick = decoded(2);
        assert!(!quick.contains(&Verdict::Drop));
        let shown = quick.iter().position(|&verdict| verdict == Verdict::Show);
        assert!(shown.is_none_or(|n| n >= 1400), "{shown:?}");
        // Decoding at twice the speed would take a minute.
        let slow = decoded(20);
        let given_up = slow.iter().position(|&verdict| verdict == Verdict::Drop);
        assert_eq!(given_up, Some(50));
    }

    #[test]
    fn a_decoder_that_does_not_catch_up_skips_to_a_key_frame() {
        let (mut catch_up, start) = (CatchUp::new(), Instant::now());
        let verdict = |catch_up: &mut CatchUp, key, at| {
            let late = frame(key, false, 800);
            catch_up.judge(late, start + ms(at))
        };
        assert_eq!(verdict(&mut catch_up, true, 0), Verdict::DecodeOnly);
        assert_eq!(verdict(&mut catch_up, false, 999), Verdict::DecodeOnly);
        assert_eq!(verdict(&mut catch_up, false, 1000), Verdict::Drop);
        assert_eq!(verdict(&mut catch_up, false, 1001), Verdict::Drop);
        // Still behind, but the picture must not stand still for ever.
        assert_eq!(verdict(&mut catch_up, true, 1002), Verdict::Show);
        assert_eq!(verdict(&mut catch_up, false, 1003), Verdict::Show);
    }

    #[test]
    fn being_behind_now_and_then_skips_nothing() {
        let (mut catch_up, start) = (CatchUp::new(), Instant::now());
        catch_up.judge(frame(true, false, 0), start);
        for n in 0..100u32 {
            let behind = if n % 10 == 0 { 50 } else { 400 };
            let verdict = catch_up.judge(frame(false, false, behind), start + ms(50) * n);
            assert_ne!(verdict, Verdict::Drop, "{n}");
        }
    }
}
