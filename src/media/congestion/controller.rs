//! The controller: decides from what is known of the link how good the picture may be.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::ladder::{Limits, Quality, Stage};

/// Time in which a queue stands if it was never shorter.
const STANDING: Duration = Duration::from_millis(250);
/// Standing backlog from which on the link takes less than we send.
const BUSY: Duration = Duration::from_millis(150);
/// Standing backlog from which on the picture itself may have to go.
const SEVERE: Duration = Duration::from_millis(400);
/// Time of such a backlog before the picture goes: TCP that sends lost packets again is as slow for
/// moments.
const HOPELESS: Duration = Duration::from_millis(1500);
/// Time of any standing backlog at the minimum rate before the picture goes. While pictures wait
/// none is encoded, so a link that takes half of that rate keeps a backlog around [`SEVERE`]:
/// 280 to 700 ms at 110 kbit/s, sound and all.
const STARVED: Duration = Duration::from_secs(5);
/// Standing backlog up to which the link takes all that we send.
const CLEAN: Duration = Duration::from_millis(70);

/// Maximum by which these three grow for a slow path: TCP needs a round trip to send a lost packet
/// again.
const LONGEST_ROUND: Duration = Duration::from_millis(200);

/// Time after which a step down shows in the figures.
const EFFECT: Duration = Duration::from_millis(300);
/// Time after which a queue that has not gone needs another step.
const DRAINS: Duration = Duration::from_secs(2);
/// Part that is sent of what the link took, so that the queue drains.
const OF_TAKEN: f64 = 0.85;
/// The same while the backlog is severe.
const OF_TAKEN_SEVERE: f64 = 0.7;
/// Part of the rate that is left by the smallest step down.
const LEAST_CUT: f64 = 0.9;
/// Part of the rate that is left by the largest step down.
const DEEPEST_CUT: f64 = 0.4;

/// Time between two steps up where no limit is known.
const STRIDE: Duration = Duration::from_secs(1);
/// Factor of one step up.
const GROWTH: f64 = 1.15;
/// Wait for the first step up, and for each near a known limit; doubled by each failure.
const FIRST_HOLD: Duration = Duration::from_secs(2);
/// Maximum of that wait.
const LONGEST_HOLD: Duration = Duration::from_secs(6);
/// Minimum wait for a picture that had to go.
const PICTURE_HOLD: Duration = Duration::from_secs(4);
/// Time in which even key frames pass at once if the link takes much more than we send.
const SMOOTH: Duration = Duration::from_secs(3);
/// Time after a step up in which trouble is its fault.
const BLAME: Duration = Duration::from_secs(3);
/// Range that counts as near, as parts of the rate that failed.
const NEAR: std::ops::Range<f64> = 0.9..1.1;

/// The facts of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Time that what is encoded now waits, beyond the path's own time: our queue and the
    /// kernel's.
    pub backlog: Duration,
    /// Bytes that wait, in our queue and the kernel's.
    pub waiting: u64,
    /// Rate that the peer took in the last moments, sound and all. Nothing at all means that the
    /// link is gone or that TCP sends again what was lost: no rate follows from it.
    pub taken_kbps: u32,
    /// Time from writing to acknowledgement on the empty path.
    pub rtt: Duration,
}

/// A change of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub from: Quality,
    pub to: Quality,
    /// "-35 %: backlog 640 ms, 380 kbit/s taken"
    pub reason: String,
    /// Whether the link takes too little: the step is down.
    pub busy: bool,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    at: Instant,
    waiting: u64,
}

/// Decides how good the picture may be.
#[derive(Debug)]
pub struct Controller {
    limits: Limits,
    stage: Stage,
    kbps: f64,
    /// Backlogs, the newest last, the first at least `STANDING` old.
    backlogs: VecDeque<(Instant, Duration)>,
    cut: Option<Cut>,
    raised: Option<Instant>,
    clean_since: Option<Instant>,
    severe_since: Option<Instant>,
    /// The time since which even the minimum rate is too much.
    starved_since: Option<Instant>,
    /// The time at which something waited last, if only for a moment.
    rough: Option<Instant>,
    /// The rate at which the last probe failed.
    failed: Option<f64>,
    /// Whether a probe near that rate has been made since.
    probing: bool,
    hold: Duration,
}

