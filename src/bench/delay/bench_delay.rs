//! `rtckiosk bench media delay`: options, and the directions that are measured.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::bursts::BurstDelays;
use super::delay_report::DelayReport;
use super::ffmpeg::Ffmpegs;
use super::first_picture;
use super::picture_ages::PictureAges;
use super::plain_pipeline::PlainPipeline;
use super::playback::Playback;
use super::relay::Relay;
use super::test_stream::{FPS, HEIGHT, WIDTH};
use crate::appliance::run::block_on;
use crate::bench::tools::{print_and_keep, unless_stopped};
use crate::config::kiosk::{AudioSource, Camera, EncoderChoice, VideoSource, VoiceConfig};
use crate::demo::report::create_file;
use crate::media::{self, Capture, CaptureConfig, PushEvent, Uplink, UplinkConfig};
use crate::process::backoff::Reconnect;
use crate::protocol::events::PushCode;
use crate::tls::ClientTls;

/// The options of the benchmark.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Length of each direction's measurement.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(6..=3600))]
    seconds: u64,
    /// File for the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Longest time for a push to begin.
const PUSH_DEADLINE: Duration = Duration::from_secs(10);
/// Events of the push that may wait to be read.
const EVENTS: usize = 256;

/// # Errors
/// Whatever kept it from measuring.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let file = create_file(options.json.as_deref())?;
    let report = block_on(unless_stopped(measure(options.seconds)))?;
    print_and_keep(&report, file, report.ok)
}

async fn measure(seconds: u64) -> Result<DelayReport> {
    media::init()?;
    let relay = Relay::start().await?;
    let mut report = DelayReport {
        seconds,
        ..DelayReport::default()
    };
    measure_uplink(&relay, &mut report).await?;
    measure_downlink(&relay, &mut report).await?;
    measure_sound(&relay, &mut report).await?;
    report.call_first_picture_ms = first_picture::of_calls(&relay).await?;
    Ok(report.judged())
}

/// Measures our uplink, as a plain receiver sees it.
async fn measure_uplink(relay: &Relay, report: &mut DelayReport) -> Result<()> {
    let url = relay.url("uplink");
    let (sender, mut events) = mpsc::channel(EVENTS);
    let capture = Capture::start(camera(), sender.clone()).await?;
    let uplink = Uplink::start(&capture, push(&url), sender);
    wait_for_push(&mut events).await?;
    let ages = PictureAges::start();
    uplink.welcome();
    let receiver = PlainPipeline::receiver(&url, ages.clone())?;
    let ffmpegs = Ffmpegs::start(&url)?;
    sleep(Duration::from_secs(report.seconds)).await;
    report.uplink = ffmpegs.beside(&ages);
    report.uplink_stages = uplink.stats().borrow().delay_ms;
    drop((receiver, ffmpegs));
    report.first_picture_ms = first_picture::of_players(&url, &uplink).await?;
    uplink.stop().await;
    capture.stop().await;
    Ok(())
}

/// Measures a plain sender, as our screen shows it.
async fn measure_downlink(relay: &Relay, report: &mut DelayReport) -> Result<()> {
    let url = relay.url("downlink");
    let sender = PlainPipeline::sender(&url, false)?;
    let playback = Playback::start().await?;
    let ages = PictureAges::start();
    let downlink = playback.play(&url, &ages);
    let ffmpegs = Ffmpegs::start(&url)?;
    sender.send_key_frames().await;
    sleep(Duration::from_secs(report.seconds)).await;
    report.downlink = ffmpegs.beside(&ages);
    let stats = downlink.stats().borrow().clone();
    report.downlink_stages = stats.delay_ms;
    report.late = stats.late + stats.skipped;
    downlink.stop().await;
    playback.stop().await
}

/// Measures a plain sender of picture and sound, as our screen and loudspeaker play it.
async fn measure_sound(relay: &Relay, report: &mut DelayReport) -> Result<()> {
    let url = relay.url("sound");
    let sender = PlainPipeline::sender(&url, true)?;
    let playback = Playback::start().await?;
    let (bursts, ages) = (BurstDelays::at(&playback.speaker), PictureAges::start());
    let downlink = playback.play(&url, &ages);
    sender.send_key_frames().await;
    sleep(Duration::from_secs(report.seconds)).await;
    report.mouth_to_ear_ms = bursts.spread();
    report.sound_after_picture_ms = report.mouth_to_ear_ms.p50 - ages.figures().age_ms.p50;
    report.sound_stages = downlink.stats().borrow().delay_ms;
    downlink.stop().await;
    playback.stop().await
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

/// Waits until media flow.
async fn wait_for_push(events: &mut mpsc::Receiver<PushEvent>) -> Result<()> {
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
    timeout(PUSH_DEADLINE, begun)
        .await
        .context("the push does not begin")?
}
