//! A camera's own H.264 through the uplink and the embedded relay to a plain decoder. The camera
//! is a GStreamer source with an encoder in it; pictures are white, black while muted, or red, so
//! that a picture which was decoded wrongly is none of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::VideoInfo;
use rtckiosk::config::kiosk::Camera;
use rtckiosk::config::kiosk::VideoSource;
use rtckiosk::media::congestion::Stage;
use rtckiosk::media::uplink::UplinkStats;
use rtckiosk::protocol::events::PushCode;
use rtckiosk::server::relay::RelayConfig;

use crate::relay_start::{Running, start};
use crate::uplink::keys_on_demand;
use crate::uplink_rig::{HEIGHT, Link, Push, WIDTH, proxy};

const PATIENCE: Duration = Duration::from_secs(15);
const OWN: &str = "camera (x264enc)";

/// A camera that makes its own H.264, with key frames only when it is asked for them.
fn own(name: &str, source: &str) -> Camera {
    let text = format!(
        "videotestsrc is-live=true {source} ! \
         video/x-raw,format=I420,framerate=30/1,width={WIDTH},height={HEIGHT} ! \
         x264enc tune=zerolatency speed-preset=ultrafast key-int-max=6000 bitrate=3000 ! \
         video/x-h264,profile=constrained-baseline"
    );
    camera(name, &text)
}

fn camera(name: &str, source: &str) -> Camera {
    Camera {
        name: name.to_owned(),
        ..Camera::only(VideoSource::Gst(source.to_owned()))
    }
}

/// A picture that a player shows.
#[derive(Debug, Clone, Copy)]
struct Shown {
    width: u32,
    /// The mean of the picture's brightness, and how far its darkest from its brightest pixel is.
    luma: u8,
    span: u8,
}

const WHITE: std::ops::Range<u8> = 225..245;
const BLACK: std::ops::Range<u8> = 10..25;
const RED: std::ops::Range<u8> = 60..100;

/// Plain GStreamer elements that play a stream from now on.
struct Player {
    pipeline: gst::Pipeline,
    shown: Arc<Mutex<Vec<Shown>>>,
    /// Moments of capture of the pictures that came over the wire.
    times: Arc<Mutex<Vec<gst::ClockTime>>>,
    begun: Instant,
}

