//! The task that keeps the stream up: connects, watches that bytes move, tells why they do not,
//! and decides whether to try again.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::encoder::{self, H264};
use super::super::loss::{Loss, LossCause};
use super::super::pipeline::{BusEvent, STATE_DEADLINE, off_runtime};
use super::super::progress::Progress;
use super::super::push_event::Events;
use super::super::reconnect::Backoff;
use super::kernel_queue;
use super::leg::{Counters, Leg, NETWORK, NETWORK_SECONDS, Taps};
use super::{UplinkConfig, UplinkStats};
use crate::protocol::events::PushCode;
use crate::protocol::stream_url;

/// How often the counters are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often the kernel's queue is looked at, which costs more.
const LOOK_CLOSER: Duration = Duration::from_millis(200);
/// How often the figures are told (200001).
const FIGURES: Duration = Duration::from_secs(2);
/// Name, TCP, handshake, connect and publish together; each step has its own, shorter limit.
const CONNECT: Duration = Duration::from_secs(2 * NETWORK_SECONDS as u64);
/// Media that stands still for this long is a lost connection.
const SILENCE: Duration = Duration::from_secs(5);
/// Bytes beyond the accepted publish that prove media: the stream's headers are below 1 KiB.
const PROOF_BYTES: u64 = 4096;
/// A relay that refuses a stream may close only after it accepted the publish command.
const PROOF_TIME: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Task {
    taps: Taps,
    config: UplinkConfig,
    events: Events,
    stats: watch::Sender<UplinkStats>,
    key_frames: mpsc::Receiver<()>,
    backoff: Backoff,
    ever_flowed: bool,
    /// The relay's.
    port: Option<u16>,
}

/// What follows a loss.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Retry(Duration),
    GiveUp(LossCause),
}

impl Task {
    pub(super) fn new(
        taps: Taps,
        config: UplinkConfig,
        events: Events,
        stats: watch::Sender<UplinkStats>,
        key_frames: mpsc::Receiver<()>,
    ) -> Self {
        let backoff = Backoff::new(config.reconnect);
        let port = relay_port(config.url.expose_secret());
        Self {
            port,
            taps,
            config,
            events,
            stats,
            key_frames,
            backoff,
            ever_flowed: false,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.keep_up()).await.is_none() {
            log::debug!("uplink stopped");
        }
        self.stats.send_modify(|stats| stats.connected = false);
    }

    /// Returns when the push is given up.
    async fn keep_up(&mut self) {
        let h264 = match self.encoder().await {
            Ok(h264) => h264,
            Err(loss) => return self.give_up(&loss),
        };
        self.stats
            .send_modify(|stats| h264.element.clone_into(&mut stats.encoder));
        loop {
            let loss = self.connection(h264).await;
            self.stats.send_modify(|stats| stats.connected = false);
            let wait = self.backoff.next(Instant::now(), rand::random());
            match after(&loss, self.ever_flowed, wait) {
                Next::GiveUp(cause) => {
                    return self.give_up(&Loss {
                        cause,
                        message: loss.message,
                    });
                }
                Next::Retry(wait) => {
                    self.tell_loss(loss.cause.push_code(), &loss, &loss.message);
                    let text = format!("reconnecting in {} ms", wait.as_millis());
                    self.tell_loss(PushCode::Reconnect, &loss, &text);
                    tokio::time::sleep(wait).await;
                    self.stats.send_modify(|stats| stats.reconnects += 1);
                }
            }
        }
    }

