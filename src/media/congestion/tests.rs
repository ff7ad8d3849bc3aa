//! The controller alone: single reactions, its invariants, and its behaviour on a model of a
//! link.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const LOOK: Duration = Duration::from_millis(40);

fn limits(min_kbps: u32, max_kbps: u32) -> Limits {
    Limits {
        min_kbps,
        max_kbps,
        start_kbps: max_kbps,
        sound_kbps: 64,
        fps: 30,
        size: (640, 480),
    }
}

/// A controller with its own clock.
struct Run {
    controller: Controller,
    start: Instant,
    now: Instant,
    /// Instead of what a backlog comes to at 400 kbit/s.
    waiting: Option<u64>,
    rtt: Duration,
    steps: Vec<(Duration, Step)>,
}

impl Run {
    fn new(limits: Limits) -> Self {
        let start = Instant::now();
        let controller = Controller::new(limits);
        Self {
            controller,
            start,
            now: start,
            waiting: None,
            rtt: Duration::ZERO,
            steps: vec![],
        }
    }

    fn look(&mut self, backlog_ms: u64, taken_kbps: u32) {
        self.now += LOOK;
        let facts = Facts {
            backlog: Duration::from_millis(backlog_ms),
            waiting: self.waiting.unwrap_or(backlog_ms * 50),
            taken_kbps,
            rtt: self.rtt,
        };
        if let Some(step) = self.controller.observe(&facts, self.now) {
            self.steps.push((self.now - self.start, step));
        }
    }

    /// The same facts for so many seconds.
    fn stay(&mut self, seconds: f64, backlog_ms: u64, taken_kbps: u32) {
        for _ in 0..(seconds / LOOK.as_secs_f64()) as usize {
            self.look(backlog_ms, taken_kbps);
        }
    }

    fn kbps(&self) -> u32 {
        self.controller.quality().kbps
    }

    fn reasons(&self) -> Vec<&str> {
        self.steps
            .iter()
            .map(|(_, step)| step.reason.as_str())
            .collect()
    }
}

#[test]
fn a_clean_link_changes_nothing() {
    let mut run = Run::new(limits(100, 800));
    run.stay(60.0, 30, 800);
    assert_eq!(run.reasons(), [""; 0]);
    assert_eq!(run.kbps(), 800);
}

#[test]
fn a_key_frame_is_no_queue() {
    let mut run = Run::new(limits(100, 800));
    for _ in 0..60 {
        run.stay(0.2, 240, 800);
        run.stay(0.8, 0, 800);
    }
    assert_eq!(run.reasons(), [""; 0]);
}

#[test]
fn the_first_step_follows_what_went_through() {
    for (taken, severe, expected) in [
        // 85 % of what was taken, less the sound.
        (700, 200, 531),
        // 70 %, so that the queue drains.
        (700, 640, 426),
        // Never more than this at once: hardly an acknowledgement in a moment is not a dead link.
        (20, 640, 320),
        // Never less than this.
        (5000, 200, 720),
    ] {
        let mut run = Run::new(limits(100, 800));
        run.stay(1.0, 0, taken);
        run.stay(0.33, severe, taken);
        assert_eq!(
            run.kbps(),
            expected,
            "{taken} {severe}: {:?}",
            run.reasons()
        );
    }
}

#[test]
fn the_picture_outlives_moments_in_which_packets_are_sent_again() {
    let mut run = Run::new(limits(100, 100));
    run.rtt = Duration::from_millis(100);
    for _ in 0..20 {
        run.stay(1.0, 764, 61);
        run.stay(0.4, 0, 200);
    }
    assert!(run.controller.quality().video(), "{:?}", run.reasons());
    run.stay(4.0, 764, 61);
    assert!(!run.controller.quality().video(), "{:?}", run.reasons());
}

