//! The task that owns the player's connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gstreamer as gst;
use secrecy::ExposeSecret;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::arrivals::Arrivals;
use super::fault::{self, DECODER, Fault};
use super::figures::Figures;
use super::outlets::Outlets;
use super::passage::Tally;
use super::play_config::DownlinkConfig;
use super::play_stats::{DownlinkStats, PlayDelay};
use super::progress::{Notice, Progress};
use super::rates::Rates;
use super::source::Source;
use super::stream::{Stream, Told};
use crate::media::codecs::{self, CodecReport, Decoder, Decoders, Shape, choose_decoders};
use crate::media::error::MediaError;
use crate::media::format::SAMPLE_RATE;
use crate::media::play_event::PlayEvent;
use crate::media::reach::Way;
use crate::media::relay_link;
use crate::media::speaker::SpeakerInput;
use crate::media::tone::AudioLevel;
use crate::process::backoff::Backoff;
use crate::protocol::events::PlayCode;
use crate::protocol::flv::Track;
use crate::protocol::stream_url::redacted;

/// Time between two looks at the counters until it plays.
const TICK: Duration = Duration::from_millis(50);
/// The same while it plays.
const PLAYING_TICK: Duration = Duration::from_millis(100);
/// Time between two renewals of the figures.
const STATS_EVERY: Duration = Duration::from_millis(500);
/// Time for which a relay that cannot be reached is asked before a connection is tried anyway.
const LONGEST_ASK: Duration = Duration::from_secs(10);

/// The end of the work on one connection.
enum End {
    Stopped,
    Lost { fault: Fault, played: bool },
}

/// Sums over the connections before this one.
#[derive(Debug, Default)]
struct Earlier {
    frames: u64,
    bytes: u64,
    freezes: u32,
    tally: Tally,
}

pub(super) struct Player {
    config: DownlinkConfig,
    events: mpsc::Sender<PlayEvent>,
    picture: Arc<watch::Sender<Option<gst::Sample>>>,
    stats_out: watch::Sender<DownlinkStats>,
    stats: DownlinkStats,
    earlier: Earlier,
    rates: Rates,
    software_only: bool,
    started: Instant,
    stats_due: Instant,
    figures: Figures,
}

impl Player {
    pub(super) fn new(
        config: DownlinkConfig,
        events: mpsc::Sender<PlayEvent>,
        picture: Arc<watch::Sender<Option<gst::Sample>>>,
        stats_out: watch::Sender<DownlinkStats>,
    ) -> Self {
        let now = Instant::now();
        Self {
            config,
            events,
            picture,
            stats_out,
            stats: DownlinkStats::default(),
            earlier: Earlier::default(),
            rates: Rates::default(),
            software_only: false,
            started: now,
            stats_due: now,
            figures: Figures::new(now),
        }
    }