    async fn encoder(&self) -> Result<&'static H264, Loss> {
        let choice = self.config.encoder.clone();
        let chosen = off_runtime(move || H264::choose(&choice, encoder::works));
        match tokio::time::timeout(STATE_DEADLINE, chosen).await {
            Ok(Ok(Ok(h264))) => Ok(h264),
            Ok(Ok(Err(error))) => Err(encoder_loss(error.to_string())),
            Ok(Err(_)) | Err(_) => Err(encoder_loss("no encoder answers".to_owned())),
        }
    }

    /// Makes one connection and keeps it; returns why it ended.
    async fn connection(&mut self, h264: &H264) -> Loss {
        let url = stream_url::redacted(self.config.url.expose_secret());
        log::info!(url, encoder = h264.element; "uplink connects");
        let mut leg = match Leg::build(&self.config, &self.taps, h264) {
            Ok(leg) => leg,
            Err(error) => return encoder_loss(error.to_string()),
        };
        let loss = match self.connect(&mut leg).await {
            Ok(accepted) => {
                self.events
                    .tell(PushCode::ConnectSucc, "connected to the relay");
                self.push(&mut leg, accepted).await
            }
            Err(loss) => loss,
        };
        if let Err(error) = leg.pipeline.stop().await {
            log::warn!(error:%; "the uplink does not stop");
        }
        loss
    }

    /// Waits until the relay has accepted the stream; returns the counters of that moment.
    async fn connect(&mut self, leg: &mut Leg) -> Result<Counters, Loss> {
        let patience = Instant::now() + CONNECT;
        leg.pipeline
            .start()
            .await
            .map_err(|error| Loss::of(&error, NETWORK))?;
        loop {
            if let Some(loss) = fault(leg).await {
                return Err(loss);
            }
            let counters = leg.counters();
            if counters.bytes > 0 {
                return Ok(counters);
            }
            if Instant::now() > patience {
                let message = format!("the relay did not answer within {} s", CONNECT.as_secs());
                return Err(Loss {
                    cause: LossCause::Handshake,
                    message,
                });
            }
        }
    }

    /// Sends media until something fails.
    async fn push(&mut self, leg: &mut Leg, accepted: Counters) -> Loss {
        let begun = Instant::now();
        let _attached = leg.attach(&self.taps);
        let mut progress = Progress::new(SILENCE, begun);
        let mut figures = Figures::new(begun, accepted);
        let before = self.stats.borrow().clone();
        let (mut flows, mut taken, mut next_look) = (false, 0, begun);
        loop {
            tokio::select! {
                loss = fault(leg) => if let Some(loss) = loss { return loss },
                Some(()) = self.key_frames.recv() => leg.request_key_frame(),
            }
            let (now, counters) = (Instant::now(), leg.counters());
            if now >= next_look {
                next_look = now + LOOK_CLOSER;
                // Read after the counters: what left meanwhile only makes progress look smaller.
                let waiting = self.kernel_queue().await;
                leg.set_kernel_backlog(self.time_to_send(waiting));
                taken = counters.bytes.saturating_sub(waiting);
            }
            if let Some(still) = progress.stalled(now, taken) {
                let message = format!("the peer took no byte for {:.1} s", still.as_secs_f64());
                return Loss {
                    cause: LossCause::Silent,
                    message,
                };
            }
            if !flows && counters.bytes >= accepted.bytes + PROOF_BYTES && now >= begun + PROOF_TIME
            {
                flows = true;
                self.begin(&before, counters);
            }
            if let Some(rates) = figures.renew(now, counters) {
                self.tell_figures(&before, counters, rates);
            }
        }
    }

    /// Bytes that the peer has not taken from our kernel.
    async fn kernel_queue(&self) -> u64 {
        let Some(port) = self.port else { return 0 };
        let queue = tokio::task::spawn_blocking(move || kernel_queue::bytes_to(port));
        queue.await.unwrap_or(0)
    }

    /// How long our streams take to make so many bytes.
    fn time_to_send(&self, bytes: u64) -> Duration {
        let kbps = self.config.bitrate_kbps + self.config.audio_kbps;
        Duration::from_millis(bytes * 8 / u64::from(kbps.max(1)))
    }

    /// Media flows.
    fn begin(&mut self, before: &UplinkStats, counters: Counters) {
        if !self.ever_flowed {
            self.events
                .tell(PushCode::StartVideoEncoder, before.encoder.clone());
        }
        self.ever_flowed = true;
        self.backoff.succeeded();
        self.stats.send_modify(|stats| {
            stats.connected = true;
            stats.frames = before.frames + counters.frames;
            stats.bytes_sent = before.bytes_sent + counters.bytes;
        });
        self.events.tell(PushCode::PushBegin, "media flows");
    }

    fn tell_figures(&self, before: &UplinkStats, counters: Counters, (fps, kbps): (f64, f64)) {
        self.stats.send_modify(|stats| {
            stats.fps = fps;
            stats.kbps = kbps;
            stats.frames = before.frames + counters.frames;
            stats.bytes_sent = before.bytes_sent + counters.bytes;
            stats.backlog_ms = counters.backlog.as_secs_f64() * 1000.0;
        });
        let backlog = counters.backlog.as_millis();
        let text = format!("{kbps:.0} kbit/s, {fps:.1} frames/s, backlog {backlog} ms");
        self.events.send(
            PushCode::NetStatus,
            [Some(kbps as i64), Some(fps as i64)],
            text,
        );
    }

    fn tell_loss(&self, code: PushCode, loss: &Loss, text: &str) {
        let params = [
            Some(loss.cause as i64),
            Some(i64::from(self.backoff.tries())),
        ];
        self.events.send(code, params, text.to_owned());
    }

    fn give_up(&self, loss: &Loss) {
        log::warn!(cause:? = loss.cause, tries = self.backoff.tries(); "uplink given up: {}", loss.message);
        self.tell_loss(loss.cause.push_code(), loss, &loss.message);
        self.tell_loss(PushCode::NetDisconnect, loss, &loss.message);
    }
}

