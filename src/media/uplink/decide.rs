//! Decides for the uplink whether to try again, and computes its figures.

use std::time::Duration;

use tokio::time::Instant;

use super::counters::Counters;
use crate::media::loss::{Loss, LossCause};

/// Time between two reports of the figures (200001), as Tencent's SDK has it.
const FIGURES: Duration = Duration::from_secs(2);

/// The step that follows a loss.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Retry(Duration),
    GiveUp(LossCause),
}

/// Decides what follows a loss, given what the back-off allows.
pub(super) fn after(loss: &Loss, ever_flowed: bool, wait: Option<Duration>) -> Next {
    let refused = matches!(loss.cause, LossCause::Refused | LossCause::ServerClosed);
    match wait {
        // A relay that never took a byte of media will not take the same URL a second later.
        _ if refused && !ever_flowed => Next::GiveUp(LossCause::Refused),
        // Neither will its certificate be another one.
        _ if loss.cause == LossCause::Untrusted => Next::GiveUp(LossCause::Untrusted),
        Some(wait) => Next::Retry(wait),
        None => Next::GiveUp(loss.cause),
    }
}

/// The figures of 200001, by Tencent's names where there are such.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Rates {
    pub(super) video_kbps: f64,
    pub(super) audio_kbps: f64,
    pub(super) fps: f64,
    /// Seconds between key frames, if there were any.
    pub(super) gop: Option<f64>,
    /// Rate to the relay.
    pub(super) net_kbps: f64,
}

/// Rates between two looks at the counters.
#[derive(Debug)]
pub(super) struct Figures {
    since: Instant,
    last: Counters,
}

impl Figures {
    pub(super) fn new(now: Instant, counters: Counters) -> Self {
        Self {
            since: now,
            last: counters,
        }
    }

    /// The rates, when it is time for them.
    pub(super) fn renew(&mut self, now: Instant, counters: Counters) -> Option<Rates> {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        if seconds < FIGURES.as_secs_f64() {
            return None;
        }
        let last = self.last;
        let more = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let kbps = |now, then| more(now, then) * 8.0 / 1000.0;
        let keys = counters.keys.saturating_sub(last.keys);
        *self = Self::new(now, counters);
        Some(Rates {
            video_kbps: kbps(counters.picture_bytes, last.picture_bytes),
            audio_kbps: kbps(counters.sound_bytes, last.sound_bytes),
            fps: more(counters.frames, last.frames),
            gop: (keys > 0).then(|| seconds / keys as f64),
            net_kbps: kbps(counters.bytes, last.bytes),
        })
    }
}

/// Pictures that an encoder may keep before the first of them comes out.
const KEPT: u64 = 8;
/// An encoder that takes pictures and gives none for this long hangs.
const HANGS: Duration = Duration::from_secs(2);

/// Watches an encoder for silence.
#[derive(Debug)]
pub(super) struct Silence {
    encoded: u64,
    given: u64,
    since: Instant,
}

impl Silence {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            encoded: 0,
            given: 0,
            since: now,
        }
    }

    /// Whether the encoder hangs, by what it was given and what came out.
    pub(super) fn is_over(&mut self, counters: Counters, now: Instant) -> bool {
        if counters.encoded != self.encoded {
            (self.encoded, self.given) = (counters.encoded, counters.given);
        }
        if counters.given < self.given + KEPT {
            self.since = now;
        }
        now.saturating_duration_since(self.since) >= HANGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_url_is_not_tried_again_but_a_lost_relay_is() {
        let wait = Duration::from_millis(300);
        for (cause, ever_flowed, allowed, expected) in [
            (
                LossCause::Refused,
                false,
                Some(wait),
                Next::GiveUp(LossCause::Refused),
            ),
            (
                LossCause::ServerClosed,
                false,
                Some(wait),
                Next::GiveUp(LossCause::Refused),
            ),
            // Another program may hold the stream for a moment, or the relay comes up slowly.
            (LossCause::Refused, true, Some(wait), Next::Retry(wait)),
            (LossCause::ServerClosed, true, Some(wait), Next::Retry(wait)),
            (LossCause::Unreachable, false, Some(wait), Next::Retry(wait)),
            (LossCause::Silent, true, Some(wait), Next::Retry(wait)),
            (LossCause::Tls, false, Some(wait), Next::Retry(wait)),
            (
                LossCause::Untrusted,
                true,
                Some(wait),
                Next::GiveUp(LossCause::Untrusted),
            ),
            (
                LossCause::Unreachable,
                false,
                None,
                Next::GiveUp(LossCause::Unreachable),
            ),
            (
                LossCause::Refused,
                true,
                None,
                Next::GiveUp(LossCause::Refused),
            ),
        ] {
            let loss = Loss {
                cause,
                message: String::new(),
            };
            assert_eq!(
                after(&loss, ever_flowed, allowed),
                expected,
                "{cause:?} {ever_flowed}"
            );
        }
    }

    #[test]
    fn figures_come_every_two_seconds() {
        let start = Instant::now();
        let counters = |bytes, frames| Counters {
            bytes,
            frames,
            keys: frames / 30,
            picture_bytes: frames / 30 * 50_000,
            sound_bytes: frames / 30 * 5_000,
            ..Counters::default()
        };
        let mut figures = Figures::new(start, counters(1000, 0));
        assert_eq!(
            figures.renew(start + Duration::from_millis(1900), counters(1, 1)),
            None
        );
        let rates = figures.renew(start + FIGURES, counters(251_000, 60));
        let expected = Rates {
            video_kbps: 400.0,
            audio_kbps: 40.0,
            fps: 30.0,
            gop: Some(1.0),
            net_kbps: 1000.0,
        };
        assert_eq!(rates, Some(expected));
        let later = start + 2 * FIGURES;
        let nothing = figures.renew(later, counters(251_000, 60));
        assert_eq!(nothing, Some(Rates::default()));
    }

    #[test]
    fn an_encoder_that_takes_pictures_and_gives_none_hangs() {
        let start = Instant::now();
        // 30 pictures a second are given; so many come out by this time.
        let hangs = |given: fn(u64) -> u64, out: fn(u64) -> u64| {
            let mut silence = Silence::new(start);
            (0..10_000).step_by(100).find(|&ms| {
                let counters = Counters {
                    given: given(ms),
                    encoded: out(ms),
                    // A camera's own pictures, which prove nothing.
                    frames: ms,
                    ..Counters::default()
                };
                silence.is_over(counters, start + Duration::from_millis(ms))
            })
        };
        let steady = |ms| ms * 3 / 100;
        assert_eq!(hangs(steady, |ms| (ms * 3 / 100).saturating_sub(4)), None);
        assert_eq!(hangs(steady, |_| 0), Some(2_200), "from the start");
        assert_eq!(hangs(steady, |ms| ms.min(4_000) * 3 / 100), Some(6_200));
        assert_eq!(
            hangs(|ms| ms.min(4_000) * 3 / 100, |ms| ms.min(3_900) * 3 / 100),
            None
        );
        assert_eq!(hangs(|_| 0, |_| 0), None, "none are wanted");
    }
}
