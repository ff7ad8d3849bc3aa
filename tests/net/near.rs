//! The near side of the link: what a kiosk does, without its screen. Says every 100 ms how it is.

use std::io::BufRead;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use rtckiosk::media::capture::{AudioSource, Capture, CaptureConfig, VideoSource};
use rtckiosk::media::downlink::{Downlink, DownlinkConfig};
use rtckiosk::media::uplink::{Uplink, UplinkConfig};
use rtckiosk::media::{EncoderChoice, PlayEvent, PushEvent, Reconnect, UplinkStats, time_code};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::far;

pub(crate) const PUSH: &str = "RTK_NET_PUSH";
pub(crate) const PLAY: &str = "RTK_NET_PLAY";
/// A bare pipeline at this fixed bitrate in place of the kiosk's uplink.
pub(crate) const BARE: &str = "RTK_NET_BARE";
/// Least, first and most kbit/s of the picture.
pub(crate) const RATES: [u32; 3] = [100, 1200, 2000];

/// A picture that takes as many bits as it gets: coarse noise.
pub(crate) const CAMERA: &str = "videotestsrc is-live=true pattern=snow ! \
    video/x-raw,format=I420,width=128,height=72,framerate=30/1 ! videoscale";

/// What the near side says, as a line of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// On the clock of all processes.
    pub(crate) micros: u64,
    pub(crate) connected: bool,
    pub(crate) reconnects: u32,
    pub(crate) target_kbps: u32,
    pub(crate) fps: u32,
    pub(crate) width: u32,
    pub(crate) reason: String,
    /// When the newest picture that is played was sent.
    pub(crate) played: Option<u64>,
}

/// Runs until killed, or until its parent is gone.
pub(crate) fn run() {
    println!("ready");
    let mut word = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut word)
        .expect("a parent");
    let relay = word.trim().to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    std::thread::spawn(|| {
        // End of file: the parent is gone.
        while std::io::stdin()
            .lock()
            .read_line(&mut String::new())
            .is_ok_and(|read| read > 0)
        {}
        std::process::exit(0);
    });
    let stream = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|name| format!("{relay}/{name}"))
    };
    if let (Some(url), Ok(kbps)) = (stream(PUSH), std::env::var(BARE)) {
        far::init();
        let _bare = bare(&url, kbps.parse().expect("kbit/s"));
        std::thread::park();
    }
    runtime.block_on(kiosk(stream(PUSH), stream(PLAY)));
}

async fn kiosk(push: Option<String>, play: Option<String>) {
    far::init();
    let (events, mut told) = mpsc::channel::<PushEvent>(256);
    tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            eprintln!(
                "{} {} {}",
                time_code::now_micros() / 1000,
                event.code,
                event.message
            );
        }
    });
    let config = CaptureConfig {
        video: VideoSource::Gst(CAMERA.to_owned()),
        audio: AudioSource::Test { hz: 1000.0 },
        width: 640,
        height: 360,
        fps: 30,
        time_code: true,
    };
    let capture = Capture::start(config, events.clone())
        .await
        .expect("test sources");
    let uplink = push.map(|url| Uplink::start(&capture, uplink_config(url), events));
    let downlink = play.map(player);
    let picture = downlink.as_ref().map(Downlink::picture);
    loop {
        let stats = uplink
            .as_ref()
            .map(|uplink| uplink.stats().borrow().clone());
        let sample = picture
            .as_ref()
            .and_then(|picture| picture.borrow().clone());
        let report = report(
            &stats.unwrap_or_default(),
            sample.and_then(|s| far::stamped(&s)),
        );
        println!("{}", serde_json::to_string(&report).expect("JSON"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn report(stats: &UplinkStats, played: Option<u64>) -> Report {
    Report {
        micros: time_code::now_micros(),
        connected: stats.connected,
        reconnects: stats.reconnects,
        target_kbps: stats.quality.kbps,
        fps: stats.quality.fps,
        width: stats.quality.width,
        reason: stats.reason.clone(),
        played,
    }
}

fn uplink_config(url: String) -> UplinkConfig {
    UplinkConfig {
        url: url.into(),
        min_kbps: RATES[0],
        bitrate_kbps: RATES[1],
        max_kbps: RATES[2],
        audio_kbps: 48,
        gop_seconds: 1.0,
        encoder: EncoderChoice::Auto,
        reconnect: Reconnect::default(),
    }
}

fn player(url: String) -> Downlink {
    let (events, mut told) = mpsc::channel::<PlayEvent>(256);
    tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            eprintln!(
                "{} {} {}",
                time_code::now_micros() / 1000,
                event.code,
                event.message
            );
        }
    });
    let config = DownlinkConfig {
        url: url.into(),
        reconnect: Reconnect::default(),
        speaker: None,
    };
    Downlink::start(config, events)
}

/// What anybody would build.
pub(crate) fn bare(url: &str, kbps: u32) -> gst::Pipeline {
    let text = format!(
        "{CAMERA} ! videoscale ! videoconvert ! \
         capsfilter name=stamp caps=video/x-raw,format=I420,width=640,height=360 ! \
         x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} key-int-max=30 ! \
         h264parse ! queue ! flvmux name=mux streamable=true ! \
         rtmp2sink location={url} chunk-size=4096 sync=false \
         audiotestsrc is-live=true ! audioconvert ! avenc_aac bitrate=48000 ! queue ! mux."
    );
    let pipeline = gst::parse::launch(&text).expect("elements");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let stamp = pipeline
        .by_name("stamp")
        .and_then(|stamp| stamp.static_pad("src"));
    stamp
        .expect("a pad")
        .add_probe(gst::PadProbeType::BUFFER, |_, info| {
            if let Some(buffer) = info.buffer_mut() {
                let mut map = buffer.make_mut().map_writable().expect("memory");
                time_code::stamp(&mut map, 640, 640, 360, time_code::now_micros());
            }
            gst::PadProbeReturn::Ok
        });
    pipeline.set_state(gst::State::Playing).expect("plays");
    pipeline
}
