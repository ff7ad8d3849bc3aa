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
use super::super::relay_url;
use super::decide::{Figures, Next, after};
use super::kernel_queue;
use super::leg::{Counters, Leg, NETWORK, NETWORK_SECONDS, Taps};
use super::{UplinkConfig, UplinkStats};
use crate::protocol::events::PushCode;
use crate::protocol::stream_url;

/// How often the counters are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often the kernel's queue is looked at, which costs more.
const LOOK_CLOSER: Duration = Duration::from_millis(200);
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

impl Task {
    pub(super) fn new(
        taps: Taps,
        config: UplinkConfig,
        events: Events,
        stats: watch::Sender<UplinkStats>,
        key_frames: mpsc::Receiver<()>,
    ) -> Self {
        let backoff = Backoff::new(config.reconnect);
        let port = relay_url::port(config.url.expose_secret());
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
        let mut leg = None;
        if stop
            .run_until_cancelled(self.keep_up(&mut leg))
            .await
            .is_none()
        {
            end(&mut leg).await;
        }
        self.stats.send_modify(|stats| stats.connected = false);
    }

    /// Returns when the push is given up. The connection of now is in `leg`.
    async fn keep_up(&mut self, leg: &mut Option<Leg>) {
        let h264 = match self.prepare().await {
            Ok(h264) => h264,
            Err(loss) => return self.give_up(&loss),
        };
        self.stats
            .send_modify(|stats| h264.element.clone_into(&mut stats.encoder));
        loop {
            let mut loss = self.connection(h264, leg).await;
            end(leg).await;
            let url = self.config.url.expose_secret();
            loss.message = relay_url::without_secret(&loss.message, url);
            self.stats.send_modify(|stats| stats.connected = false);
            let wait = self.backoff.next(Instant::now(), rand::random());
            match after(&loss, self.ever_flowed, wait) {
                Next::GiveUp(cause) => return self.give_up(&Loss { cause, ..loss }),
                Next::Retry(wait) => {
                    self.tell_retry(&loss, wait);
                    tokio::time::sleep(wait).await;
                    self.stats.send_modify(|stats| stats.reconnects += 1);
                }
            }
        }
    }

    /// Looks at what no connection can be made without.
    async fn prepare(&self) -> Result<&'static H264, Loss> {
        if let Err(reason) = relay_url::check(self.config.url.expose_secret()) {
            let message = format!("the push URL {reason}");
            return Err(Loss {
                cause: LossCause::Refused,
                message,
            });
        }
        self.encoder().await
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

    /// Makes one connection and keeps it; returns why it failed.
    async fn connection(&mut self, h264: &H264, slot: &mut Option<Leg>) -> Loss {
        let url = stream_url::redacted(self.config.url.expose_secret());
        log::info!(url, encoder = h264.element; "uplink connects");
        let leg = match Leg::build(&self.config, &self.taps, h264) {
            Ok(leg) => slot.insert(leg),
            Err(error) => return encoder_loss(error.to_string()),
        };
        match self.connect(leg).await {
            Ok(accepted) => {
                self.events
                    .tell(PushCode::ConnectSucc, "connected to the relay");
                self.push(leg, accepted).await
            }
            Err(loss) => loss,
        }
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

    /// Tells of a loss, with its cause and the tries since.
    fn tell_loss(&self, code: PushCode, loss: &Loss, text: &str) {
        let params = [
            Some(loss.cause as i64),
            Some(i64::from(self.backoff.tries())),
        ];
        self.events.send(code, params, text.to_owned());
    }

    fn tell_retry(&self, loss: &Loss, wait: Duration) {
        log::warn!(cause:? = loss.cause, wait:?; "uplink lost: {}", loss.message);
        self.tell_loss(loss.cause.push_code(), loss, &loss.message);
        let text = format!("reconnecting in {} ms", wait.as_millis());
        self.tell_loss(PushCode::Reconnect, loss, &text);
    }

    fn give_up(&self, loss: &Loss) {
        log::warn!(cause:? = loss.cause, tries = self.backoff.tries(); "uplink given up: {}", loss.message);
        self.tell_loss(loss.cause.push_code(), loss, &loss.message);
        self.tell_loss(PushCode::NetDisconnect, loss, &loss.message);
    }
}

/// Closes a connection, if there is one.
async fn end(leg: &mut Option<Leg>) {
    if let Some(mut leg) = leg.take()
        && let Err(error) = leg.pipeline.stop().await
    {
        log::warn!(error:%; "the uplink does not stop");
    }
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