#[test]
fn the_picture_goes_where_even_its_minimum_never_passes() {
    let mut run = Run::new(limits(100, 100));
    let mut waves = |count| {
        for _ in 0..count {
            run.stay(0.6, 700, 110);
            run.stay(0.4, 300, 110);
        }
        run.controller.quality().video()
    };
    assert!(waves(4), "a queue of then may still drain");
    assert!(!waves(4), "a link for sound alone");
    // It is only too slow for moments where the queue is gone in between.
    let mut run = Run::new(limits(100, 100));
    for _ in 0..10 {
        run.stay(2.0, 300, 150);
        run.stay(0.4, 0, 150);
    }
    assert!(run.controller.quality().video(), "{:?}", run.reasons());
    // Above the minimum there is something else to give up.
    let mut run = Run::new(limits(100, 800));
    run.stay(60.0, 300, 900);
    let off = run.steps.iter().find(|(_, step)| !step.to.video());
    let lowest = run.steps.iter().find(|(_, step)| step.to.kbps == 100);
    let (off, lowest) = (off.expect("off"), lowest.expect("the minimum"));
    assert!(
        off.0 >= lowest.0 + Duration::from_secs(5),
        "{:?}",
        run.steps
    );
}

#[test]
fn a_link_that_is_gone_says_nothing_of_its_rate() {
    let mut run = Run::new(limits(100, 800));
    run.stay(1.0, 0, 800);
    for backlog in (0..10_000).step_by(500) {
        run.stay(0.5, backlog, 0);
    }
    run.stay(2.0, 0, 800);
    assert_eq!(run.reasons(), [""; 0]);
    assert_eq!(run.kbps(), 800);
}

#[test]
fn on_a_long_way_a_lost_packet_is_no_queue() {
    let mut run = Run::new(limits(100, 800));
    run.rtt = Duration::from_millis(100);
    run.stay(10.0, 220, 600);
    assert_eq!(run.reasons(), [""; 0]);
    run.stay(1.0, 260, 600);
    assert_eq!(run.reasons().len(), 1, "{:?}", run.reasons());
}

/// Falls on a link that has narrowed, fails to rise, and finds it wide again.
#[test]
fn a_link_that_widens_is_soon_used_again() {
    let seconds_to_800 = |rest: u64| {
        let mut run = Run::new(limits(100, 800));
        for _ in 0..3 {
            run.stay(1.0, 300, 400);
            run.stay(7.0, 0, 400);
        }
        run.stay(1.0, 300, 400);
        let begun = run.now;
        while run.kbps() < 800 && run.now < begun + Duration::from_secs(60) {
            // A key frame each second, that waits for so long.
            run.stay(0.12, rest, 800);
            run.stay(0.88, 0, 800);
        }
        (run.now - begun).as_secs()
    };
    let (wide, narrow) = (seconds_to_800(20), seconds_to_800(200));
    assert!(wide <= 20, "{wide} s");
    assert!(narrow > wide, "{narrow} s");
}

#[test]
fn everything_goes_in_its_order_and_comes_back_in_reverse() {
    let mut run = Run::new(limits(100, 800));
    run.stay(1.0, 0, 900);
    for backlog in (500..).step_by(100).take(12) {
        run.stay(0.5, backlog, 60);
    }
    let stages = |run: &Run| {
        let mut stages: Vec<_> = run.steps.iter().map(|(_, step)| step.to.stage).collect();
        stages.dedup();
        stages
    };
    use Stage::{FewerFrames, Full, Smaller, SoundOnly};
    assert_eq!(
        stages(&run),
        [FewerFrames, Smaller, SoundOnly],
        "{:?}",
        run.reasons()
    );
    assert!(
        run.reasons()
            .last()
            .is_some_and(|r| r.starts_with("picture off: backlog"))
    );
    run.steps.clear();
    run.stay(60.0, 0, 300);
    assert_eq!(
        stages(&run),
        [Smaller, FewerFrames, Full],
        "{:?}",
        run.reasons()
    );
    assert_eq!(run.kbps(), 800);
    let first = run.reasons()[0];
    assert!(
        first.starts_with("picture on: no backlog without the picture for 4"),
        "{first}"
    );
}

#[test]
fn a_queue_that_drains_is_left_alone() {
    let mut run = Run::new(limits(100, 800));
    run.stay(1.0, 0, 800);
    run.stay(0.4, 600, 500);
    let steps = run.steps.len();
    for backlog in (200..600).rev().step_by(20) {
        run.look(backlog, 400);
    }
    assert_eq!((steps, run.steps.len()), (1, 1), "{:?}", run.reasons());
}

