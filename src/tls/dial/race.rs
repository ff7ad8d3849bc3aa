//! Decides when which address of a name is tried (RFC 8305, "Happy Eyeballs"): one after the other,
//! but none waits long for the one before it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Time for which an attempt has the line for itself: the Connection Attempt Delay, 250 ms in
/// RFC 8305, section 8.
const HEAD_START: Duration = Duration::from_millis(250);
/// Time for all attempts together (our choice): the kernel gives up a silent address after two
/// minutes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Time for a silent address when the others have refused: by then the kernel has asked it twice
/// (RFC 6298: first again after 1 s).
const LAST_CHANCE: Duration = Duration::from_millis(1100);

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Begin to connect to this address.
    Start(SocketAddr),
    /// Wait for an answer, but not longer than until this moment.
    Wait(Instant),
    /// No address answered in time, or all refused.
    Lost,
}

/// An address, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entrant {
    pub(super) address: SocketAddr,
    /// Whether it gave no answer lately.
    pub(super) doubtful: bool,
}

/// The state of all attempts to reach one name.
#[derive(Debug)]
pub(super) struct Race {
    waiting: VecDeque<Entrant>,
    running: Vec<(Entrant, Instant)>,
    /// Some address refused, so that the way there is open.
    refused: bool,
    next_start: Instant,
    end: Instant,
}

impl Race {
    /// Begins with `entrants` in their order.
    pub(super) fn new(entrants: impl IntoIterator<Item = Entrant>, now: Instant) -> Self {
        Self {
            waiting: entrants.into_iter().collect(),
            running: Vec::new(),
            refused: false,
            next_start: now,
            end: now + PATIENCE,
        }
    }

    /// Decides what is to be done now; to be asked again until it says to wait.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        let end = self.end();
        if now >= end {
            return Step::Lost;
        }
        if now >= self.next_start
            && let Some(entrant) = self.waiting.pop_front()
        {
            self.running.push((entrant, now));
            self.next_start = now + HEAD_START;
            return Step::Start(entrant.address);
        }
        match (self.running.is_empty(), self.waiting.is_empty()) {
            (true, true) => Step::Lost,
            (_, true) => Step::Wait(end),
            (_, false) => Step::Wait(self.next_start.min(end)),
        }
    }

    /// The moment at which it is lost. Where a server refuses, which it may do while it starts,
    /// nobody waits long for its dead addresses.
    fn end(&self) -> Instant {
        if !self.refused || !self.waiting.is_empty() {
            return self.end;
        }
        let chances = self.running.iter().map(|(entrant, since)| {
            *since
                + match entrant.doubtful {
                    true => HEAD_START,
                    false => LAST_CHANCE,
                }
        });
        chances.max().map_or(self.end, |last| last.min(self.end))
    }

    /// Notes that an attempt failed: the next one begins at once.
    pub(super) fn failed(&mut self, address: SocketAddr, now: Instant) {
        self.running
            .retain(|(entrant, _)| entrant.address != address);
        self.refused = true;
        self.next_start = now;
    }

    /// The addresses that have given no answer although they had time for it.
    pub(super) fn silent(&self, now: Instant) -> Vec<SocketAddr> {
        let silent = self
            .running
            .iter()
            .filter(|(_, since)| now.saturating_duration_since(*since) >= HEAD_START);
        silent.map(|(entrant, _)| entrant.address).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 443).into()
    }

    fn entrant(last: u8, doubtful: bool) -> Entrant {
        let address = address(last);
        Entrant { address, doubtful }
    }

    /// Something that happens at so many milliseconds, and the step that is taken.
    enum At {
        Asked(u64, Step),
        /// The address that ends in this number fails.
        Failed(u64, u8),
    }

    #[test]
    fn addresses_are_tried_in_time() {
        use At::{Asked, Failed};
        let start = Instant::now();
        let ms = |millis| start + Duration::from_millis(millis);
        let [one, two, three] = [1, 2, 3].map(|last| entrant(last, false));
        let begin = |last| Step::Start(address(last));
        let wait = |millis| Step::Wait(ms(millis));
        let table: [(&str, &[Entrant], Vec<At>); 8] = [
            ("no address", &[], vec![Asked(0, Step::Lost)]),
            (
                "one that is silent",
                &[one],
                vec![
                    Asked(0, begin(1)),
                    Asked(0, wait(5000)),
                    Asked(300, wait(5000)),
                    Asked(5000, Step::Lost),
                ],
            ),
            (
                "a silent one keeps its chance beside the next",
                &[one, two],
                vec![
                    Asked(0, begin(1)),
                    Asked(0, wait(250)),
                    Asked(249, wait(250)),
                    Asked(250, begin(2)),
                    Asked(250, wait(5000)),
                ],
            ),
            (
                "but not long beside a refusal",
                &[one, two],
                vec![
                    Asked(0, begin(1)),
                    Asked(250, begin(2)),
                    Failed(251, 2),
                    Asked(251, wait(1100)),
                    Asked(1100, Step::Lost),
                ],
            ),
            (
                "least of all if it is known to be silent",
                &[one, entrant(2, true)],
                vec![
                    Asked(0, begin(1)),
                    Failed(1, 1),
                    Asked(1, begin(2)),
                    Asked(1, wait(251)),
                    Asked(251, Step::Lost),
                ],
            ),
            (
                "after a refusal the next begins at once",
                &[one, two, three],
                vec![
                    Asked(0, begin(1)),
                    Failed(3, 1),
                    Asked(3, begin(2)),
                    Asked(3, wait(253)),
                    Asked(253, begin(3)),
                ],
            ),
            (
                "all refuse",
                &[one, two],
                vec![
                    Asked(0, begin(1)),
                    Failed(1, 1),
                    Asked(1, begin(2)),
                    Failed(2, 2),
                    Asked(2, Step::Lost),
                ],
            ),
            (
                "the end comes for all",
                &[one, two],
                vec![Asked(0, begin(1)), Asked(5001, Step::Lost)],
            ),
        ];
        for (what, entrants, course) in table {
            let mut race = Race::new(entrants.iter().copied(), start);
            for (number, at) in course.into_iter().enumerate() {
                match at {
                    Asked(millis, wanted) => {
                        assert_eq!(race.step(ms(millis)), wanted, "{what}, {number}");
                    }
                    Failed(millis, last) => race.failed(address(last), ms(millis)),
                }
            }
        }
    }

    #[test]
    fn who_had_time_and_did_not_answer_is_silent() {
        let start = Instant::now();
        let ms = |millis| start + Duration::from_millis(millis);
        let mut race = Race::new([entrant(1, false), entrant(2, false)], start);
        race.step(start);
        race.step(ms(250));
        assert_eq!(race.silent(ms(249)), []);
        assert_eq!(race.silent(ms(260)), [address(1)]);
    }
}
