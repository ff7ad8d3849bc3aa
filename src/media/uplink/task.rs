//! The task that keeps the stream up: connects, watches that bytes move, tells why they do not,
//! and decides whether to try again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::counters::Counters;
use super::decide::{Figures, Next, Silence, after};
use super::encoders::{Encoders, encoder_loss};
use super::leg::{Leg, NETWORK, NETWORK_SECONDS};
use super::push_config::UplinkConfig;
use super::push_stats::UplinkStats;
use super::reporter::Reporter;
use super::stall;
use super::steer::{Look, Standstill, Steering};
use super::taps::Taps;
use crate::media::codecs::{H264, Shape};
use crate::media::loss::{Loss, LossCause};
use crate::media::pipeline::{BusEvent, Pipeline};
use crate::media::push_event::Events;
use crate::media::reach::Way;
use crate::media::relay_link::{self, RelayLink};
use crate::media::relay_url;
use crate::process::backoff::Backoff;
use crate::protocol::events::PushCode;
use crate::protocol::stream_url;

/// Time between two looks at a connection that is being made.
const LOOK: Duration = Duration::from_millis(50);
/// Time for which a relay that cannot be reached is asked before a connection is tried anyway.
const ASK: Duration = Duration::from_secs(3);
/// Time for name, TCP, handshake, connect and publish together; each step has its own, shorter
/// limit.
const CONNECT: Duration = Duration::from_secs(2 * NETWORK_SECONDS as u64);
/// Bytes beyond the accepted publish that prove media: the stream's headers are below 1 KiB.
const PROOF_BYTES: u64 = 4096;
/// Time after which media is proven: a relay that refuses a stream may close only after it accepted
/// the publish command.
const PROOF_TIME: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Task {
    taps: Taps,
    config: UplinkConfig,
    reporter: Reporter,
    key_frames: mpsc::Receiver<()>,
    backoff: Backoff,
    ever_flowed: bool,
    /// The way to the relay, to ask whether it can be reached.
    way: Option<Way>,
    /// The relay's last address.
    relay: Option<SocketAddr>,
    steering: Steering,
    /// Hardware that failed.
    failed: Vec<&'static str>,
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
        let way = Way::of(config.url.expose_secret(), &config.tls);
        Self {
            way,
            relay: None,
            steering: Steering::new(&taps, &config),
            failed: Vec::new(),
            taps,
            config,
            reporter: Reporter::new(events, stats),
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
        self.reporter
            .stats
            .send_modify(|stats| stats.connected = false);
    }

    /// Returns when the push is given up. The connection of now is in `leg`.
    async fn keep_up(&mut self, leg: &mut Option<Leg>) {
        let mut encoders = match self.prepare().await {
            Ok(encoders) => encoders,
            Err(loss) => return self.give_up(&loss),
        };
        let quality = self.steering.quality();
        self.reporter
            .stats
            .send_modify(|stats| stats.quality = quality);
        loop {
            self.reporter
                .stats
                .send_modify(|stats| encoders.h264.element.clone_into(&mut stats.encoder));
            let mut loss = self.connection(encoders, leg).await;
            end(leg).await;
            let url = self.config.url.expose_secret();
            loss.message = relay_url::without_secret(&loss.message, url);
            self.reporter
                .stats
                .send_modify(|stats| stats.connected = false);
            let wait = self.backoff.next(Instant::now(), rand::random());
            match after(&loss, self.ever_flowed, wait) {
                Next::GiveUp(cause) => return self.give_up(&Loss { cause, ..loss }),
                Next::Retry(wait) => {
                    self.reporter.retry(&loss, wait, self.backoff.failures());
                    tokio::time::sleep(wait).await;
                    self.reach(&loss).await;
                    encoders = self.next(encoders, &loss).await;
                    self.reporter
                        .stats
                        .send_modify(|stats| stats.reconnects += 1);
                }
            }
        }
    }

    /// Checks the URL and chooses the encoders, without which no connection can be made.
    async fn prepare(&self) -> Result<Encoders, Loss> {
        if let Err(reason) = relay_url::check(self.config.url.expose_secret()) {
            let message = format!("the push URL {reason}");
            return Err(Loss {
                cause: LossCause::Refused,
                message,
            });
        }
        self.encoders().await
    }

    async fn encoders(&self) -> Result<Encoders, Loss> {
        let shape = Shape {
            width: self.taps.size.0,
            height: self.taps.size.1,
            fps: self.taps.fps,
            kbps: self.config.bitrate_kbps,
        };
        Encoders::choose(&self.config.encoder, &self.failed, shape).await
    }

    /// The encoders after a loss: software in place of hardware that failed, and hardware that
    /// turned out to work since.
    async fn next(&mut self, now: Encoders, loss: &Loss) -> Encoders {
        let blamed = loss.cause == LossCause::Encoder && now.h264.is_hardware();
        if blamed {
            self.failed.push(now.h264.element);
        }
        let Ok(next) = self.encoders().await else {
            return now;
        };
        if blamed {
            let (other, failed) = (next.h264.element, now.h264.element);
            let text = format!("{other} in place of {failed}: {}", loss.message);
            log::warn!("{text}");
            self.reporter
                .events
                .report(PushCode::HwAccelerationFail, text);
        }
        next
    }

    /// Waits, for a while, until the relay can be reached. A connection begun before would wait
    /// for its own, ever rarer tries.
    async fn reach(&self, loss: &Loss) {
        let path = matches!(
            loss.cause,
            LossCause::Unreachable | LossCause::Handshake | LossCause::Silent
        );
        // One that was never reached may never be.
        let way = self.way.as_ref().filter(|_| path && self.relay.is_some());
        if let Some(way) = way {
            // Either way a connection is tried now.
            let _ = tokio::time::timeout(ASK, way.ask().wait()).await;
        }
    }

    /// Makes one connection and keeps it; returns why it failed.
    async fn connection(&mut self, encoders: Encoders, slot: &mut Option<Leg>) -> Loss {
        let url = stream_url::redacted(self.config.url.expose_secret());
        log::info!(url, encoder = encoders.h264.element; "uplink connects");
        let link = match RelayLink::open(self.config.url.expose_secret(), &self.config.tls).await {
            Ok(link) => link,
            Err(loss) => return loss,
        };
        let tls = link.session().to_owned();
        let quality = self.steering.quality();
        let leg = match Leg::build(&self.config, &self.taps, encoders, quality, link) {
            Ok(leg) => slot.insert(leg),
            Err(error) => return encoder_loss(error.to_string()),
        };
        match self.connect(leg).await {
            Ok(accepted) => {
                self.reporter.stats.send_modify(|stats| stats.tls = tls);
                self.reporter
                    .events
                    .report(PushCode::ConnectSucc, "connected to the relay");
                self.push(leg, accepted).await
            }
            Err(loss) if loss.cause == LossCause::Handshake => {
                let url = self.config.url.expose_secret();
                let tls = relay_link::plain_to_tls(url, &self.config.tls).await;
                tls.unwrap_or(loss)
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
            if let Ok(Some(loss)) = tokio::time::timeout(LOOK, fault(&mut leg.pipeline)).await {
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
        let mut watch = self.steering.watch(leg.link.socket()).await;
        self.relay = watch.relay().or(self.relay);
        let _attached = leg.attach(&self.taps, self.steering.quality());
        let mut figures = Figures::new(begun, accepted);
        let mut standstill = Standstill::new(begun);
        let before = self.reporter.stats.borrow().clone();
        let hardware = H264::named(&before.encoder).is_some_and(H264::is_hardware);
        let mut silence = hardware.then(|| Silence::new(begun));
        let (outbox, mut flows) = (Arc::clone(&leg.outbox), false);
        loop {
            tokio::select! {
                loss = fault(&mut leg.pipeline) => if let Some(loss) = loss {
                    watch.sever();
                    return loss;
                },
                Some(()) = self.key_frames.recv() => leg.request_key_frame(),
                () = outbox.waits.notified() => watch.hurry(),
                () = tokio::time::sleep_until(watch.due()) => {}
            }
            let now = Instant::now();
            if now < watch.due() {
                continue;
            }
            let look = self.steering.look(&mut watch, leg, &self.taps).await;
            if let Some(step) = &look.step {
                self.reporter.step(step, &look);
            }
            if standstill.moved(look.reading.taken, now) {
                if std::mem::take(&mut standstill.reported) {
                    self.resume();
                }
            } else if let Some(loss) = self.stands(&mut standstill, &look, now) {
                watch.sever();
                return loss;
            }
            self.reporter.note_encoder(leg.encoder_name());
            let counters = look.counters;
            if silence.as_mut().is_some_and(|s| s.is_over(counters, now)) {
                watch.sever();
                return encoder_loss("the encoder takes pictures and gave no picture".to_owned());
            }
            if !flows && counters.bytes >= accepted.bytes + PROOF_BYTES && now >= begun + PROOF_TIME
            {
                flows = true;
                self.begin(&before, counters);
            }
            if let Some(rates) = figures.renew(now, counters) {
                let (quality, relay) = (self.steering.quality(), self.relay);
                self.reporter
                    .figures(&before, &look, rates, &outbox, quality, relay);
            }
        }
    }

    /// The reason to replace a connection whose peer takes nothing, if there is one.
    fn stands(&self, standstill: &mut Standstill, look: &Look, now: Instant) -> Option<Loss> {
        let still = standstill.still(now);
        let way = self.way.as_ref().filter(|_| self.relay.is_some());
        let loss = || Loss {
            cause: LossCause::Silent,
            message: format!("the peer took no byte for {:.1} s", still.as_secs_f64()),
        };
        if standstill.is_over(look.held, way, self.config.reconnect.window, now) {
            return Some(loss());
        }
        if still >= stall::SILENCE && !std::mem::replace(&mut standstill.reported, true) {
            self.reporter
                .stats
                .send_modify(|stats| stats.connected = false);
            let (loss, tries) = (loss(), self.backoff.failures());
            self.reporter
                .loss(PushCode::ServerNoData, &loss, tries, &loss.message);
            self.reporter
                .loss(PushCode::Reconnect, &loss, tries, "waiting for the link");
        }
        None
    }

    /// Reports that media flows.
    fn begin(&mut self, before: &UplinkStats, counters: Counters) {
        if !std::mem::replace(&mut self.ever_flowed, true) {
            self.reporter.encoder_started();
        }
        self.backoff.reset();
        self.reporter.flows(before, counters);
    }

    fn give_up(&self, loss: &Loss) {
        self.reporter.give_up(loss, self.backoff.failures());
    }

    /// Reports that the connection that stood still works again.
    fn resume(&self) {
        self.reporter
            .stats
            .send_modify(|stats| stats.connected = true);
        self.reporter
            .events
            .report(PushCode::PushBegin, "media flows again");
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

/// Waits for what the pipeline says; a reason why the connection no longer works, if it is one.
async fn fault(pipeline: &mut Pipeline) -> Option<Loss> {
    match pipeline.next_event().await {
        BusEvent::Error(error) => Some(Loss::of(&error, NETWORK)),
        BusEvent::Eos => Some(encoder_loss("the stream ended by itself".to_owned())),
        BusEvent::Warning { element, message } => {
            log::warn!(element; "{message}");
            None
        }
    }
}