impl Controller {
    /// Begins at the start rate of `limits`, which are put in order if they are not.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let limits = limits.in_order();
        let kbps = f64::from(limits.start_kbps);
        Self {
            stage: limits.stage(Stage::Full, kbps),
            limits,
            kbps,
            backlogs: VecDeque::new(),
            cut: None,
            raised: None,
            clean_since: None,
            severe_since: None,
            starved_since: None,
            rough: None,
            failed: None,
            probing: false,
            hold: FIRST_HOLD,
        }
    }

    /// The quality that is to be sent now.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.limits.quality(self.stage, self.kbps)
    }

    /// Begins a new connection: what was seen of the old one says nothing of it.
    pub fn restart(&mut self) {
        self.backlogs.clear();
        self.clean_since = None;
        self.severe_since = None;
        self.starved_since = None;
        self.cut = None;
    }

    /// Looks at the link; returns the step to take, if there is one. Called several times
    /// in [`STANDING`].
    pub fn observe(&mut self, facts: &Facts, now: Instant) -> Option<Step> {
        let round = facts.rtt.min(LONGEST_ROUND);
        if facts.backlog >= CLEAN + round {
            self.rough = Some(now);
        }
        let standing = self.standing(facts.backlog, now)?;
        let from = self.quality();
        let busy = standing >= BUSY + round;
        if standing >= CLEAN + round {
            self.clean_since = None;
        }
        let starved = busy && self.is_lowest();
        note(&mut self.severe_since, standing >= SEVERE + round, now);
        note(&mut self.starved_since, starved, now);
        let reason = if busy && facts.taken_kbps > 0 {
            self.lower(facts, now)?
        } else if standing < CLEAN + round {
            self.raise(now)?
        } else {
            return None;
        };
        let to = self.quality();
        (from != to).then(|| Step {
            reason: describe(from, to, &reason),
            busy,
            from,
            to,
        })
    }

    /// The minimum backlog of the last moments; `None` until there were enough of them.
    fn standing(&mut self, backlog: Duration, now: Instant) -> Option<Duration> {
        self.backlogs.push_back((now, backlog));
        let old = |at: Instant| now.saturating_duration_since(at) >= STANDING;
        while self.backlogs.get(1).is_some_and(|&(at, _)| old(at)) {
            self.backlogs.pop_front();
        }
        let (first, _) = *self.backlogs.front()?;
        old(first).then(|| self.backlogs.iter().map(|&(_, backlog)| backlog).min())?
    }

    fn lower(&mut self, facts: &Facts, now: Instant) -> Option<String> {
        if let Some(cut) = self.cut {
            let since = now.saturating_duration_since(cut.at);
            // Bytes, because the oldest of them goes on ageing while they become fewer.
            let drains = facts.waiting <= cut.waiting && since < DRAINS;
            if since < EFFECT || drains {
                return None;
            }
        }
        self.blame(now);
        self.probing = false;
        self.cut = Some(Cut {
            at: now,
            waiting: facts.waiting,
        });
        let min = f64::from(self.limits.min_kbps);
        if self.is_lowest() {
            let lasts = |since: Option<Instant>, time| {
                since.is_some_and(|since| now.saturating_duration_since(since) >= time)
            };
            if lasts(self.severe_since, HOPELESS) || lasts(self.starved_since, STARVED) {
                self.stage = Stage::SoundOnly;
            }
        } else {
            let part = if self.severe_since.is_some() {
                OF_TAKEN_SEVERE
            } else {
                OF_TAKEN
            };
            let room = f64::from(facts.taken_kbps) * part - f64::from(self.limits.sound_kbps);
            self.kbps = room
                .clamp(self.kbps * DEEPEST_CUT, self.kbps * LEAST_CUT)
                .max(min);
            self.stage = self.limits.stage(self.stage, self.kbps).max(self.stage);
        }
        let millis = facts.backlog.as_millis();
        Some(format!(
            "backlog {millis} ms, {} kbit/s taken",
            facts.taken_kbps
        ))
    }

    /// Whether the rate cannot be lowered.
    fn is_lowest(&self) -> bool {
        self.kbps <= f64::from(self.limits.min_kbps)
    }

    /// Remembers a probe that failed; trouble out of the blue means another link.
    fn blame(&mut self, now: Instant) {
        let recent = |at: Instant| now.saturating_duration_since(at) <= BLAME;
        if self.raised.take().is_some_and(recent) {
            self.failed = Some(self.kbps);
            self.hold = (self.hold * 2).min(LONGEST_HOLD);
        } else if !self.cut.is_some_and(|cut| recent(cut.at)) {
            self.failed = None;
            self.hold = FIRST_HOLD;
        }
    }

    fn raise(&mut self, now: Instant) -> Option<String> {
        let clean = now.saturating_duration_since(*self.clean_since.get_or_insert(now));
        let near = self.near_failed();
        let (wait, why) = self.patience(now);
        let raised = self.raised.map(|at| now.saturating_duration_since(at));
        if clean < wait || raised.is_some_and(|since| since < wait) {
            return None;
        }
        if self.stage == Stage::SoundOnly {
            self.stage = self.limits.stage(Stage::Smaller, self.kbps);
        } else if self.kbps < f64::from(self.limits.max_kbps) {
            self.kbps = (self.kbps * GROWTH).min(f64::from(self.limits.max_kbps));
            self.stage = self.limits.stage(self.stage, self.kbps);
        } else {
            return None;
        }
        if self
            .failed
            .is_some_and(|failed| self.kbps > failed * NEAR.end)
        {
            self.failed = None;
            self.hold = FIRST_HOLD;
        }
        self.raised = Some(now);
        self.probing |= near;
        Some(format!("{why} for {:.1} s", clean.as_secs_f64()))
    }

    /// Whether the next step up would come near the rate that failed.
    fn near_failed(&self) -> bool {
        let next = self.kbps * GROWTH;
        self.failed
            .is_some_and(|failed| next >= failed * NEAR.start)
    }

    /// Time that the link must have been clean for a step up, and the words for it.
    fn patience(&self, now: Instant) -> (Duration, &'static str) {
        let smooth = self
            .rough
            .is_none_or(|at| now.saturating_duration_since(at) >= SMOOTH);
        // The limit of then is gone: a probe near it lives, and not even key frames wait.
        let gone = self.probing && smooth;
        if self.stage == Stage::SoundOnly {
            (
                self.hold.max(PICTURE_HOLD),
                "no backlog without the picture",
            )
        } else if self.near_failed() && !gone {
            (self.hold, "no backlog near the last limit")
        } else if self.raised.is_none() {
            (FIRST_HOLD, "no backlog")
        } else {
            (STRIDE, "no backlog")
        }
    }
}

/// Keeps the time since which something `is` so.
fn note(since: &mut Option<Instant>, is: bool, now: Instant) {
    *since = is.then(|| since.unwrap_or(now));
}

/// "-35 %, 15 frames/s: backlog 640 ms"
fn describe(from: Quality, to: Quality, reason: &str) -> String {
    let mut changes = Vec::new();
    if from.video() != to.video() {
        changes.push(
            if to.video() {
                "picture on"
            } else {
                "picture off"
            }
            .to_owned(),
        );
    }
    if from.kbps != to.kbps {
        let percent = (f64::from(to.kbps) / f64::from(from.kbps.max(1)) - 1.0) * 100.0;
        changes.push(format!("{percent:+.0} %"));
    }
    if from.fps != to.fps {
        changes.push(format!("{} frames/s", to.fps));
    }
    if (from.width, from.height) != (to.width, to.height) {
        changes.push(format!("{}x{}", to.width, to.height));
    }
    format!("{}: {reason}", changes.join(", "))
}