#[test]
fn a_probe_that_fails_is_remembered() {
    let mut run = Run::new(limits(100, 800));
    let mut fails = Vec::new();
    // Takes 400 kbit/s in all, however long one tries.
    for _ in 0..25 * 120 {
        let over = run.kbps() + 64 > 400;
        run.look(if over { 200 } else { 0 }, 400.min(run.kbps() + 64));
        if let Some((at, step)) = run.steps.last().filter(|(_, step)| step.busy)
            && fails.last().is_none_or(|last| last != at)
            && step.from.kbps < 400
        {
            fails.push(*at);
        }
    }
    let gaps: Vec<_> = fails
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    assert!(
        gaps.len() > 3 && gaps[2..].iter().all(|gap| *gap >= 6),
        "{gaps:?} {:?}",
        run.reasons()
    );
    assert!(run.kbps() > 240, "{:?}", run.reasons());
}

/// A link that takes so many kbit/s, with a queue that loses nothing, and a sender that obeys
/// and encodes no picture while half a second waits, as the uplink does.
struct Link {
    run: Run,
    kbps: f64,
    /// Queue in kbit.
    queue: f64,
    /// Taken per look, in kbit, newest last.
    taken: Vec<f64>,
    /// Wait of a byte that enters the queue now, in s.
    delay: f64,
    /// Wait of the oldest byte, in s.
    age: f64,
}

impl Link {
    fn new(limits: Limits, kbps: f64) -> Self {
        Self {
            run: Run::new(limits),
            kbps,
            queue: 0.0,
            taken: vec![],
            delay: 0.0,
            age: 0.0,
        }
    }

    fn look(&mut self) {
        let seconds = LOOK.as_secs_f64();
        let quality = self.run.controller.quality();
        let paused = !quality.video() || self.age > 0.5;
        let video = if paused { 0 } else { quality.kbps };
        // Key frames make the stream uneven.
        let beat = if self.taken.len().is_multiple_of(25) {
            5.0
        } else {
            0.83
        };
        self.queue += (f64::from(video) * beat + 64.0) * seconds;
        let taken = self.queue.min(self.kbps * seconds);
        self.queue -= taken;
        self.taken.push(taken);
        self.delay = if self.queue > 0.0 {
            self.queue / self.kbps
        } else {
            0.0
        };
        let recent = &self.taken[self.taken.len().saturating_sub(10)..];
        let rate = recent.iter().sum::<f64>() / (recent.len() as f64 * seconds);
        // The age of the oldest byte is what the controller sees, not the delay of the newest.
        let mut age = 0.0;
        let mut left = self.queue;
        for sent in self.taken.iter().rev().take(250) {
            if left <= 0.0 {
                break;
            }
            left -= sent.max((f64::from(video) + 64.0) * seconds);
            age += seconds;
        }
        self.age = age;
        self.run.waiting = Some((self.queue * 125.0) as u64);
        self.run.look((age * 1000.0) as u64, rate as u32);
    }

    /// Runs for so many seconds; the delay of each moment.
    fn run(&mut self, seconds: f64) -> Vec<f64> {
        let looks = (seconds / LOOK.as_secs_f64()) as usize;
        (0..looks)
            .map(|_| {
                self.look();
                self.delay
            })
            .collect()
    }
}

