//! What the uplink's task tells: figures, steps, losses.

use std::time::Duration;

use super::Task;
use crate::media::congestion::Step;
use crate::media::loss::Loss;
use crate::media::uplink::UplinkStats;
use crate::media::uplink::decide::Rates;
use crate::media::uplink::leg::{Counters, Leg};
use crate::media::uplink::outbox::Outbox;
use crate::media::uplink::steer::Look;
use crate::protocol::events::PushCode;
use crate::protocol::net_status::NetStatus;

impl Task {
    /// Says in the figures who encodes what is sent, which may be the camera or our encoder.
    pub(super) fn note_encoder(&self, leg: &Leg) {
        let Some(name) = leg.encoder_name() else {
            return;
        };
        self.stats.send_if_modified(|stats| {
            let news = stats.encoder != name;
            if news {
                log::info!(before = stats.encoder; "the picture is encoded by {name}");
                stats.encoder = name;
            }
            news
        });
    }

    /// Media flows.
    pub(super) fn begin(&mut self, before: &UplinkStats, counters: Counters) {
        if !self.ever_flowed {
            self.events.tell(
                PushCode::StartVideoEncoder,
                self.stats.borrow().encoder.clone(),
            );
        }
        self.ever_flowed = true;
        self.backoff.reset();
        self.stats.send_modify(|stats| {
            stats.connected = true;
            stats.frames = before.frames + counters.frames;
            stats.bytes_sent = before.bytes_sent + counters.bytes;
        });
        self.events.tell(PushCode::PushBegin, "media flows");
    }

    pub(super) fn tell_figures(
        &mut self,
        before: &UplinkStats,
        look: &Look,
        rates: Rates,
        outbox: &Outbox,
    ) {
        let (counters, tally) = (look.counters, outbox.tally());
        // Our own measure ends at the next look, which may be much later.
        let rtt = look.held.rtt.or(look.reading.rtt);
        let delay = outbox
            .stages
            .delays(look.reading.lag, rtt.map(|rtt| rtt / 2));
        let dropped = before.dropped + tally.dropped;
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
        });
        let quality = self.steering.quality();
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
            server: self.relay.map(|relay| relay.ip()),
            codec_cache: waits,
            codec_dropped: counters.given.saturating_sub(counters.encoded + waits),
            wanted_kbps: Some(quality.kbps),
        };
        self.stats.send_modify(|stats| stats.net_status = status);
        let params = [Some(rates.net_kbps as i64), Some(rates.fps as i64)];
        self.events
            .send(PushCode::NetStatus, params, status.to_string());
    }

    /// Tells what was changed to fit the link, and why.
    pub(super) fn tell_step(&self, step: &Step, look: &Look) {
        let (from, to) = (step.from, step.to);
        log::info!(kbps = to.kbps, fps = to.fps, width = to.width, height = to.height; "uplink {}", step.reason);
        self.stats.send_modify(|stats| {
            stats.quality = to;
            stats.reason.clone_from(&step.reason);
        });
        let tell = |code, a: u32, b: u32| {
            let params = [Some(i64::from(a)), Some(i64::from(b))];
            self.events.send(code, params, step.reason.clone());
        };
        if step.busy {
            let millis = u32::try_from(look.backlog.as_millis()).unwrap_or(u32::MAX);
            tell(PushCode::NetBusy, millis, look.reading.taken_kbps);
        }
        if from.kbps != to.kbps {
            tell(PushCode::ChangeBitrate, to.kbps, to.fps);
        }
        if (from.width, from.height) != (to.width, to.height) {
            tell(PushCode::ChangeResolution, to.width, to.height);
        }
    }

    /// Tells of a loss, with its cause and the tries since.
    pub(super) fn tell_loss(&self, code: PushCode, loss: &Loss, text: &str) {
        let params = [
            Some(loss.cause as i64),
            Some(i64::from(self.backoff.failures())),
        ];
        self.events.send(code, params, text.to_owned());
    }

    pub(super) fn tell_retry(&self, loss: &Loss, wait: Duration) {
        log::warn!(cause:? = loss.cause, wait:?; "uplink lost: {}", loss.message);
        self.tell_loss(loss.cause.push_code(), loss, &loss.message);
        let text = format!("reconnecting in {} ms", wait.as_millis());
        self.tell_loss(PushCode::Reconnect, loss, &text);
    }

    pub(super) fn give_up(&self, loss: &Loss) {
        log::warn!(cause:? = loss.cause, tries = self.backoff.failures(); "uplink given up: {}", loss.message);
        self.tell_loss(loss.cause.push_code(), loss, &loss.message);
        self.tell_loss(PushCode::NetDisconnect, loss, &loss.message);
    }
}
