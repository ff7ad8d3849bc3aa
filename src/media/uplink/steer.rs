//! Keeps the stream within what the link takes: reads the counters, asks the controller, and
//! applies what it says.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::counters::Counters;
use super::kernel_queue::KernelQueue;
use super::leg::Leg;
use super::outbox::Waiting;
use super::push_config::UplinkConfig;
use super::sock_diag::Held;
use super::stall;
use super::taps::Taps;
use crate::media::congestion::{Controller, Facts, Ledger, Limits, Quality, Reading, Step};
use crate::media::reach::{Question, Way};
use crate::media::relay_link::Socket;

/// Time between two looks at the counters, short against a backlog that is seen (our choice).
const LOOK: Duration = Duration::from_millis(40);
/// The same while the kernel passes on at once what it gets.
const LOOK_CALMLY: Duration = Duration::from_millis(80);
/// The same while something waits for the kernel.
const LOOK_CLOSER: Duration = Duration::from_millis(10);
/// The same where a look at the kernel's queue is expensive.
const LOOK_SELDOM: Duration = Duration::from_millis(200);
/// Time's worth of our streams that the kernel may hold, beyond the path's own time.
const KERNEL_HOLDS: Duration = Duration::from_millis(200);
/// Bytes that it may always hold: TCP needs some segments on their way to notice the loss of one.
const LEAST_ALLOWANCE: u64 = 8 * 1024;
/// Maximum of the path's own time that is allowed for.
const LONGEST_RTT: Duration = Duration::from_secs(1);
/// Time between two requests for a key frame.
const KEY_AGAIN: Duration = Duration::from_millis(500);
/// Rate that RTMP adds to the sound, in kbit/s: 47 headers a second.
const SOUND_HEADERS_KBPS: u32 = 5;

/// Outlives its connections: a new one begins as good as the last one ended.
#[derive(Debug)]
pub(super) struct Steering {
    controller: Controller,
    sound_kbps: u32,
}

/// Findings of one look.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) counters: Counters,
    pub(super) reading: Reading,
    pub(super) held: Held,
    pub(super) backlog: Duration,
    pub(super) step: Option<Step>,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    kernel: Option<KernelQueue>,
    held: Held,
    held_due: Instant,
    ledger: Ledger,
    due: Instant,
    key_due: Instant,
}

impl Steering {
    pub(super) fn new(taps: &Taps, config: &UplinkConfig) -> Self {
        let sound_kbps = config.audio_kbps + SOUND_HEADERS_KBPS;
        let limits = Limits {
            min_kbps: config.min_kbps,
            max_kbps: config.max_kbps,
            start_kbps: config.bitrate_kbps,
            sound_kbps,
            fps: taps.fps,
            size: taps.size,
        };
        Self {
            controller: Controller::new(limits),
            sound_kbps,
        }
    }

    pub(super) fn quality(&self) -> Quality {
        self.controller.quality()
    }

    /// Begins to watch a connection that the relay has accepted on this socket.
    pub(super) async fn watch(&mut self, socket: Option<Socket>) -> Watch {
        self.controller.restart();
        let kernel = match socket {
            Some(socket) => tokio::task::spawn_blocking(move || KernelQueue::of(socket))
                .await
                .ok(),
            None => None,
        };
        let now = Instant::now();
        Watch {
            kernel,
            held: Held::default(),
            held_due: now,
            ledger: Ledger::default(),
            due: now,
            key_due: now,
        }
    }

    /// Looks, and steers. The step that was made is in the answer.
    pub(super) async fn look(&mut self, watch: &mut Watch, leg: &Leg, taps: &Taps) -> Look {
        let counters = leg.counters();
        // Read after the counters: what left meanwhile only makes progress look smaller.
        watch.read_kernel().await;
        let (now, mut held) = (Instant::now(), watch.held);
        held.bytes += leg.link.holds(counters.bytes);
        let reading = watch.ledger.note(now, counters.bytes, held.bytes);
        let from = self.quality();
        let allowance = allowance(from, self.sound_kbps, reading.rtt);
        let waiting = leg.outbox.settle(held.bytes, allowance);
        let facts = Facts {
            backlog: reading.lag + waiting.oldest,
            waiting: held.bytes + waiting.bytes,
            taken_kbps: reading.taken_kbps,
            rtt: reading.rtt.unwrap_or_default(),
        };
        let step = self.controller.observe(&facts, now);
        if let Some(step) = &step {
            leg.set_quality(step.from, step.to, taps);
        }
        leg.attend_camera(taps, self.quality());
        watch.ask_for_key(&waiting, leg, now);
        watch.due = now + pause(held.bytes, waiting.bytes);
        Look {
            counters,
            reading,
            held,
            backlog: facts.backlog,
            step,
        }
    }
}

