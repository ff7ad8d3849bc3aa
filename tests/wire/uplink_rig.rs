//! The rig of the uplink's tests: a push of test patterns, a plain player that measures delay,
//! and a link that can be made slow or silent.

use std::process::Stdio;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use rtckiosk::config::kiosk::{AudioSource, Camera, VideoSource};
use rtckiosk::config::kiosk::{EncoderChoice, VoiceConfig};
use rtckiosk::media::capture::{AwayText, Capture, CaptureConfig};
use rtckiosk::media::uplink::{Uplink, UplinkConfig};
use rtckiosk::media::{PushEvent, time_code};
use rtckiosk::process::backoff::Reconnect;
use rtckiosk::protocol::events::PushCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

pub(crate) const WIDTH: u32 = 640;
pub(crate) const HEIGHT: u32 = 360;
const FPS: u32 = 30;

fn init() {
    use gst::glib::LogLevels;
    rtckiosk::media::init().expect("GStreamer with all elements");
    let fatal = LogLevels::LEVEL_ERROR | LogLevels::LEVEL_CRITICAL | LogLevels::LEVEL_WARNING;
    gst::glib::log_set_always_fatal(fatal);
}

/// A capture of test patterns, an uplink on it, and the events of both.
pub(crate) struct Push {
    pub(crate) capture: Capture,
    pub(crate) uplink: Uplink,
    events: mpsc::Receiver<PushEvent>,
    /// Events seen while waiting for others.
    pub(crate) seen: Vec<PushEvent>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

/// These tests measure: several encoders at once would measure each other.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Push {
    pub(crate) async fn to(url: &str) -> Self {
        Self::with(url, |_| {}).await
    }

    pub(crate) async fn with(url: &str, change: impl FnOnce(&mut UplinkConfig)) -> Self {
        Self::from_camera(VideoSource::Test, url, change).await
    }

    pub(crate) async fn from_camera(
        video: VideoSource,
        url: &str,
        change: impl FnOnce(&mut UplinkConfig),
    ) -> Self {
        Self::from_cameras(vec![Camera::only(video)], true, url, change).await
    }

    /// From several cameras, with or without the time code in each picture.
    pub(crate) async fn from_cameras(
        cameras: Vec<Camera>,
        time_code: bool,
        url: &str,
        change: impl FnOnce(&mut UplinkConfig),
    ) -> Self {
        init();
        let turn = TURN.lock().await;
        let (sender, events) = mpsc::channel(256);
        let config = CaptureConfig {
            cameras,
            audio: AudioSource::Test { hz: 1000.0 },
            microphone_level: None,
            width: WIDTH,
            height: HEIGHT,
            fps: FPS,
            encoder: EncoderChoice::Auto,
            time_code,
            away: AwayText::default(),
            voice: VoiceConfig::default(),
        };
        let capture = Capture::start(config, sender.clone())
            .await
            .expect("test sources start");
        let mut config = UplinkConfig {
            url: url.to_owned().into(),
            bitrate_kbps: 800,
            min_kbps: 100,
            max_kbps: 800,
            audio_kbps: 64,
            gop_seconds: 1.0,
            encoder: EncoderChoice::Auto,
            reconnect: Reconnect::default(),
            tls: rtckiosk::tls::ClientTls::default(),
        };
        change(&mut config);
        let uplink = Uplink::start(&capture, config, sender);
        Self {
            capture,
            uplink,
            events,
            seen: Vec::new(),
            _turn: turn,
        }
    }

    /// Waits for the next event with this number.
    pub(crate) async fn until(&mut self, code: PushCode, limit: Duration) -> PushEvent {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the push lives");
                if event.code == code {
                    return event;
                }
                self.seen.push(event);
            }
        };
        match timeout(limit, wait).await {
            Ok(event) => event,
            Err(_) => panic!("no {code} within {limit:?}; seen: {:#?}", self.seen),
        }
    }

    pub(crate) async fn end(self) {
        timeout(Duration::from_secs(5), async {
            self.uplink.stop().await;
            self.capture.stop().await;
        })
        .await
        .expect("both stop in time");
    }
}