    /// Plays until `stop`, or until the stream is given up.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.config.reconnect);
        loop {
            let End::Lost { fault, played } = self.play_once(&stop).await else {
                break;
            };
            if played {
                backoff.reset();
            }
            let wait = match fault.is_final() {
                true => None,
                false => backoff.next(Instant::now(), rand::random()),
            };
            self.report_loss(&fault, wait, backoff.failures());
            let Some(wait) = wait else { break };
            self.stats.reconnects += 1;
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.reach(&fault, wait) => {}
            }
        }
        self.picture.send_replace(None);
    }

    /// Waits before the next try; when the path is gone, until the relay can be reached, but not
    /// for ever.
    async fn reach(&self, fault: &Fault, wait: Duration) {
        tokio::time::sleep(wait).await;
        let url = self.config.url.expose_secret();
        if fault.is_of_the_path()
            && let Some(way) = Way::of(url, &self.config.tls)
        {
            let patience = (self.config.reconnect.window / 3).min(LONGEST_ASK);
            // Either way a connection is tried now.
            let _ = tokio::time::timeout(patience, way.ask().wait()).await;
        }
    }

    /// One connection from its start to its end.
    async fn play_once(&mut self, stop: &CancellationToken) -> End {
        let arrivals = Arc::new(Arrivals::default());
        let connecting = stop.run_until_cancelled(self.connect(&arrivals)).await;
        let Some(connecting) = connecting else {
            return End::Stopped;
        };
        let mut progress = Progress::new(Instant::now());
        let mut fault = match connecting {
            Err(fault) => Some(fault),
            Ok(mut stream) => {
                let fault = tokio::select! {
                    () = stop.cancelled() => None,
                    fault = self.follow(&mut stream, &arrivals, &mut progress) => Some(fault),
                };
                stream.stop().await;
                fault
            }
        };
        if fault
            .as_ref()
            .is_some_and(|fault| fault.code() == PlayCode::ShakeFail)
            && let url = self.config.url.expose_secret()
            && let Some(loss) = relay_link::plain_to_tls(url, &self.config.tls).await
        {
            fault = Some(loss.into());
        }
        if fault.is_some()
            && let Some(notice) = progress.lost()
        {
            self.report(notice, "the picture stands still".to_owned());
        }
        self.conclude(&arrivals, &progress);
        match fault {
            None => End::Stopped,
            Some(fault) => End::Lost {
                fault,
                played: progress.played(),
            },
        }
    }

    /// Opens the way to the relay, and prepares what plays over it.
    async fn connect(&mut self, arrivals: &Arc<Arrivals>) -> Result<Stream, Fault> {
        let url = self.config.url.expose_secret();
        fault::check_url(url)?;
        let decoders = self.decoders().await?;
        let source = Source::open(url, &self.config.tls).await?;
        self.stats.tls.clone_from(&source.session);
        self.figures.restart(source.peer);
        let outlets = Outlets {
            arrivals: Arc::clone(arrivals),
            picture: Arc::clone(&self.picture),
            speaker: self.config.speaker.clone(),
            decoders,
        };
        Ok(Stream::new(source, outlets, self.config.largest_picture))
    }

    /// The best that are known to work.
    async fn decoders(&self) -> Result<Decoders, MediaError> {
        let decide = |report: &CodecReport| choose_decoders(self.software_only, report);
        let chosen = codecs::settle(Shape::default(), decide).await;
        chosen.unwrap_or_else(|| Err(MediaError::Build("no decoder answers".to_owned())))
    }

    /// Plays and reports what happens, until a fault ends it.
    async fn follow(
        &mut self,
        stream: &mut Stream,
        arrivals: &Arrivals,
        progress: &mut Progress,
    ) -> Fault {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                now = tick.tick() => {
                    let facts = arrivals.facts(progress.is_connected() || stream.is_connected());
                    match progress.step(facts, now) {
                        Ok(notices) => self.publish(notices, arrivals, progress, now),
                        Err(fault) => return fault,
                    }
                    if progress.played() && tick.period() != PLAYING_TICK {
                        tick = tokio::time::interval_at(now + PLAYING_TICK, PLAYING_TICK);
                        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    }
                }
                told = stream.next() => match told {
                    Ok(Told::Unplayable(track, reason)) => self.refuse(track, reason),
                    Ok(Told::Warning { element, message }) => self.warn(&element, message),
                    Err(fault) => return fault,
                }
            }
        }
    }

    /// Names a track that is not played.
    fn refuse(&mut self, track: Track, reason: String) {
        let code = match track {
            Track::Picture => PlayCode::VideoDecodeFail,
            Track::Sound => PlayCode::AudioDecodeFail,
        };
        self.report((code, [None; 2]), reason);
    }

    /// Reports the notices, and renews the figures when they are due.
    fn publish(
        &mut self,
        notices: Vec<Notice>,
        arrivals: &Arrivals,
        progress: &Progress,
        now: Instant,
    ) {
        let due = now >= self.stats_due || !notices.is_empty();
        if due {
            self.take_figures(arrivals, progress, now);
        }
        for notice in notices {
            let message = self.describe(notice);
            self.report(notice, message);
        }
        if let Some(status) = self.figures.renew(arrivals, &self.stats, now) {
            self.stats.net_status = status;
            let params = [Some(status.net_kbps as i64), Some(status.fps as i64)];
            self.report((PlayCode::NetStatus, params), status.to_string());
        }
    }

    fn take_figures(&mut self, arrivals: &Arrivals, progress: &Progress, now: Instant) {
        let stats = &mut self.stats;
        let facts = arrivals.facts(progress.is_connected());
        stats.frames = self.earlier.frames + facts.frames;
        stats.freezes = self.earlier.freezes + progress.freezes();
        stats.connected = facts.connected;
        stats.audio = arrivals.level(now);
        [stats.picture_refused, stats.sound_refused] = arrivals.refusals();
        stats.buffer_ms = arrivals.backlog_ms.load(Relaxed);
        let tally = arrivals.passage.tally();
        stats.late = self.earlier.tally.late + tally.late;
        stats.skipped = self.earlier.tally.skipped + tally.skipped;
        let played = self.config.speaker.as_ref().map(SpeakerInput::played);
        let played = played.unwrap_or_default();
        let millis = |samples: u64| samples * 1000 / u64::from(SAMPLE_RATE);
        stats.stretched_ms = millis(played.stretched);
        stats.cut_ms = millis(played.cut);
        stats.gaps = played.gaps;
        stats.delay_ms = arrivals.passage.delay(played.lag.is_some());
        if let Some((width, height)) = facts.size {
            (stats.width, stats.height) = (width, height);
        }
        if let Some(decoder) = facts.decoder {
            stats.decoder = decoder.element();
        }
        if let (None, Some(first)) = (stats.first_frame_ms, arrivals.first_frame.get()) {
            let waited = first.saturating_duration_since(self.started);
            stats.first_frame_ms = u64::try_from(waited.as_millis()).ok();
        }
        if now >= self.stats_due {
            self.stats_due = now + STATS_EVERY;
            let bytes = self.earlier.bytes + arrivals.bytes.load(Relaxed);
            (stats.fps, stats.kbps) = self.rates.update(stats.frames, bytes, now);
        }
        self.stats_out.send_replace(self.stats.clone());
    }

    /// The last figures of a connection that has ended.
    fn conclude(&mut self, arrivals: &Arrivals, progress: &Progress) {
        self.take_figures(arrivals, progress, Instant::now());
        self.earlier.frames = self.stats.frames;
        self.earlier.freezes = self.stats.freezes;
        self.earlier.tally = Tally {
            late: self.stats.late,
            skipped: self.stats.skipped,
        };
        self.earlier.bytes += arrivals.bytes.load(Relaxed);
        self.rates = Rates::default();
        let stats = &mut self.stats;
        (stats.fps, stats.kbps, stats.buffer_ms) = (0.0, 0.0, 0);
        stats.connected = false;
        stats.audio = AudioLevel::default();
        stats.delay_ms = PlayDelay::default();
        self.stats_out.send_replace(self.stats.clone());
    }

    fn report_loss(&mut self, fault: &Fault, wait: Option<Duration>, tries: u32) {
        self.report((fault.code(), [None; 2]), fault.to_string());
        if fault.blames_decoder()
            && !self.software_only
            && Decoder::named(self.stats.decoder).is_some_and(Decoder::is_hardware)
        {
            self.software_only = true;
            let failed = self.stats.decoder;
            let message = format!("the next try decodes in software, not with {failed}: {fault}");
            self.report((PlayCode::HwAccelerationFail, [None; 2]), message);
        }
        match wait {
            Some(wait) => {
                let params = [Some(i64::from(tries)), None];
                let message = format!("try {tries} in {} ms: {fault}", wait.as_millis());
                self.report((PlayCode::Reconnect, params), message);
            }
            None => {
                let message = format!("given up after {tries} tries: {fault}");
                self.report((PlayCode::NetDisconnect, [None; 2]), message);
            }
        }
    }

    fn warn(&mut self, element: &str, message: String) {
        match element {
            DECODER => {
                self.report((PlayCode::VideoDecodeFail, [None; 2]), message);
            }
            "audio-decoder" => {
                self.report((PlayCode::AudioDecodeFail, [None; 2]), message);
            }
            _ => log::debug!(element, message; "the player's pipeline warns"),
        }
    }

    fn describe(&self, (code, params): Notice) -> String {
        match (code, params) {
            (PlayCode::ChangeResolution, [Some(width), Some(height)]) => {
                format!("{width}x{height}")
            }
            (PlayCode::VideoPlayLag, [Some(millis), _]) => {
                format!("no picture for {millis} ms")
            }
            (PlayCode::StartVideoDecoder, _) => self.stats.decoder.to_owned(),
            (PlayCode::PlayLoading, _) => "the picture stands still".to_owned(),
            _ => redacted(self.config.url.expose_secret()),
        }
    }

    fn report(&mut self, (code, params): Notice, message: String) {
        let number = code.code();
        match code {
            PlayCode::NetStatus => log::debug!(code = number, message; "play"),
            _ if number < 0 || (2101..4000).contains(&number) => {
                log::warn!(code = number, message; "play");
            }
            _ => log::info!(code = number, message; "play"),
        }
        let event = PlayEvent {
            code,
            message,
            params,
        };
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            log::warn!(code = event.code.code(); "nobody reads the player's events");
        }
    }
}
