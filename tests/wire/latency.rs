//! Measures the age of the picture that the player shows, beside a bare GStreamer pipeline on
//! the same stream at the same time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::prelude::*;
use gstreamer_video::{VideoFrameRef, VideoInfo};
use rtckiosk::media::downlink::{Downlink, DownlinkConfig};
use rtckiosk::media::time_code;
use rtckiosk::picture::Picture;
use rtckiosk::process::backoff::Reconnect;
use tokio::sync::mpsc;

use crate::downlink::{signal, strict_gstreamer};
use crate::nginx::Nginx;

/// Ages of pictures in ms, with the moment of their reading.
type Ages = Arc<Mutex<Vec<(Instant, f64)>>>;

/// Stops with the test.
struct Running(gst::Pipeline);

impl Running {
    fn start(elements: &[gst::Element]) -> Self {
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(elements).expect("fresh elements");
        gst::Element::link_many(elements).expect("compatible elements");
        pipeline.set_state(gst::State::Playing).expect("starts");
        Self(pipeline)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn make(name: &str) -> gst::element_factory::ElementBuilder<'_> {
    gst::ElementFactory::make(name)
}

/// Pushes a moving 640x480 picture at 30 per second, each with its time code.
fn send(url: &str) -> Running {
    let source = make("videotestsrc").property("is-live", true);
    let source = source.property_from_str("pattern", "ball");
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", 640i32)
        .field("height", 480i32)
        .field("framerate", gst::Fraction::new(30, 1));
    let format = make("capsfilter").property("caps", caps.build());
    let encoder = make("x264enc")
        .property_from_str("tune", "zerolatency")
        .property_from_str("speed-preset", "ultrafast")
        .property("bitrate", 800u32)
        .property("key-int-max", 30u32);
    let sink = make("rtmp2sink").property("location", url);
    let sink = sink.property("sync", false).property("async", false);
    let elements = [
        source,
        format,
        encoder,
        make("h264parse"),
        make("flvmux").property("streamable", true),
        sink,
    ]
    .map(|builder| builder.build().expect("element exists"));
    let pad = elements[1].static_pad("src").expect("a capsfilter has one");
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            let mut map = buffer.make_mut().map_writable().expect("system memory");
            time_code::stamp(&mut map, 640, 640, 480, time_code::now_micros());
        }
        gst::PadProbeReturn::Ok
    });
    Running::start(&elements)
}

/// Age in ms of a picture with a time code.
fn age(sample: &gst::Sample) -> Option<f64> {
    let now = time_code::now_micros();
    let info = VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
    let stride = usize::try_from(frame.plane_stride()[0]).ok()?;
    let (width, height) = (info.width() as usize, info.height() as usize);
    let code = time_code::read(frame.plane_data(0).ok()?, stride, width, height)?;
    Some(now.saturating_sub(code) as f64 / 1000.0)
}

fn note(ages: &Ages, sample: &gst::Sample) {
    if let Some(age) = age(sample) {
        ages.lock().expect("no panic").push((Instant::now(), age));
    }
}

