//! The embedded relay and the peers it must serve: ffmpeg, ffprobe and GStreamer.

use std::time::Duration;

use rtckiosk::server::relay::{RelayConfig, StreamProbe, StreamState};
use tokio::time::{Instant, sleep};

use super::process::{ffmpeg_push, finish, gst_push, run, spawn, text};
use super::relay_start::start;
use super::rtmp_client::Client;

const PATIENCE: Duration = Duration::from_secs(20);

/// Lists the codecs that ffprobe finds at `url`, sorted by name.
async fn codecs(url: &str) -> Vec<String> {
    #[rustfmt::skip]
    let args = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", url];
    let output = run("ffprobe", &args, PATIENCE).await;
    assert!(output.status.success(), "{}", text(&output));
    let mut codecs: Vec<_> = text(&output).lines().map(str::to_owned).collect();
    codecs.sort();
    codecs
}

/// Decodes 25 pictures with `rtmp2src`; ends by itself when they have come.
async fn gst_decodes(url: &str) {
    let source = format!("location={url}");
    #[rustfmt::skip]
    let args = [
        "-q", "rtmp2src", &source, "!", "flvdemux", "name=demux",
        "demux.video", "!", "queue", "!", "h264parse", "!", "avdec_h264", "!", "identity", "eos-after=25",
        "!", "fakesink", "sync=false", "async=false",
    ];
    let output = run("gst-launch-1.0", &args, PATIENCE).await;
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("ERROR"), "{}", text(&output));
}

/// Decodes two seconds with ffmpeg; gives the pictures it saw.
async fn ffmpeg_decodes(url: &str) -> u32 {
    #[rustfmt::skip]
    let args = [
        "-hide_banner", "-loglevel", "error", "-xerror", "-i", url, "-t", "2",
        "-progress", "-", "-f", "null", "/dev/null",
    ];
    let output = run("ffmpeg", &args, PATIENCE).await;
    assert!(output.status.success(), "{}", text(&output));
    let text = text(&output);
    let frames = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("frame="));
    frames
        .unwrap_or_else(|| panic!("no progress in {text}"))
        .parse()
        .unwrap()
}