/// The port of an RTMP URL; RTMP's own where it names none.
fn relay_port(url: &str) -> Option<u16> {
    let url = url::Url::parse(url).ok()?;
    url.port().or(match url.scheme() {
        "rtmp" => Some(1935),
        "rtmps" => Some(443),
        _ => None,
    })
}

/// Looks once, for a moment, for a reason why the connection no longer works.
async fn fault(leg: &mut Leg) -> Option<Loss> {
    match tokio::time::timeout(LOOK, leg.pipeline.next_event()).await {
        Ok(BusEvent::Error(error)) => Some(Loss::of(&error, NETWORK)),
        Ok(BusEvent::Eos) => Some(encoder_loss("the stream ended by itself".to_owned())),
        Ok(BusEvent::Warning { element, message }) => {
            log::warn!(element; "{message}");
            None
        }
        Err(_) => None,
    }
}

fn encoder_loss(message: String) -> Loss {
    Loss {
        cause: LossCause::Encoder,
        message,
    }
}

/// What follows a loss, given what the back-off allows.
fn after(loss: &Loss, ever_flowed: bool, wait: Option<Duration>) -> Next {
    let refused = matches!(loss.cause, LossCause::Refused | LossCause::ServerClosed);
    match wait {
        // A relay that never took a byte of media will not take the same URL a second later.
        _ if refused && !ever_flowed => Next::GiveUp(LossCause::Refused),
        Some(wait) => Next::Retry(wait),
        None => Next::GiveUp(loss.cause),
    }
}

/// Rates between two looks at the counters.
#[derive(Debug)]
struct Figures {
    since: Instant,
    last: Counters,
}

impl Figures {
    fn new(now: Instant, counters: Counters) -> Self {
        Self {
            since: now,
            last: counters,
        }
    }

    /// Frames per second and kbit/s, when it is time for them.
    fn renew(&mut self, now: Instant, counters: Counters) -> Option<(f64, f64)> {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        if seconds < FIGURES.as_secs_f64() {
            return None;
        }
        let frames = counters.frames.saturating_sub(self.last.frames) as f64;
        let bits = counters.bytes.saturating_sub(self.last.bytes) as f64 * 8.0;
        *self = Self::new(now, counters);
        Some((frames / seconds, bits / seconds / 1000.0))
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
            ..Counters::default()
        };
        let mut figures = Figures::new(start, counters(1000, 0));
        assert_eq!(
            figures.renew(start + Duration::from_millis(1900), counters(1, 1)),
            None
        );
        let rates = figures.renew(start + FIGURES, counters(251_000, 60));
        assert_eq!(rates, Some((30.0, 1000.0)));
        let later = start + 2 * FIGURES;
        assert_eq!(
            figures.renew(later, counters(251_000, 60)),
            Some((0.0, 0.0))
        );
    }
}