/// The bare pipeline: nothing but what is needed to decode.
fn bare(url: &str, ages: &Ages) -> Running {
    let source = make("rtmp2src").property("location", url);
    let decoder = make("avdec_h264").property_from_str("thread-type", "slice");
    let elements = [source, make("flvdemux"), make("h264parse"), decoder]
        .map(|builder| builder.build().expect("element exists"));
    let ages = Arc::clone(ages);
    let callback = move |sink: &AppSink| {
        note(&ages, &sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
        Ok(gst::FlowSuccess::Ok)
    };
    let sink = AppSink::builder()
        .sync(false)
        .async_(false)
        .callbacks(AppSinkCallbacks::builder().new_sample(callback).build())
        .build();
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(&elements).expect("fresh elements");
    pipeline.add(&sink).expect("a fresh element");
    elements[0].link(&elements[1]).expect("compatible");
    gst::Element::link_many([&elements[2], &elements[3], sink.upcast_ref()]).expect("compatible");
    let parser = elements[2].downgrade();
    elements[1].connect_pad_added(move |_, pad| {
        let parser = parser
            .upgrade()
            .and_then(|parser| parser.static_pad("sink"));
        let _ = parser.map(|sink| pad.link(&sink).expect("H.264"));
    });
    pipeline.set_state(gst::State::Playing).expect("starts");
    Running(pipeline)
}

fn play(url: &str) -> Downlink {
    let (events, _) = mpsc::channel(256);
    let config = DownlinkConfig {
        url: url.to_owned().into(),
        reconnect: Reconnect::default(),
        speaker: None,
        tls: rtckiosk::tls::ClientTls::default(),
        largest_picture: (1920, 1088),
    };
    Downlink::start(config, events)
}

/// Reads each picture as a display would.
fn watch(mut picture: Picture, ages: &Ages) {
    let ages = Arc::clone(ages);
    tokio::spawn(async move {
        while picture.changed().await.is_ok() {
            if let Some(sample) = picture.borrow_and_update().clone() {
                note(&ages, &sample);
            }
        }
    });
}

/// Sorted ages of what was read in the last `span`.
fn last(ages: &Ages, span: Duration) -> Vec<f64> {
    let ages = ages.lock().expect("no panic");
    let ages = ages.iter().filter(|(at, _)| at.elapsed() < span);
    let mut ages: Vec<f64> = ages.map(|&(_, age)| age).collect();
    ages.sort_by(f64::total_cmp);
    ages
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_player_adds_little_to_the_delay_of_the_network() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let url = nginx.url("live", "age");
    let (ours, bares) = (Ages::default(), Ages::default());
    let _sender = send(&url);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let downlink = play(&url);
    watch(downlink.picture(), &ours);
    let _bare = bare(&url, &bares);
    tokio::time::sleep(Duration::from_secs(8)).await;

    let span = Duration::from_secs(5);
    let (ours, bares) = (last(&ours, span), last(&bares, span));
    assert!(
        ours.len() > 100 && bares.len() > 100,
        "{} {}",
        ours.len(),
        bares.len()
    );
    let (p50, p95) = (percentile(&ours, 50), percentile(&ours, 95));
    let (bare50, bare95) = (percentile(&bares, 50), percentile(&bares, 95));
    println!(
        "age of the picture in ms: p50 {p50:.1} (bare {bare50:.1}, ratio {:.2}), p95 {p95:.1} (bare {bare95:.1})",
        p50 / bare50
    );
    assert!(p50 < 1.5 * bare50 + 10.0, "p50 {p50} ms, bare {bare50} ms");
    assert!(p95 < 300.0, "p95 {p95} ms, bare {bare95} ms");
    downlink.stop().await;
}

/// The relay hangs for two seconds and then delivers all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_leaves_no_standing_delay() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let url = nginx.url("live", "burst");
    let ages = Ages::default();
    let _sender = send(&url);
    let downlink = play(&url);
    watch(downlink.picture(), &ages);
    let mut stats = downlink.stats();
    let playing = stats.wait_for(|stats| stats.frames > 30);
    let playing = tokio::time::timeout(Duration::from_secs(30), playing).await;
    drop(playing.expect("plays").expect("runs"));

    signal(nginx.pid(), "-STOP");
    tokio::time::sleep(Duration::from_secs(2)).await;
    ages.lock().expect("no panic").clear();
    signal(nginx.pid(), "-CONT");
    tokio::time::sleep(Duration::from_secs(3)).await;

    let after = last(&ages, Duration::from_secs(2));
    assert!(after.len() > 40, "{} pictures", after.len());
    let (p50, worst) = (percentile(&after, 50), percentile(&after, 100));
    let shown: Vec<f64> = ages.lock().expect("no panic").iter().map(|a| a.1).collect();
    let late = shown.iter().filter(|&&age| age > 500.0).count();
    println!("after the burst: p50 {p50:.1} ms, worst {worst:.1} ms, {late} old pictures shown");
    assert!(p50 < 150.0 && worst < 500.0, "{p50} ms, {worst} ms");
    assert!(late < 20, "{late} old pictures were shown: {shown:?}");
    let stats = downlink.stats().borrow().clone();
    assert_eq!((stats.freezes, stats.reconnects), (1, 0), "{stats:?}");
    downlink.stop().await;
}