/// Runs a program, with a limit; returns what it wrote to stdout.
pub(crate) async fn run(program: &str, args: &[&str]) -> String {
    let output = tokio::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(30), output)
        .await
        .unwrap_or_else(|_| panic!("{program} takes too long"))
        .unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} failed: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Measures the time from capture to sight of so many frames, in µs.
pub(crate) fn delays(url: &str, for_frames: usize) -> Vec<u64> {
    let mut delays = Vec::new();
    watch(url, |captured| {
        delays.push(time_code::now_micros().saturating_sub(captured));
        delays.len() < for_frames
    });
    assert_eq!(delays.len(), for_frames, "the stream ended");
    delays
}

/// Plays with plain GStreamer elements until the stream ends, or `more`, who is told of each frame
/// when it was captured, has enough.
pub(crate) fn watch(url: &str, mut more: impl FnMut(u64) -> bool) {
    let make = gst::ElementFactory::make;
    let pipeline = gst::Pipeline::new();
    let source = make("rtmp2src")
        .property("location", url)
        .build()
        .expect("rtmp2src");
    let demux = make("flvdemux").build().expect("flvdemux");
    let queue = make("queue").build().expect("queue");
    let parse = make("h264parse").build().expect("h264parse");
    let decode = make("avdec_h264").build().expect("avdec_h264");
    decode.set_property_from_str("thread-type", "slice");
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .build();
    let unheard = make("fakesink")
        .property("async", false)
        .build()
        .expect("fakesink");
    let all = [
        &unheard,
        &source,
        &demux,
        &queue,
        &parse,
        &decode,
        sink.upcast_ref(),
    ];
    pipeline.add_many(all).expect("fresh elements");
    source.link(&demux).expect("links");
    gst::Element::link_many([&queue, &parse, &decode, sink.upcast_ref()]).expect("links");
    let video = queue.static_pad("sink").expect("a pad");
    let audio = unheard.static_pad("sink").expect("a pad");
    demux.connect_pad_added(move |_, pad| {
        pad.link(if pad.name() == "video" {
            &video
        } else {
            &audio
        })
        .expect("links");
    });
    pipeline.set_state(gst::State::Playing).expect("plays");
    loop {
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(10));
        let Some(sample) = sample else {
            let error = pipeline
                .bus()
                .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
            assert!(sink.is_eos(), "no frame: {error:?}");
            break;
        };
        let info = gst_video::VideoInfo::from_caps(sample.caps().expect("caps")).expect("video");
        let buffer = sample.buffer().expect("a buffer");
        let frame =
            gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).expect("maps");
        let stride = frame.plane_stride()[0] as usize;
        let luma = frame.plane_data(0).expect("luma");
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        if let Some(captured) = time_code::read(luma, stride, width, height)
            && !more(captured)
        {
            break;
        }
    }
    pipeline.set_state(gst::State::Null).expect("stops");
}

/// The traffic that a link lets through towards the relay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Link {
    Open,
    /// Bytes per second.
    Slow(u32),
    /// Nothing, while all connections stay open.
    Held,
}

/// Forwards connections to `port` over a link that can be changed.
pub(crate) async fn proxy(port: u16) -> (u16, watch::Sender<Link>) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16_384).expect("a small buffer");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let listener = socket.listen(16).expect("listens");
    let here = listener.local_addr().expect("an address").port();
    let (change, link) = watch::channel(Link::Open);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(forward(near, port, link.clone()));
        }
    });
    (here, change)
}

async fn forward(near: TcpStream, port: u16, mut link: watch::Receiver<Link>) {
    let far = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("nginx");
    let (mut from_far, mut to_far) = far.into_split();
    let (mut from_near, mut to_near) = near.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
    let mut piece = [0; 2048];
    loop {
        if *link.borrow() == Link::Held {
            // A held connection ends when the link opens: its time has passed.
            let _ = link.wait_for(|link| *link != Link::Held).await;
            break;
        }
        let Ok(read @ 1..) = from_near.read(&mut piece).await else {
            break;
        };
        if to_far.write_all(&piece[..read]).await.is_err() {
            break;
        }
        let link = *link.borrow();
        if let Link::Slow(rate) = link {
            tokio::time::sleep(Duration::from_secs_f64(read as f64 / f64::from(rate))).await;
        }
    }
    answers.abort();
}
