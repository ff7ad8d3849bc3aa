//! `rtckiosk bench media delay`: how old pictures and sound are where they are seen and heard,
//! through a relay that is none of ours, beside ffmpeg on the same streams.

mod gauge;
mod joins;
mod peers;
mod relay;
mod report;
mod sound;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use self::gauge::Gauge;
use self::peers::{Ffmpeg, Flags, Peer};
use self::relay::Relay;
use self::report::{Direction, Report, Seen};
use self::sound::Ear;
use super::print;
use super::spread::Spread;
use crate::appliance::run::{block_on, stop_signal};
use crate::config::kiosk::{
    AudioSink, AudioSource, Camera, EncoderChoice, VideoSource, VoiceConfig,
};
use crate::config::kiosk::{DisplayBackend, Screen};
use crate::demo::meter::read_time_code;
use crate::display::{Display, DisplayConfig, Remote};
use crate::media::{
    self, AwayText, Capture, CaptureConfig, Downlink, DownlinkConfig, PushEvent, Speaker, Uplink,
    UplinkConfig,
};
use crate::process::backoff::Reconnect;
use crate::protocol::events::PushCode;
use crate::tls::ClientTls;

/// How long.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Length of each direction's measurement.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(6..=3600))]
    seconds: u64,
    /// Where to write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const FPS: u32 = 30;
/// For a stream to begin.
const START: Duration = Duration::from_secs(10);
const EVENTS: usize = 256;

/// # Errors
/// What kept it from measuring.
pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let report = block_on(async {
        tokio::select! {
            report = measure(options.seconds) => report,
            stopped = stop_signal() => {
                stopped?;
                bail!("stopped before the end");
            }
        }
    })?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("the figures cannot be written to {}", path.display()))?;
    }
    print(&report, false, report.ok)
}

async fn measure(seconds: u64) -> Result<Report> {
    media::init()?;
    let relay = Relay::start()?;
    let mut report = Report {
        seconds,
        ..Report::default()
    };
    uplink(&relay, &mut report).await?;
    downlink(&relay, &mut report).await?;
    sound(&relay, &mut report).await?;
    report.call_first_picture_ms = joins::calls(&relay).await?;
    Ok(report.judged())
}

/// ffmpeg on a stream, asked in two ways.
struct Others {
    gauges: [Gauge; 2],
    _running: [Ffmpeg; 2],
}

impl Others {
    fn start(url: &str) -> Result<Self> {
        let gauges = [Gauge::start(), Gauge::start()];
        let running = [
            Ffmpeg::receiver(url, Flags::LowLatency, gauges[0].clone())?,
            Ffmpeg::receiver(url, Flags::Defaults, gauges[1].clone())?,
        ];
        Ok(Self {
            gauges,
            _running: running,
        })
    }

    fn beside(&self, ours: &Gauge) -> Direction {
        let [low, defaults] = &self.gauges;
        Direction {
            ours: seen(ours),
            ffmpeg_low_latency: seen(low),
            ffmpeg_defaults: seen(defaults),
        }
    }
}

fn seen(gauge: &Gauge) -> Seen {
    Seen {
        age_ms: gauge.spread(),
        first_picture_ms: gauge.first_picture().map(|first| first.as_secs_f64() * 1e3),
    }
}

/// Our uplink, as a plain receiver sees it.
async fn uplink(relay: &Relay, report: &mut Report) -> Result<()> {
    let url = relay.url("uplink");
    let (sender, mut events) = mpsc::channel(EVENTS);
    let capture = Capture::start(camera(), sender.clone()).await?;
    let uplink = Uplink::start(&capture, push(&url), sender);
    pushing(&mut events).await?;
    let gauge = Gauge::start();
    uplink.welcome();
    let receiver = Peer::receiver(&url, gauge.clone())?;
    let others = Others::start(&url)?;
    sleep(Duration::from_secs(report.seconds)).await;
    report.uplink = others.beside(&gauge);
    report.uplink_stages = uplink.stats().borrow().delay_ms;
    drop((receiver, others));
    report.first_picture_ms = joins::players(&url, &uplink).await?;
    uplink.stop().await;
    capture.stop().await;
    Ok(())
}

