//! Reports what the uplink does, as figures and events: steps, losses, whose pictures are sent.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;

use super::counters::Counters;
use super::decide::Rates;
use super::outbox::Outbox;
use super::push_stats::UplinkStats;
use super::steer::Look;
use crate::media::congestion::{Quality, Step};
use crate::media::cpu::CpuMeter;
use crate::media::loss::Loss;
use crate::media::push_event::Events;
use crate::protocol::events::PushCode;
use crate::protocol::net_status::NetStatus;

/// Events and figures of the uplink's task.
#[derive(Debug)]
pub(super) struct Reporter {
    pub(super) events: Events,
    pub(super) stats: watch::Sender<UplinkStats>,
    cpu: CpuMeter,
}

impl Reporter {
    pub(super) fn new(events: Events, stats: watch::Sender<UplinkStats>) -> Self {
        Self {
            events,
            stats,
            cpu: CpuMeter::default(),
        }
    }

    /// Notes the encoder of what is sent, once something is: the camera's or ours.
    pub(super) fn note_encoder(&self, name: Option<String>) {
        let Some(name) = name else { return };
        self.stats.send_if_modified(|stats| {
            let news = stats.encoder != name;
            if news {
                log::info!(before = stats.encoder; "the picture is encoded by {name}");
                stats.encoder = name;
            }
            news
        });
    }

    /// Reports that the encoder has begun, for the first time in this push.
    pub(super) fn encoder_started(&self) {
        let encoder = self.stats.borrow().encoder.clone();
        self.events.report(PushCode::StartVideoEncoder, encoder);
    }

    /// Reports that media flows, after what earlier connections have done.
    pub(super) fn flows(&self, before: &UplinkStats, counters: Counters) {
        self.stats.send_modify(|stats| {
            stats.connected = true;
            stats.frames = before.frames + counters.frames;
            stats.bytes_sent = before.bytes_sent + counters.bytes;
        });
        self.events.report(PushCode::PushBegin, "media flows");
    }

    /// Reports the figures of 200001.
    pub(super) fn figures(
        &mut self,
        before: &UplinkStats,
        look: &Look,
        rates: Rates,
        outbox: &Outbox,
        quality: Quality,
        relay: Option<SocketAddr>,
    ) {
        let (counters, tally) = (look.counters, outbox.tally());
        // Our own measure ends at the next look, which may be much later.
        let rtt = look.held.rtt.or(look.reading.rtt);
        let delay = outbox
            .stages
            .delays(look.reading.lag, rtt.map(|rtt| rtt / 2));
        let dropped = before.dropped + tally.dropped;
        let waits = counters.encoder_queue;
        let status = NetStatus {
            cpu: self.cpu.look(),
            video_kbps: rates.video_kbps,
            audio_kbps: rates.audio_kbps,
            fps: rates.fps,
            gop: rates.gop,
            net_kbps: rates.net_kbps,
            jitter_ms: Some(look.reading.jitter.as_secs_f64() * 1000.0),
            cache: tally.longest as u64,
            dropped,
            width: quality.width,
            height: quality.height,
            server: relay.map(|relay| relay.ip()),
            codec_cache: waits,
            codec_dropped: counters.given.saturating_sub(counters.encoded + waits),
            wanted_kbps: Some(quality.kbps),
        };
        self.stats.send_modify(|stats| {
            stats.fps = rates.fps;
            stats.kbps = rates.net_kbps;
            stats.frames = before.frames + counters.frames;
            stats.encoded = before.encoded + counters.given;
            stats.bytes_sent = before.bytes_sent + counters.bytes;
            stats.backlog_ms = look.backlog.as_secs_f64() * 1000.0;
            stats.rtt_ms = rtt.map(|rtt| rtt.as_secs_f64() * 1000.0);
            stats.delay_ms = delay;
            stats.dropped = dropped;
            stats.net_status = status;
        });
        let params = [Some(rates.net_kbps as i64), Some(rates.fps as i64)];
        self.events
            .report_with(PushCode::NetStatus, params, status.to_string());
    }

    /// Reports what was changed to fit the link, and why.
    pub(super) fn step(&self, step: &Step, look: &Look) {
        let (from, to) = (step.from, step.to);
        log::info!(kbps = to.kbps, fps = to.fps, width = to.width, height = to.height; "uplink {}", step.reason);
        self.stats.send_modify(|stats| {
            stats.quality = to;
            stats.reason.clone_from(&step.reason);
        });
        let report = |code, a: u32, b: u32| {
            let params = [Some(i64::from(a)), Some(i64::from(b))];
            self.events.report_with(code, params, step.reason.clone());
        };
        if step.busy {
            let millis = u32::try_from(look.backlog.as_millis()).unwrap_or(u32::MAX);
            report(PushCode::NetBusy, millis, look.reading.taken_kbps);
        }
        if from.kbps != to.kbps {
            report(PushCode::ChangeBitrate, to.kbps, to.fps);
        }
        if (from.width, from.height) != (to.width, to.height) {
            report(PushCode::ChangeResolution, to.width, to.height);
        }
    }

    /// Reports a loss, with its cause and the tries since media flowed.
    pub(super) fn loss(&self, code: PushCode, loss: &Loss, tries: u32, text: &str) {
        let params = [Some(loss.cause as i64), Some(i64::from(tries))];
        self.events.report_with(code, params, text.to_owned());
    }

    /// Reports a loss after which the next try follows in `wait`.
    pub(super) fn retry(&self, loss: &Loss, wait: Duration, tries: u32) {
        log::warn!(cause:? = loss.cause, wait:?; "uplink lost: {}", loss.message);
        self.loss(loss.cause.push_code(), loss, tries, &loss.message);
        let text = format!("reconnecting in {} ms", wait.as_millis());
        self.loss(PushCode::Reconnect, loss, tries, &text);
    }

    /// Reports the end of the push.
    pub(super) fn give_up(&self, loss: &Loss, tries: u32) {
        log::warn!(cause:? = loss.cause, tries; "uplink given up: {}", loss.message);
        self.loss(loss.cause.push_code(), loss, tries, &loss.message);
        self.loss(PushCode::NetDisconnect, loss, tries, &loss.message);
    }
}