impl Watch {
    /// The time of the next look.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Hurries the next look: something waits now.
    pub(super) fn hurry(&mut self) {
        self.due = self.due.min(Instant::now() + LOOK_CLOSER);
    }

    pub(super) fn relay(&self) -> Option<SocketAddr> {
        self.kernel.as_ref()?.peer()
    }

    /// See [`KernelQueue::sever`].
    pub(super) fn sever(&self) {
        if let Some(kernel) = &self.kernel {
            kernel.sever();
        }
    }

    async fn read_kernel(&mut self) {
        let now = Instant::now();
        if now < self.held_due {
            return;
        }
        let Some(kernel) = self.kernel.take() else {
            return;
        };
        if kernel.is_quick() {
            self.held = kernel.look();
            self.kernel = Some(kernel);
            return;
        }
        self.held_due = now + LOOK_SELDOM;
        let look = tokio::task::spawn_blocking(move || (kernel.look(), kernel));
        if let Ok((held, kernel)) = look.await {
            self.held = held;
            self.kernel = Some(kernel);
        }
    }

    fn ask_for_key(&mut self, waiting: &Waiting, leg: &Leg, now: Instant) {
        if waiting.wants_key && now >= self.key_due {
            self.key_due = now + KEY_AGAIN;
            leg.request_key_frame();
        }
    }
}

/// Time until the next look, by the bytes that wait in the kernel and before it.
fn pause(kernel: u64, outbox: u64) -> Duration {
    match (kernel, outbox) {
        (0, 0) => LOOK_CALMLY,
        (_, 0) => LOOK,
        (_, _) => LOOK_CLOSER,
    }
}

/// Bytes that the kernel may hold.
fn allowance(quality: Quality, sound_kbps: u32, rtt: Option<Duration>) -> u64 {
    let video = if quality.video() { quality.kbps } else { 0 };
    let millis = (KERNEL_HOLDS + rtt.unwrap_or_default().min(LONGEST_RTT)).as_millis();
    let bytes = u128::from(video + sound_kbps) * millis / 8;
    u64::try_from(bytes)
        .unwrap_or(u64::MAX)
        .max(LEAST_ALLOWANCE)
}

/// A connection that stands still, as far as it does.
#[derive(Debug)]
pub(super) struct Standstill {
    taken: u64,
    since: Instant,
    question: Option<Question>,
    /// Whether it was reported that the stream is lost.
    pub(super) reported: bool,
}

impl Standstill {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            taken: 0,
            since: now,
            question: None,
            reported: false,
        }
    }

    pub(super) fn still(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Whether bytes move again.
    pub(super) fn moved(&mut self, taken: u64, now: Instant) -> bool {
        let moved = taken > self.taken;
        if moved {
            (self.taken, self.since, self.question) = (taken, now, None);
        }
        moved
    }

    /// Whether the connection must be replaced.
    pub(super) fn is_over(
        &mut self,
        held: Held,
        way: Option<&Way>,
        window: Duration,
        now: Instant,
    ) -> bool {
        let answered = match (&mut self.question, way) {
            (Some(question), _) => question.answered(),
            // Nobody to ask: time alone decides.
            (None, None) => Some(self.since),
            (None, Some(_)) => None,
        };
        let facts = stall::Facts {
            still: self.still(now),
            reachable: answered.map(|at| now.saturating_duration_since(at)),
            next_try: held.next_try,
            window,
        };
        match stall::judge(&facts) {
            stall::Verdict::Replace => return true,
            stall::Verdict::Ask if self.question.is_none() => {
                self.question = way.map(Way::ask);
            }
            stall::Verdict::Ask | stall::Verdict::Wait => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::congestion::Stage;

    #[test]
    fn the_kernel_holds_a_fifth_of_a_second() {
        let at = |stage, kbps| Quality {
            stage,
            kbps,
            ..Quality::default()
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        for (quality, rtt, bytes) in [
            (at(Stage::Full, 1200), None, 31_250),
            (at(Stage::Full, 1200), ms(200), 62_500),
            (at(Stage::Full, 1200), ms(9000), 187_500),
            (at(Stage::Smaller, 100), ms(40), LEAST_ALLOWANCE),
            (at(Stage::SoundOnly, 1200), None, LEAST_ALLOWANCE),
        ] {
            assert_eq!(allowance(quality, 50, rtt), bytes, "{quality:?} {rtt:?}");
        }
    }
}