impl Player {
    fn of(url: &str) -> Self {
        let text = format!(
            "rtmp2src location={url} ! flvdemux name=demux \
             demux.video ! queue name=wire ! h264parse ! avdec_h264 thread-type=slice ! videoconvert ! \
             video/x-raw,format=I420 ! appsink name=out sync=false async=false \
             demux.audio ! fakesink async=false"
        );
        let pipeline = gst::parse::launch(&text).expect("a pipeline");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let sink = pipeline.by_name("out").expect("there");
        let sink = sink.downcast::<AppSink>().expect("an app sink");
        let shown: Arc<Mutex<Vec<Shown>>> = Arc::default();
        let all = Arc::clone(&shown);
        let note = move |sink: &AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            all.lock().expect("no panic").push(look(&sample));
            Ok(gst::FlowSuccess::Ok)
        };
        sink.set_callbacks(AppSinkCallbacks::builder().new_sample(note).build());
        let times: Arc<Mutex<Vec<_>>> = Arc::default();
        let all = Arc::clone(&times);
        let wire = pipeline.by_name("wire").and_then(|e| e.static_pad("src"));
        let wire = wire.expect("a queue has one");
        wire.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let time = info.buffer().and_then(|buffer| buffer.pts());
            all.lock().expect("no panic").extend(time);
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).expect("plays");
        Self {
            pipeline,
            shown,
            times,
            begun: Instant::now(),
        }
    }

    fn shown(&self) -> Vec<Shown> {
        self.shown.lock().expect("no panic").clone()
    }

    /// Waits for a picture of this brightness, after those that are there now.
    async fn until(&self, luma: &std::ops::Range<u8>) -> Duration {
        let (begun, before) = (Instant::now(), self.shown().len());
        loop {
            let shown = self.shown();
            if shown[before..].iter().any(|seen| luma.contains(&seen.luma)) {
                return begun.elapsed();
            }
            let last = shown.last();
            assert!(begun.elapsed() < PATIENCE, "no {luma:?}, last {last:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it; every picture must have been one of `colours`, whole, and the times must grow. The
    /// longest time between two of them is told as well.
    fn end(self, colours: &[std::ops::Range<u8>]) -> (Vec<Shown>, gst::ClockTime) {
        let (shown, times) = (self.shown(), self.times.lock().expect("no panic").clone());
        for seen in &shown {
            let known = colours.iter().any(|colour| colour.contains(&seen.luma));
            assert!(known && seen.span < 12, "{seen:?}");
        }
        let pairs = || times.windows(2);
        assert!(pairs().all(|pair| pair[0] < pair[1]), "{times:?}");
        let longest = pairs().map(|pair| pair[1] - pair[0]).max();
        (shown, longest.expect("pictures"))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn look(sample: &gst::Sample) -> Shown {
    let info = VideoInfo::from_caps(sample.caps().expect("caps")).expect("raw video");
    let buffer = sample.buffer().expect("a buffer");
    let map = buffer.map_readable().expect("readable");
    let stride = usize::try_from(info.stride()[0]).expect("positive");
    let rows = map.chunks(stride).take(info.height() as usize);
    let luma = || rows.clone().flat_map(|row| &row[..info.width() as usize]);
    let sum: u64 = luma().map(|luma| u64::from(*luma)).sum();
    let pixels = u64::from(info.width()) * u64::from(info.height());
    let (least, most) = (luma().min(), luma().max());
    Shown {
        width: info.width(),
        luma: u8::try_from(sum / pixels).expect("a mean"),
        span: most.expect("pixels") - least.expect("pixels"),
    }
}

/// Waits until the figures satisfy `wanted`.
async fn until(push: &Push, what: &str, wanted: impl Fn(&UplinkStats) -> bool) -> UplinkStats {
    let mut stats = push.uplink.stats();
    let patience = 4 * PATIENCE;
    let found = tokio::time::timeout(patience, stats.wait_for(|stats| wanted(stats))).await;
    match found {
        Ok(stats) => stats.expect("the push lives").clone(),
        Err(_) => panic!("not {what}: {:?}", push.uplink.stats().borrow()),
    }
}

async fn push(cameras: Vec<Camera>, url: &str) -> Push {
    let mut push = Push::from_cameras(cameras, false, url, |_| {}).await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    push
}

async fn relay() -> Running {
    start(RelayConfig::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_the_camera_itself_flows_and_a_mute_is_black_at_once() {
    let relay = relay().await;
    let url = relay.url("own");
    let push = push(vec![own("own", "name=mute pattern=white")], &url).await;
    assert!(
        push.seen
            .iter()
            .any(|event| { event.code == PushCode::StartVideoEncoder && event.message == OWN })
    );
    push.uplink.welcome();
    let player = Player::of(&url);
    player.until(&WHITE).await;
    println!("first picture after {:?}", player.begun.elapsed());
    assert!(player.begun.elapsed() < Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let stats = until(&push, "of the camera", |stats| stats.frames > 60).await;
    assert_eq!((&*stats.encoder, stats.encoded), (OWN, 0), "{stats:?}");
    assert!(player.shown().len() > 60, "{}", player.shown().len());

    push.uplink.set_video_muted(true);
    println!("black {:?} after the mute", player.until(&BLACK).await);
    until(&push, "ours", |stats| stats.encoder != OWN).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let since = player.shown().len() - 15;
    let after_mute = player.shown();
    assert!(
        after_mute[since..]
            .iter()
            .all(|seen| BLACK.contains(&seen.luma))
    );

    push.uplink.set_video_muted(false);
    println!("white {:?} after it", player.until(&WHITE).await);
    until(&push, "the camera again", |stats| stats.encoder == OWN).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (shown, gap) = player.end(&[WHITE, BLACK]);
    let turns = shown
        .windows(2)
        .filter(|pair| WHITE.contains(&pair[0].luma) != WHITE.contains(&pair[1].luma));
    assert_eq!(turns.count(), 2, "white, black, white");
    println!("longest gap {gap} in {} pictures", shown.len());
    assert!(gap < gst::ClockTime::from_mseconds(500), "{gap}");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_frame_comes_from_the_camera_when_it_is_asked_for() {
    let relay = relay().await;
    let url = relay.url("keys");
    let push = push(vec![own("own", "name=keys pattern=ball")], &url).await;
    let keys = keys_on_demand(&push, &url).await;
    assert!((5..=8).contains(&keys), "{keys} key frames");
    let stats = push.uplink.stats().borrow().clone();
    assert_eq!((&*stats.encoder, stats.encoded), (OWN, 0), "{stats:?}");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_camera_and_a_dead_one_are_ours_to_encode() {
    let relay = relay().await;
    let url = relay.url("cameras");
    let red = "videotestsrc is-live=true pattern=red ! video/x-raw,framerate=30/1";
    let cameras = vec![own("own", "name=first pattern=white"), camera("raw", red)];
    let push = push(cameras, &url).await;
    push.uplink.welcome();
    let player = Player::of(&url);
    player.until(&WHITE).await;
    let cameras = push.capture.cameras();
    cameras.switch("raw").await.expect("there");
    player.until(&RED).await;
    until(&push, "ours", |stats| stats.encoder != OWN).await;
    cameras.switch("own").await.expect("there");
    player.until(&WHITE).await;
    until(&push, "the camera's", |stats| stats.encoder == OWN).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, gap) = player.end(&[WHITE, RED]);
    println!("longest gap {gap} while cameras were switched");
    push.end().await;

    // Three seconds of a camera, then the picture that says so, and the camera again.
    let url = relay.url("dead");
    let short = own("own", "name=short num-buffers=90 pattern=white");
    let mut push = self::push(vec![short], &url).await;
    until(&push, "the camera's", |stats| stats.encoder == OWN).await;
    push.until(PushCode::CameraRemoved, PATIENCE).await;
    until(&push, "ours", |stats| stats.encoder != OWN).await;
    push.until(PushCode::CameraAvailable, PATIENCE).await;
    until(&push, "the camera's", |stats| stats.encoder == OWN).await;
    let told: Vec<_> = push.seen.iter().map(|event| event.code).collect();
    assert!(!told.contains(&PushCode::Reconnect), "{told:?}");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_link_makes_the_picture_ours_and_smaller_until_it_is_wide_again() {
    let relay = relay().await;
    let (port, link) = proxy(relay.addr.port()).await;
    // Snow takes all that an encoder is allowed.
    let snow = own("own", "name=narrow pattern=snow");
    let push = push(vec![snow], &format!("rtmp://127.0.0.1:{port}/live/narrow")).await;
    let own = |stats: &UplinkStats| stats.encoder == OWN && stats.net_status.video_kbps > 100.0;
    let stats = until(&push, "the camera's", own).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let kbps = push.uplink.stats().borrow().net_status.video_kbps;
    println!("the camera makes {kbps} kbit/s of {}", stats.quality.kbps);
    // Its description says 3000.
    assert!((500.0..1200.0).contains(&kbps), "{kbps}");

    let player = Player::of(&relay.url("narrow"));
    link.send_replace(Link::Slow(35_000));
    let small = |stats: &UplinkStats| stats.quality.stage == Stage::Smaller && stats.encoder != OWN;
    until(&push, "smaller", small).await;
    link.send_replace(Link::Open);
    let full = |stats: &UplinkStats| stats.quality.stage == Stage::Full && stats.encoder == OWN;
    until(&push, "full again", full).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut widths: Vec<_> = player.shown().iter().map(|seen| seen.width).collect();
    widths.dedup();
    assert!(
        widths.starts_with(&[WIDTH]) && widths.ends_with(&[WIDTH / 2, WIDTH]),
        "{widths:?}"
    );
    assert_eq!(push.uplink.stats().borrow().reconnects, 0);
    push.end().await;
}