#[test]
fn a_link_cut_to_an_eighth_and_back() {
    for max in [800, 1200, 1500, 2500] {
        let mut link = Link::new(limits(100, max), 3000.0);
        link.run(5.0);
        let before = link.run.kbps();
        assert_eq!(before, max, "{:?}", link.run.reasons());
        link.kbps = 400.0;
        let delays = link.run(40.0);
        let worst = delays.iter().copied().fold(0.0, f64::max);
        let late = delays.iter().rposition(|delay| *delay > 0.8).unwrap_or(0);
        let late = late as f64 * LOOK.as_secs_f64();
        let low = link.run.kbps();
        link.kbps = 3000.0;
        let begun = link.run.now;
        link.run(30.0);
        let wanted = f64::from(max) * 0.8;
        let reached =
            link.run.steps.iter().find(|(at, step)| {
                link.run.start + *at > begun && f64::from(step.to.kbps) >= wanted
            });
        let back = reached.map(|(at, _)| (link.run.start + *at - begun).as_secs_f64());
        println!(
            "{max}: worst {worst:.2} s, under 0.8 s after {late:.1} s, {low} kbit/s, back after {back:?}"
        );
        assert!(worst < 2.5, "{max}: {worst} s: {:#?}", link.run.reasons());
        assert!(late < 5.0, "{max}: {late} s: {:#?}", link.run.reasons());
        assert!(
            low > 200,
            "{max}: {low} kbit/s is far from what the link takes"
        );
        assert!(
            back.is_some_and(|s| s < 30.0),
            "{max}: {back:?} {:#?}",
            link.run.reasons()
        );
    }
}

#[test]
fn a_steady_link_has_a_steady_picture() {
    for kbps in [250.0, 400.0, 600.0, 900.0] {
        let mut link = Link::new(limits(100, 1500), kbps);
        link.run(30.0);
        link.run.steps.clear();
        let delays = link.run(120.0);
        let worst = delays.iter().copied().fold(0.0, f64::max);
        let stages = link
            .run
            .steps
            .iter()
            .filter(|(_, step)| step.from.stage != step.to.stage);
        let stages = stages.count();
        println!(
            "{kbps}: worst {worst:.2} s, {} steps, {stages} of stage",
            link.run.steps.len()
        );
        assert!(worst < 0.8, "{kbps}: {worst} s: {:#?}", link.run.reasons());
        assert!(stages <= 24, "{kbps}: {stages}: {:#?}", link.run.reasons());
        assert!(
            link.run.steps.len() <= 90,
            "{kbps}: {:#?}",
            link.run.reasons()
        );
    }
}

fn any_limits() -> impl Strategy<Value = Limits> {
    (
        0u32..12_000,
        0u32..12_000,
        0u32..12_000,
        0u32..200,
        1u32..61,
    )
        .prop_map(|(min_kbps, max_kbps, start_kbps, sound_kbps, fps)| Limits {
            min_kbps,
            max_kbps,
            start_kbps,
            sound_kbps,
            fps,
            size: (640, 480),
        })
}

proptest! {
    #[test]
    fn stays_in_limits_and_always_recovers(
        limits in any_limits(),
        weather in prop::collection::vec((0u64..20_000, 0u32..20_000, 1u64..80), 0..60),
    ) {
        let ordered = limits.in_order();
        let mut run = Run::new(limits);
        for (backlog, taken, looks) in weather {
            for _ in 0..looks {
                run.look(backlog, taken);
                let quality = run.controller.quality();
                prop_assert!(quality.kbps >= ordered.min_kbps && quality.kbps <= ordered.max_kbps);
                prop_assert!(quality.fps >= 1 && quality.fps <= limits.fps);
                prop_assert!(quality.width >= 2 && quality.width <= 640);
            }
        }
        for (_, step) in &run.steps {
            let (from, to) = (&step.from, &step.to);
            if step.busy {
                prop_assert!(to.kbps <= from.kbps && to.stage >= from.stage, "{step:?}");
            } else {
                prop_assert!(to.kbps >= from.kbps && to.stage <= from.stage, "{step:?}");
            }
        }
        run.stay(90.0, 0, 0);
        prop_assert_eq!(run.kbps(), ordered.max_kbps);
        prop_assert_eq!(run.controller.quality().stage, Stage::Full);
    }

    /// The more waits and the less went through, the lower the first step.
    #[test]
    fn reacts_monotonously(backlog in 150u64..5000, more in 0u64..5000, taken in 1u32..2000, less in 0u32..2000) {
        let after = |backlog, taken| {
            let mut run = Run::new(limits(100, 2000));
            run.stay(1.0, 0, taken);
            run.stay(0.33, backlog, taken);
            run.kbps()
        };
        prop_assert!(after(backlog + more, taken) <= after(backlog, taken));
        prop_assert!(after(backlog, taken.saturating_sub(less).max(1)) <= after(backlog, taken));
    }
}
