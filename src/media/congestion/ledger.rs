//! Follows what the peer has taken of what was written to it, by two counters.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Time over which rates are taken: they count while bytes wait, and then all that the link can
/// take is taken all the time.
const RATE_OVER: Duration = Duration::from_millis(400);
/// Maximum of looks kept: a stalled connection is not looked at for longer than it may stall.
const LOOKS: usize = 4096;

/// One look at the counters.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    written: u64,
    taken: u64,
}

/// Meaning of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Bytes taken since the start; never goes back.
    pub taken: u64,
    /// Rate over the last moments.
    pub taken_kbps: u32,
    /// Age of the oldest byte that was written and not taken, less the path's own time.
    pub lag: Duration,
    /// The minimum time seen from writing a byte to its acknowledgement, to the next look.
    pub rtt: Option<Duration>,
    /// Change of that time from one acknowledgement to the next, as RFC 3550 counts it.
    pub jitter: Duration,
}

/// Follows one connection.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Looks, oldest first; all but the first have bytes that are not taken, or are recent.
    looks: VecDeque<Look>,
    taken: u64,
    rtt: Option<Duration>,
    /// Time from writing the newest byte taken to its acknowledgement.
    newest: Option<Duration>,
    jitter: Duration,
}

impl Ledger {
    /// Takes note of the bytes `written` since the start, and of those that `wait` in the kernel.
    pub fn note(&mut self, now: Instant, written: u64, waiting: u64) -> Reading {
        self.taken = self.taken.max(written.saturating_sub(waiting));
        let before = self.looks.back().map_or(0, |look| look.taken);
        if self.taken > before {
            // The newest byte taken was written after this look.
            let older = self
                .looks
                .iter()
                .rev()
                .find(|look| look.written < self.taken);
            let fresh = older.map(|look| now.saturating_duration_since(look.at));
            self.rtt = [self.rtt, fresh].into_iter().flatten().min();
            if let (Some(then), Some(now)) = (self.newest, fresh) {
                self.jitter = (self.jitter * 15 + then.abs_diff(now)) / 16;
            }
            self.newest = fresh;
        }
        self.looks.push_back(Look {
            at: now,
            written,
            taken: self.taken,
        });
        self.forget(now);
        Reading {
            taken: self.taken,
            taken_kbps: self.rate(now),
            lag: self.lag(now, written),
            rtt: self.rtt,
            jitter: self.jitter,
        }
    }

    fn lag(&self, now: Instant, written: u64) -> Duration {
        if self.taken >= written {
            return Duration::ZERO;
        }
        let all_taken = self
            .looks
            .iter()
            .rev()
            .find(|look| look.written <= self.taken);
        let since = all_taken.or(self.looks.front()).map_or(now, |look| look.at);
        let age = now.saturating_duration_since(since);
        age.saturating_sub(self.rtt.unwrap_or_default())
    }

    fn rate(&self, now: Instant) -> u32 {
        let past = self.looks.iter().rev();
        let Some(from) = past
            .take_while(|look| now.saturating_duration_since(look.at) <= RATE_OVER)
            .last()
        else {
            return 0;
        };
        let seconds = now.saturating_duration_since(from.at).as_secs_f64();
        if seconds <= 0.0 {
            return 0;
        }
        ((self.taken - from.taken) as f64 * 8.0 / 1000.0 / seconds) as u32
    }

    fn forget(&mut self, now: Instant) {
        while let [_, second, ..] = self.looks.make_contiguous() {
            let old = now.saturating_duration_since(second.at) > RATE_OVER;
            let settled = old && second.written <= self.taken;
            if !settled && self.looks.len() <= LOOKS {
                break;
            }
            self.looks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 40;

    /// 100 bytes a millisecond are written; `waiting(ms)` of them are not taken.
    fn follow(millis: u64, waiting: impl Fn(u64) -> u64) -> Vec<Reading> {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let at = |ms| start + Duration::from_millis(ms);
        (0..=millis)
            .step_by(TICK as usize)
            .map(|ms| ledger.note(at(ms), ms * 100, waiting(ms).min(ms * 100)))
            .collect()
    }

    #[test]
    fn a_path_without_delay_shows_its_rate_and_no_lag() {
        let last = *follow(2000, |_| 0).last().expect("looks");
        assert_eq!((last.taken, last.taken_kbps), (200_000, 800));
        assert_eq!(last.lag, Duration::ZERO);
        assert_eq!(last.rtt, Some(Duration::from_millis(TICK)));
    }

    #[test]
    fn the_time_of_the_path_is_not_lag() {
        // 100 ms from writing to the acknowledgement.
        let readings = follow(3000, |_| 10_000);
        let last = readings.last().expect("looks");
        let rtt = last.rtt.expect("acknowledged").as_millis() as u64;
        assert!((100..=100 + 2 * TICK).contains(&rtt), "{rtt}");
        assert!(last.lag.as_millis() as u64 <= TICK, "{last:?}");
        assert_eq!(last.taken_kbps, 800);
        assert!(last.jitter.as_millis() as u64 <= 1, "{last:?}");
    }

    #[test]
    fn a_path_that_is_now_fast_and_now_slow_has_jitter() {
        let readings = follow(3000, |ms| if ms / 200 % 2 == 0 { 4000 } else { 20_000 });
        let jitter = readings.last().expect("looks").jitter.as_millis();
        assert!((20..=80).contains(&jitter), "{jitter} ms");
    }

    #[test]
    fn a_queue_that_grows_is_lag() {
        // From 1 s on half of what is written is taken.
        let readings = follow(3000, |ms| ms.saturating_sub(1000) * 50);
        let last = readings.last().expect("looks");
        assert_eq!(last.taken_kbps, 400);
        assert!((920..=1040).contains(&last.lag.as_millis()), "{last:?}");
    }

    #[test]
    fn a_link_that_is_gone_takes_nothing_and_is_not_forgotten() {
        let readings = follow(60_000, |ms| ms.saturating_sub(1000) * 100);
        let last = readings.last().expect("looks");
        assert_eq!((last.taken, last.taken_kbps), (100_000, 0));
        assert!(last.lag >= Duration::from_secs(58), "{last:?}");
    }
}
