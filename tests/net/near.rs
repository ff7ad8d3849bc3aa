//! The near side of the link: what a kiosk does, without its screen, or another program in its
//! place. Says each picture that it shows, each event, and every 100 ms how it is.

use std::io::BufRead;
use std::time::Duration;

use rtckiosk::config::kiosk::{AudioSource, Camera, VideoSource};
use rtckiosk::config::kiosk::{EncoderChoice, VoiceConfig};
use rtckiosk::media::capture::{AwayText, Capture, CaptureConfig};
use rtckiosk::media::congestion::Quality;
use rtckiosk::media::downlink::{Downlink, DownlinkConfig};
use rtckiosk::media::uplink::{Uplink, UplinkConfig};
use rtckiosk::media::{PlayEvent, PushEvent, time_code};
use rtckiosk::process::backoff::Reconnect;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::judge::Seen;
use crate::other::{self, Other};
use crate::{CAMERA, FPS, SIZE, far};

/// The job of the near side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Job {
    /// URL to push to.
    pub(crate) push: Option<String>,
    /// Minimum, first and maximum bitrate of the picture, kbit/s.
    pub(crate) rates: [u32; 3],
    /// A program that pushes in place of the kiosk, at the maximum of `rates`.
    pub(crate) other: Option<Other>,
    /// URL to play.
    pub(crate) play: Option<String>,
}

/// A report of the near side, as a line of JSON. Times are microseconds on the clock that all
/// processes share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Said {
    Up(Up),
    Down(Down),
    /// A picture is shown.
    Shown {
        at: u64,
        /// Moment of its capture, unless the encoder left too little of that.
        captured: Option<u64>,
        /// The same on the sender's own clock, which every picture has.
        media: u64,
    },
    /// An event of the push or of the play, by its number.
    Told {
        at: u64,
        code: i32,
        message: String,
    },
}

/// The pictures that were shown and tell when they were captured.
pub(crate) fn shown(said: &[Said]) -> Vec<Seen> {
    let seen = said.iter().filter_map(|said| match *said {
        Said::Shown { at, captured, .. } => captured.map(|captured| Seen { at, captured }),
        _ => None,
    });
    seen.collect()
}

/// The uplink's figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Up {
    pub(crate) at: u64,
    pub(crate) connected: bool,
    pub(crate) reconnects: u32,
    pub(crate) kbps: u32,
    /// The quality that is given up: a `Stage`, by name.
    pub(crate) stage: String,
}

/// The downlink's figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Down {
    pub(crate) at: u64,
    pub(crate) connected: bool,
    /// A tone is heard.
    pub(crate) heard: bool,
    pub(crate) freezes: u32,
    /// By the player's own count.
    pub(crate) late: u64,
    pub(crate) skipped: u64,
}

fn say(said: &Said) {
    println!("{}", serde_json::to_string(said).expect("JSON"));
}

fn tell(code: i32, message: String) {
    let at = time_code::now_micros();
    eprintln!("{} {code} {message}", at / 1000);
    say(&Said::Told { at, code, message });
}

/// Runs until killed, or until its parent is gone.
pub(crate) fn run() {
    println!("ready");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let Ok(job) = serde_json::from_str::<Job>(&line) else {
        assert!(read.is_ok_and(|bytes| bytes == 0), "{line:?} is no job");
        return;
    };
    std::thread::spawn(|| {
        // End of file: the parent is gone.
        while std::io::stdin()
            .lock()
            .read_line(&mut String::new())
            .is_ok_and(|read| read > 0)
        {}
        std::process::exit(0);
    });
    far::init();
    if let (Some(url), Some(other)) = (&job.push, job.other) {
        other::push(other, url, job.rates[2]);
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(kiosk(job));
}

async fn kiosk(job: Job) {
    let (events, mut told) = mpsc::channel::<PushEvent>(256);
    tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            tell(event.code.code(), event.message);
        }
    });
    let config = CaptureConfig {
        cameras: vec![Camera::only(VideoSource::Gst(CAMERA.to_owned()))],
        audio: AudioSource::Test { hz: 1000.0 },
        microphone_level: None,
        width: SIZE.0,
        height: SIZE.1,
        fps: FPS,
        encoder: EncoderChoice::Auto,
        time_code: true,
        away: AwayText::default(),
        voice: VoiceConfig::default(),
    };
    let (_capture, uplink) = match job.push {
        Some(url) => {
            let capture = Capture::start(config, events.clone()).await;
            let capture = capture.expect("test sources");
            let uplink = Uplink::start(&capture, uplink_config(url, job.rates), events);
            (Some(capture), Some(uplink))
        }
        None => (None, None),
    };
    let downlink = job.play.map(player);
    let mut looks = interval(Duration::from_millis(100));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let at = time_code::now_micros();
        if let Some(uplink) = &uplink {
            let stats = uplink.stats().borrow().clone();
            let Quality { kbps, stage, .. } = stats.quality;
            let (connected, reconnects) = (stats.connected, stats.reconnects);
            say(&Said::Up(Up {
                at,
                connected,
                reconnects,
                kbps,
                stage: format!("{stage:?}"),
            }));
        }
        if let Some(downlink) = &downlink {
            let stats = downlink.stats().borrow().clone();
            say(&Said::Down(Down {
                at,
                connected: stats.connected,
                heard: stats.audio.tone_hz.is_some(),
                freezes: stats.freezes,
                late: stats.late,
                skipped: stats.skipped,
            }));
        }
    }
}

fn uplink_config(url: String, [min_kbps, bitrate_kbps, max_kbps]: [u32; 3]) -> UplinkConfig {
    UplinkConfig {
        url: url.into(),
        min_kbps,
        bitrate_kbps,
        max_kbps,
        audio_kbps: 48,
        gop_seconds: 1.0,
        encoder: EncoderChoice::Auto,
        reconnect: Reconnect::default(),
        tls: rtckiosk::tls::ClientTls::default(),
    }
}

fn player(url: String) -> Downlink {
    let (events, mut told) = mpsc::channel::<PlayEvent>(256);
    tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            tell(event.code.code(), event.message);
        }
    });
    let config = DownlinkConfig {
        url: url.into(),
        reconnect: Reconnect::default(),
        tls: rtckiosk::tls::ClientTls::default(),
        largest_picture: (1920, 1088),
        speaker: None,
    };
    let downlink = Downlink::start(config, events);
    let mut picture = downlink.picture();
    tokio::spawn(async move {
        while picture.changed().await.is_ok() {
            let at = time_code::now_micros();
            let Some(sample) = picture.borrow_and_update().clone() else {
                continue;
            };
            let time = sample.buffer().and_then(gstreamer::BufferRef::pts);
            say(&Said::Shown {
                at,
                captured: far::stamped(&sample),
                media: time.map_or(0, gstreamer::ClockTime::useconds),
            });
        }
    });
    downlink
}
