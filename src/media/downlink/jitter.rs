//! Measures how unevenly media arrive, for which the play-out clock must allow. Pure.

use std::collections::VecDeque;

/// Age up to which a value counts, in µs: ten seconds, our choice.
const WINDOW: i64 = 10_000_000;
/// Values per thousand for which the spread is a bound.
const PER_MILLE: usize = 995;
/// Time after which the spread is looked at anew when it does not grow, in µs.
const RENEW: i64 = 200_000;
/// Maximum of values kept: 100 pictures per second.
const MOST: usize = 1000;
/// Lateness after a stall, beyond that of before, up to which media are no part of it, in µs.
const CALM: i64 = 10_000;
/// Media that stay late for this long, in µs, are how the network is now.
const NEW_NORMAL: i64 = 2_000_000;
/// Time in which stalls that come again and again are a pattern, in µs, and how many of them: a relay
/// that sends every 1.2 s has four.
const PATTERN: i64 = 5_000_000;
const STALLS: usize = 4;
/// Lateness in µs that a pattern may cost: the upper end of what Tencent's player keeps.
const WIDEST: i64 = 1_200_000;
/// Jump of media time that is a new clock, in µs.
const OTHER_TIME: i64 = 10_000_000;

/// A bound for nearly all of the values of the last ten seconds.
#[derive(Debug, Default)]
pub(super) struct Spread {
    values: VecDeque<(i64, i64)>,
    bound: i64,
    due: i64,
}

impl Spread {
    pub(super) fn note(&mut self, now: i64, value: i64) {
        self.values.push_back((now, value));
        let old = |&(at, _): &(i64, i64)| now - at > WINDOW;
        while self.values.len() > MOST || self.values.front().is_some_and(old) {
            self.values.pop_front();
        }
        if value > self.bound || now >= self.due {
            self.due = now + RENEW;
            let mut sorted: Vec<i64> = self.values.iter().map(|&(_, value)| value).collect();
            let rank = (sorted.len() * PER_MILLE).div_ceil(1000).max(1);
            self.bound = *sorted.select_nth_unstable(rank - 1).1;
        }
    }

    pub(super) fn bound(&self) -> i64 {
        self.bound
    }
}

/// Arrivals of one track. Times in µs; a lag is a time of ours less a media time.
#[derive(Debug)]
pub(super) struct Jitter {
    /// Lateness against the quickest that is a stall and not jitter.
    stall: i64,
    /// Time and lag of arrivals, growing in both: the first is the quickest of the window.
    quickest: VecDeque<(i64, i64)>,
    later: Spread,
    stalled_since: Option<i64>,
    /// Beginnings of what was later than `stall`, of late; and whether the newest was.
    stalls: VecDeque<i64>,
    late: bool,
    /// Time up to which lateness is of our own making.
    excused_until: i64,
}

impl Jitter {
    pub(super) fn new(stall: i64) -> Self {
        Self {
            stall,
            quickest: VecDeque::new(),
            later: Spread::default(),
            stalled_since: None,
            stalls: VecDeque::new(),
            late: false,
            excused_until: i64::MIN,
        }
    }

    /// Does not count what is late up to then.
    pub(super) fn excuse(&mut self, until: i64) {
        self.excused_until = until;
    }

    /// Notes that something of media time `media` arrived.
    pub(super) fn note(&mut self, now: i64, media: i64) {
        let lag = now - media;
        let elsewhere = |base: i64| (lag - base).abs() > OTHER_TIME;
        if self.base().is_some_and(elsewhere) {
            *self = Self {
                excused_until: self.excused_until,
                ..Self::new(self.stall)
            };
        }
        while self.quickest.back().is_some_and(|&(_, other)| other >= lag) {
            self.quickest.pop_back();
        }
        self.quickest.push_back((now, lag));
        while self
            .quickest
            .front()
            .is_some_and(|&(at, _)| now - at > WINDOW)
        {
            self.quickest.pop_front();
        }
        if now < self.excused_until {
            return;
        }
        let late = lag - self.base().unwrap_or(lag);
        self.note_stall(now, late > self.stall);
        if self.recurs() && late <= WIDEST {
            // Relays that gather what they send (SRS every 350 ms) are late like clockwork.
            self.stalled_since = None;
            self.later.note(now, late);
            return;
        }
        let stalls = late > self.stall;
        if stalls || (self.stalled_since.is_some() && late > self.spread() + CALM) {
            // What a stall held up comes in a burst: neither says how evenly the rest arrives.
            let since = *self.stalled_since.get_or_insert(now);
            if now - since < NEW_NORMAL {
                return;
            }
            if stalls {
                self.quickest.clear();
                self.quickest.push_back((now, lag));
                self.later.note(now, 0);
                self.stalled_since = None;
                return;
            }
        }
        self.stalled_since = None;
        self.later.note(now, late);
    }

    fn note_stall(&mut self, now: i64, late: bool) {
        let begins = late && !std::mem::replace(&mut self.late, late);
        if begins {
            self.stalls.truncate(STALLS - 1);
            self.stalls.push_front(now);
        }
        self.late = late;
        let old = |&at: &i64| now - at > PATTERN;
        while self.stalls.back().is_some_and(old) {
            self.stalls.pop_back();
        }
    }

    /// Whether stalls come again and again.
    fn recurs(&self) -> bool {
        self.stalls.len() >= STALLS
    }

    /// Lateness in µs that is waited for at most: more than that of a single stall only while such
    /// stalls are how the network is.
    pub(super) fn budget(&self) -> i64 {
        if self.recurs() { WIDEST } else { self.stall }
    }

    /// The lag of the quickest arrival.
    pub(super) fn base(&self) -> Option<i64> {
        self.quickest.front().map(|&(_, lag)| lag)
    }