/// A plain sender, as our screen shows it.
async fn downlink(relay: &Relay, report: &mut Report) -> Result<()> {
    let url = relay.url("downlink");
    let sender = Peer::sender(&url, false)?;
    let kiosk = Kiosk::start().await?;
    let gauge = Gauge::start();
    let downlink = kiosk.plays(&url, &gauge);
    let others = Others::start(&url)?;
    welcome(&sender).await;
    sleep(Duration::from_secs(report.seconds)).await;
    report.downlink = others.beside(&gauge);
    let stats = downlink.stats().borrow().clone();
    report.downlink_stages = stats.delay_ms;
    report.late = stats.late + stats.skipped;
    downlink.stop().await;
    kiosk.stop().await
}

/// A plain sender of picture and sound, as our screen and loudspeaker show it.
async fn sound(relay: &Relay, report: &mut Report) -> Result<()> {
    let url = relay.url("sound");
    let sender = Peer::sender(&url, true)?;
    let kiosk = Kiosk::start().await?;
    let (ear, gauge) = (Ear::at(&kiosk.speaker), Gauge::start());
    let downlink = kiosk.plays(&url, &gauge);
    welcome(&sender).await;
    sleep(Duration::from_secs(report.seconds)).await;
    report.mouth_to_ear_ms = ear.spread();
    report.sound_after_picture_ms = report.mouth_to_ear_ms.p50 - gauge.spread().p50;
    report.sound_stages = downlink.stats().borrow().delay_ms;
    downlink.stop().await;
    kiosk.stop().await
}

/// As a member does for one that joins.
async fn welcome(sender: &Peer) {
    for _ in 0..4 {
        sender.send_key_frame();
        sleep(Duration::from_millis(200)).await;
    }
}

/// What makes pictures seen and sound heard.
struct Kiosk {
    speaker: Speaker,
    screen: Display,
}

impl Kiosk {
    async fn start() -> Result<Self> {
        let screen = tokio::task::spawn_blocking(|| Display::start(screen())).await??;
        let speaker = Speaker::start(AudioSink::None).await?;
        // The sender runs by then.
        sleep(Duration::from_secs(1)).await;
        Ok(Self { speaker, screen })
    }

    fn plays(&self, url: &str, gauge: &Gauge) -> Downlink {
        let (screen, gauge) = (self.screen.handle(), gauge.clone());
        screen.on_shown(move |_, sample| gauge.seen(read_time_code(sample)));
        let downlink = play(url, Some(&self.speaker));
        screen.set_remotes(vec![Remote {
            id: "sender".to_owned(),
            name: "Sender".to_owned(),
            picture: downlink.picture(),
        }]);
        downlink
    }

    async fn stop(self) -> Result<()> {
        self.speaker.stop().await;
        let screen = self.screen;
        Ok(tokio::task::spawn_blocking(|| screen.stop()).await?)
    }
}

fn camera() -> CaptureConfig {
    CaptureConfig {
        cameras: vec![Camera::only(VideoSource::Test)],
        audio: AudioSource::Test { hz: 440.0 },
        microphone_level: None,
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        encoder: EncoderChoice::Auto,
        time_code: true,
        away: AwayText::default(),
        voice: VoiceConfig::default(),
    }
}

fn push(url: &str) -> UplinkConfig {
    UplinkConfig {
        url: url.to_owned().into(),
        bitrate_kbps: 800,
        min_kbps: 100,
        max_kbps: 800,
        audio_kbps: 48,
        gop_seconds: 2.0,
        encoder: EncoderChoice::Auto,
        reconnect: Reconnect::default(),
        tls: ClientTls::default(),
    }
}

fn play(url: &str, speaker: Option<&Speaker>) -> Downlink {
    // Events that nobody reads are dropped.
    let (events, _) = mpsc::channel(1);
    let config = DownlinkConfig {
        url: url.to_owned().into(),
        reconnect: Reconnect::default(),
        tls: ClientTls::default(),
        speaker: speaker.map(|speaker| speaker.input("sender")),
    };
    Downlink::start(config, events)
}

fn screen() -> DisplayConfig {
    DisplayConfig {
        screen: Screen {
            backend: DisplayBackend::Headless,
            width: 960,
            height: 720,
            self_view: None,
            mirror: false,
        },
        title: "bench".to_owned(),
    }
}

/// Waits until media flows.
async fn pushing(events: &mut mpsc::Receiver<PushEvent>) -> Result<()> {
    let begun = async {
        while let Some(event) = events.recv().await {
            match event.code {
                PushCode::PushBegin => return Ok(()),
                PushCode::NetDisconnect => bail!("the push failed: {}", event.message),
                _ => {}
            }
        }
        bail!("the push ended")
    };
    timeout(START, begun)
        .await
        .context("the push does not begin")?
}