async fn all_players_play(url: &str) {
    assert_eq!(codecs(url).await, ["aac", "h264"]);
    let (frames, ()) = tokio::join!(ffmpeg_decodes(url), gst_decodes(url));
    let right = (45..=60).contains(&frames);
    assert!(right, "{frames} pictures in 2 s of 25 each");
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_pushes_and_all_players_play() {
    let relay = start(RelayConfig::default()).await;
    let url = relay.url("a");
    let _pusher = ffmpeg_push(&url, 25, 400);
    relay.until_live("a", 25).await;
    all_players_play(&url).await;

    let status = relay.handle.stream("a").unwrap();
    let publisher = status.publisher.unwrap();
    assert!(publisher.video && publisher.audio, "{publisher:?}");
    assert!(
        (100.0..2000.0).contains(&publisher.kbps_in),
        "{publisher:?}"
    );
    let fps = publisher.frames as f64 / publisher.uptime_s;
    assert!((20.0..30.0).contains(&fps), "{fps} in {publisher:?}");
    assert!(publisher.last_media_ms_ago.unwrap() < 1000, "{publisher:?}");
    let json = serde_json::to_value(relay.handle.streams()).unwrap();
    assert_eq!(json[0]["stream_id"], "a");
    assert_eq!(json[0]["publisher"]["since"], super::relay_start::NOW);
    assert!(json[0]["players"].is_array());
    assert_eq!(relay.handle.state("a").await, StreamState::Live);
    assert_eq!(relay.handle.state("b").await, StreamState::NotLive);
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_pushes_and_all_players_play() {
    let relay = start(RelayConfig::default()).await;
    let url = relay.url("a");
    let _pusher = gst_push(&url);
    relay.until_live("a", 25).await;
    all_players_play(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_player_starts_with_a_key_frame_at_once() {
    let relay = start(RelayConfig::default()).await;
    let _pusher = ffmpeg_push(&relay.url("a"), 225, 400);
    relay.until_live("a", 75).await;
    let asked = Instant::now();
    let (mut player, _) = Client::play(relay.addr, "a").await;
    let header = player.picture().await;
    let first = player.picture().await;
    let waited = asked.elapsed();
    assert!(
        header.header && first.key && !first.header,
        "{header:?} {first:?}"
    );
    // The next key frame is seconds away; 40 ms are usual.
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    let mut last = first.timestamp;
    for _ in 0..75 {
        let picture = player.picture().await;
        assert!(
            !picture.key && picture.timestamp > last,
            "{picture:?} after {last}"
        );
        last = picture.timestamp;
    }
    // The burst has caught up with the publisher.
    let behind = asked.elapsed();
    assert!(
        behind < Duration::from_millis(1500),
        "{behind:?} for 3 s of pictures"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_publisher_is_refused_and_the_first_goes_on() {
    let relay = start(RelayConfig::default()).await;
    let _first = ffmpeg_push(&relay.url("a"), 25, 400);
    let first = relay.until_live("a", 10).await;
    let (mut second, code) = Client::publish(relay.addr, "a").await;
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(
        second.next().await.is_none(),
        "the relay closes after refusing"
    );
    let second = finish(gst_push(&relay.url("a")), PATIENCE).await;
    let said = text(&second);
    assert!(
        !second.status.success() && said.contains("already being published"),
        "{said}"
    );
    let second = finish(ffmpeg_push(&relay.url("a"), 25, 400), PATIENCE).await;
    assert!(!second.status.success());
    let still = relay.until_live("a", first.frames + 25).await;
    assert_eq!(still.addr, first.addr);
}

#[tokio::test(flavor = "multi_thread")]
async fn players_stay_while_a_publisher_is_killed_and_comes_back() {
    let relay = start(RelayConfig::default()).await;
    let url = relay.url("a");
    let mut pusher = ffmpeg_push(&url, 25, 400);
    relay.until_live("a", 25).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recording.flv");
    let path = file.to_str().unwrap();
    let args = [
        "-loglevel",
        "error",
        "-i",
        &url,
        "-c",
        "copy",
        "-flush_packets",
        "1",
        path,
    ];
    let _recorder = spawn("ffmpeg", &args);
    let (mut player, _) = Client::play(relay.addr, "a").await;
    relay.until("a", |status| status.players.len() == 2).await;
    let mut before = player.picture().await;
    let watch = Instant::now() + Duration::from_secs(2);
    while Instant::now() < watch {
        before = player.picture().await;
    }

    pusher.kill().await.unwrap();
    relay.until("a", |status| status.publisher.is_none()).await;
    sleep(Duration::from_millis(500)).await;
    let recorded = std::fs::metadata(&file).unwrap().len();
    let _back = ffmpeg_push(&url, 25, 400);

    let mut back = Vec::new();
    while back.len() < 30 {
        let picture = player.picture().await;
        // Media that were on their way have stamps just behind the last one.
        if !back.is_empty() || picture.timestamp > before.timestamp + 500 {
            back.push(picture);
        }
    }
    assert!(back[0].header && back[1].key, "{:?}", &back[..2]);
    let ordered = back.windows(2).all(|w| w[1].timestamp >= w[0].timestamp);
    assert!(ordered, "time ran backwards: {back:?}");
    let status = relay.until_live("a", 75).await;
    assert!(
        std::fs::metadata(&file).unwrap().len() > recorded + 50_000,
        "{status:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn players_are_told_when_the_publisher_says_goodbye() {
    let relay = start(RelayConfig::default()).await;
    let url = relay.url("a");
    let mut pusher = ffmpeg_push(&url, 25, 400);
    relay.until_live("a", 25).await;
    let source = format!("location={url}");
    let ffmpeg = spawn(
        "ffmpeg",
        &["-loglevel", "error", "-i", &url, "-f", "null", "/dev/null"],
    );
    let gst = spawn(
        "gst-launch-1.0",
        &["-q", "rtmp2src", &source, "!", "fakesink"],
    );
    relay.until("a", |status| status.players.len() == 2).await;
    sleep(Duration::from_secs(1)).await;
    pusher.start_kill().unwrap();
    relay.until("a", |status| status.publisher.is_none()).await;

    // The loss alone ended no player; the goodbye of the one who comes back does.
    let (mut publisher, _) = Client::publish(relay.addr, "a").await;
    publisher.send_picture(true, 0, 0, 10).await;
    publisher.send_picture(true, 1, 0, 1000).await;
    publisher.stop_publishing().await;
    for player in [ffmpeg, gst] {
        let output = finish(player, PATIENCE).await;
        assert!(output.status.success(), "{}", text(&output));
    }
}