    /// Time by which nearly all arrive later than the quickest.
    pub(super) fn spread(&self) -> i64 {
        self.later.bound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: i64 = 250_000;

    /// 30 frames a second, each delayed by what `delay` says of its number; in their order.
    fn arrive(jitter: &mut Jitter, frames: std::ops::Range<i64>, delay: impl Fn(i64) -> i64) {
        let mut last = 0;
        for n in frames {
            let media = n * 33_333;
            last = (media + 5_000_000 + delay(n)).max(last);
            jitter.note(last, media);
        }
    }

    /// Delays from 0 to 100 ms, evenly, and always the same.
    fn uneven(n: i64) -> i64 {
        let hash = (n as u64)
            .wrapping_add(77)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 40) % 100_000) as i64
    }

    #[test]
    fn what_we_ourselves_held_up_does_not_count() {
        let mut jitter = Jitter::new(STALL);
        jitter.excuse(5_300_000);
        arrive(&mut jitter, 0..8, |n| 200_000 - n * 20_000);
        assert_eq!(jitter.spread(), 0);
        arrive(&mut jitter, 8..300, |_| 1000);
        assert_eq!((jitter.base(), jitter.spread()), (Some(5_001_000), 0));
    }

    #[test]
    fn the_spread_grows_with_the_jitter_at_once_and_shrinks_again() {
        let mut jitter = Jitter::new(STALL);
        assert_eq!((jitter.base(), jitter.spread()), (None, 0));
        arrive(&mut jitter, 0..300, |n| n % 3 * 1000);
        assert_eq!((jitter.base(), jitter.spread()), (Some(5_000_000), 2000));
        arrive(&mut jitter, 300..360, uneven);
        assert!(jitter.spread() > 80_000, "{}", jitter.spread());
        arrive(&mut jitter, 360..600, uneven);
        assert!((95_000..=100_000).contains(&jitter.spread()));
        arrive(&mut jitter, 600..1000, |_| 0);
        assert!(jitter.spread() < 1000, "{}", jitter.spread());
    }

    #[test]
    fn one_late_frame_in_ten_seconds_costs_nothing() {
        let mut jitter = Jitter::new(STALL);
        arrive(&mut jitter, 0..300, |_| 0);
        arrive(&mut jitter, 300..600, |n| if n == 310 { 20_000 } else { 0 });
        assert!(jitter.spread() < 1000, "{}", jitter.spread());
    }

    #[test]
    fn a_stall_and_its_burst_do_not_count() {
        let mut jitter = Jitter::new(STALL);
        arrive(&mut jitter, 0..300, |n| n % 5 * 1000);
        // Two seconds of nothing, and then all at once.
        arrive(&mut jitter, 300..600, |n| {
            (2_000_000 - (n - 300) * 33_333).max(n % 5 * 1000)
        });
        assert_eq!((jitter.base(), jitter.spread()), (Some(5_000_000), 4000));
    }

    /// Each frame comes with the next of the moments that are `period` apart.
    fn gathered(period: i64) -> impl Fn(i64) -> i64 {
        move |n| (n * 33_333).div_euclid(period) * period + period - n * 33_333
    }

    #[test]
    fn a_relay_that_gathers_is_known_soon_and_forgotten_again() {
        for period in [300_000, 350_000, 800_000, 1_200_000] {
            let mut jitter = Jitter::new(STALL);
            arrive(&mut jitter, 0..100, |_| 0);
            assert_eq!(jitter.budget(), STALL);
            let known = 100 + 6 * period / 33_333;
            arrive(&mut jitter, 100..known, gathered(period));
            assert_eq!(jitter.budget(), WIDEST, "{period}");
            arrive(&mut jitter, known..known + 120, gathered(period));
            let reach = jitter.base().unwrap() + jitter.spread() - 5_000_000;
            let expected = period - 40_000..=period;
            assert!(expected.contains(&reach), "{period}: {reach}");
            arrive(&mut jitter, known + 120..known + 580, |_| 0);
            assert_eq!((jitter.budget(), jitter.spread()), (STALL, 0), "{period}");
        }
    }

    #[test]
    fn stalls_now_and_then_are_no_pattern() {
        let mut jitter = Jitter::new(STALL);
        // Every two seconds nothing comes for 400 ms.
        let stall = |n: i64| (400_000 - n % 60 * 33_333).max(0);
        arrive(&mut jitter, 60..1200, stall);
        assert_eq!(jitter.budget(), STALL);
        assert!(jitter.spread() < 30_000, "{}", jitter.spread());
    }

    #[test]
    fn a_longer_path_is_known_after_two_seconds() {
        for longer in [200_000, 700_000] {
            let mut jitter = Jitter::new(STALL);
            arrive(&mut jitter, 0..300, |_| 0);
            arrive(&mut jitter, 300..370, |_| longer);
            let reach = jitter.base().unwrap() + jitter.spread();
            assert_eq!(reach, 5_000_000 + longer);
            arrive(&mut jitter, 370..1100, |_| longer);
            assert_eq!((jitter.base(), jitter.spread()), (Some(reach), 0));
        }
    }

    #[test]
    fn a_sender_that_starts_anew_is_a_new_clock() {
        let mut jitter = Jitter::new(STALL);
        arrive(&mut jitter, 90_000..90_300, uneven);
        jitter.note(3_010_000_000, 0);
        assert_eq!((jitter.base(), jitter.spread()), (Some(3_010_000_000), 0));
    }

    #[test]
    fn what_a_relay_replays_is_no_jitter() {
        let mut jitter = Jitter::new(STALL);
        // Two seconds of old frames at once.
        for n in 0..60 {
            jitter.note(9_000_000 + n, n * 33_333);
        }
        assert_eq!(jitter.spread(), 0);
    }
}
