//! Streams over RTMPS: to our relay and to nginx, from and to ffmpeg and GStreamer, and every way
//! in which a relay fails to prove who it is.

use std::time::Duration;

use rtckiosk::config::kiosk::VideoSource;
use rtckiosk::media::{Downlink, DownlinkConfig, LossCause, PlayEvent};
use rtckiosk::process::backoff::Reconnect;
use rtckiosk::protocol::events::{PlayCode, PushCode};
use rtckiosk::server::relay::{Relay, RelayConfig};
use rtckiosk::tls::{ClientTls, Trust};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::certificates::{Authority, Issued, Key, Valid};
use crate::nginx_tls::TlsProxy;
use crate::peers::PATIENCE;
use crate::process::{ffmpeg_push, run, text};
use crate::support::nginx::Nginx;
use crate::uplink_rig::{Link, Push, delays, proxy};

/// Our relay with this certificate; gives its port.
async fn relay(issued: &Issued, plain: bool) -> (u16, Option<u16>, DropGuard) {
    let any = ([127, 0, 0, 1], 0).into();
    let config = RelayConfig {
        listen: any,
        tls: Some(issued.served()),
        plain_listen: plain.then_some(any),
        ..RelayConfig::default()
    };
    let relay = Relay::bind(config, || 1_700_000_000).await.unwrap();
    let (port, plain) = (relay.local_addr().port(), relay.plain_addr());
    let stop = CancellationToken::new();
    tokio::spawn(relay.run(stop.clone()));
    (port, plain.map(|addr| addr.port()), stop.drop_guard())
}

struct Play {
    downlink: Downlink,
    events: mpsc::Receiver<PlayEvent>,
}

impl Play {
    fn start(url: &str, tls: &ClientTls) -> Self {
        rtckiosk::media::init().unwrap();
        let (sender, events) = mpsc::channel(256);
        let config = DownlinkConfig {
            url: url.to_owned().into(),
            reconnect: Reconnect::default(),
            speaker: None,
            tls: tls.clone(),
            largest_picture: (1920, 1088),
        };
        let downlink = Downlink::start(config, sender);
        Self { downlink, events }
    }

    async fn until_frames(&self, frames: u64) {
        let mut stats = self.downlink.stats();
        let seen = timeout(PATIENCE, stats.wait_for(|stats| stats.frames >= frames)).await;
        assert!(seen.is_ok(), "{:?}", self.downlink.stats().borrow());
    }

    /// All that is said until the player gives up.
    async fn until_its_end(mut self) -> Vec<PlayEvent> {
        let mut said = Vec::new();
        let end = async {
            while let Some(event) = self.events.recv().await {
                let over = event.code == PlayCode::NetDisconnect;
                said.push(event);
                if over {
                    break;
                }
            }
        };
        timeout(PATIENCE, end).await.expect("the player gives up");
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_and_programs_of_others_meet_at_our_relay_over_tls() {
    let ours = Authority::new("ours");
    let (port, plain, _relay) = relay(&ours.for_this_machine(), true).await;
    let tls = ours.trust().client(&[Authority::pin(&ours.path())]);
    let url = format!("rtmps://localhost:{port}/live/kiosk");
    let push = Push::with(&url, |config| config.tls = tls.clone()).await;
    let play = Play::start(&url, &tls);
    play.until_frames(60).await;
    for agreed in [
        push.uplink.stats().borrow().tls.clone(),
        play.downlink.stats().borrow().tls.clone(),
    ] {
        assert!(agreed.starts_with("TLSv1_3, TLS13_AES_"), "{agreed}");
    }
    // GStreamer's own RTMPS cannot be told a CA, so it is told not to ask.
    let location = format!("location={url}");
    #[rustfmt::skip]
    let gst = [
        "-q", "rtmp2src", &location, "tls-validation-flags=0", "!", "flvdemux", "name=demux",
        "demux.video", "!", "queue", "!", "h264parse", "!", "avdec_h264", "!", "identity",
        "eos-after=25", "!", "fakesink", "sync=false", "async=false",
    ];
    let ca = ours.path().display().to_string();
    #[rustfmt::skip]
    let ffmpeg = [
        "-hide_banner", "-loglevel", "error", "-xerror", "-tls_verify", "1", "-ca_file", &ca,
        "-i", &url, "-t", "2", "-f", "null", "/dev/null",
    ];
    let (gst, ffmpeg) = tokio::join!(
        run("gst-launch-1.0", &gst, PATIENCE),
        run("ffmpeg", &ffmpeg, PATIENCE)
    );
    for output in [gst, ffmpeg] {
        assert!(output.status.success(), "{}", text(&output));
    }
    // A program without TLS, at the other port.
    let plain = format!("rtmp://127.0.0.1:{}/live/kiosk", plain.unwrap());
    let plain = Play::start(&plain, &tls);
    plain.until_frames(30).await;
    assert_eq!(plain.downlink.stats().borrow().tls, "");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_pushes_over_tls_and_the_kiosk_plays() {
    let ours = Authority::new("ours");
    let (port, _, _relay) = relay(&ours.for_this_machine(), false).await;
    let url = format!("rtmps://localhost:{port}/live/ffmpeg");
    let _pusher = ffmpeg_push(&url, 25, 400);
    let play = Play::start(&url, &ours.trust().client(&[]));
    play.until_frames(75).await;
    play.downlink.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_behind_tls_takes_and_gives_streams_and_hears_its_own_name() {
    let ours = Authority::new("ours");
    let nginx = Nginx::start();
    let proxy = TlsProxy::before(&nginx, &ours.for_this_machine());
    let tls = ours.trust().client(&[]);
    let url = format!("rtmps://localhost:{}/live/x?key=a", proxy.port);
    let push = Push::with(&url, |config| config.tls = tls.clone()).await;
    let play = Play::start(&url, &tls);
    play.until_frames(60).await;
    let meant = format!("tc_url='rtmps://localhost:{}/live'", proxy.port);
    let log = nginx.log();
    assert!(log.matches(&meant).count() >= 2, "{log}");
    assert!(!log.contains("tc_url='rtmp://127.0.0.1"), "{log}");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delay_over_tls_is_small() {
    let ours = Authority::new("ours");
    let (port, plain, _relay) = relay(&ours.for_this_machine(), true).await;
    let tls = ours.trust().client(&[]);
    let plain_url = format!("rtmp://127.0.0.1:{}/live/d", plain.unwrap());
    let mut push = Push::with(&format!("rtmps://localhost:{port}/live/d"), |config| {
        config.tls = tls;
    })
    .await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    let mut micros = tokio::task::spawn_blocking(move || delays(&plain_url, 150))
        .await
        .unwrap();
    // The first pictures come from the relay's memory.
    let mut late = micros.split_off(60);
    late.sort_unstable();
    let median = late[late.len() / 2];
    assert!(median < 200_000, "{late:?}");
    let backlog = push.uplink.stats().borrow().backlog_ms;
    assert!(backlog < 200.0, "{backlog}");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_link_is_seen_through_the_tunnel() {
    let ours = Authority::new("ours");
    let (port, plain, _relay) = relay(&ours.for_this_machine(), true).await;
    let (port, link) = proxy(port).await;
    let tls = ours.trust().client(&[]);
    let noise = "videotestsrc is-live=true pattern=snow ! video/x-raw,framerate=30/1";
    let camera = VideoSource::Gst(noise.to_owned());
    let to = format!("rtmps://127.0.0.1:{port}/live/slow");
    let mut push = Push::from_camera(camera, &to, |config| config.tls = tls).await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    // Half of what the stream makes.
    link.send_replace(Link::Slow(50_000));
    let busy = push.until(PushCode::NetBusy, PATIENCE).await;
    push.until(PushCode::ChangeBitrate, PATIENCE).await;
    sleep(Duration::from_secs(8)).await;
    let url = format!("rtmp://127.0.0.1:{}/live/slow", plain.unwrap());
    let seen = tokio::task::spawn_blocking(move || delays(&url, 40)).await;
    let micros = seen.unwrap();
    // Megabytes that went unseen into the tunnel would be tens of seconds.
    assert!(
        micros.iter().max() < Some(&3_000_000),
        "{busy:?} {micros:?}"
    );
    let stats = push.uplink.stats().borrow().clone();
    assert_eq!(stats.reconnects, 0, "{stats:?}");
    assert!(stats.quality.kbps < 500, "{stats:?}");
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_proves_nothing_gets_no_stream_and_is_asked_once() {
    let ours = Authority::new("ours");
    let stranger = Authority::new("stranger");
    let localhost = |valid| ours.issue(&format!("{valid:?}"), "DNS:localhost", valid, Key::P256);
    let cases = [
        (
            localhost(Valid::Now),
            "127.0.0.1",
            "is for localhost, not for 127.0.0.1",
        ),
        (
            localhost(Valid::LastYear),
            "localhost",
            "expired at 2025-06-01",
        ),
        (
            localhost(Valid::FarAhead),
            "localhost",
            "valid only from 2090",
        ),
        (ours.self_signed(), "localhost", "signed by itself"),
        (
            stranger.issue("s", "DNS:localhost", Valid::Now, Key::P256),
            "localhost",
            "from the CA \"stranger\"",
        ),
    ];
    let tls = ours.trust().client(&[]);
    for (issued, host, words) in cases {
        let (port, _, _relay) = relay(&issued, false).await;
        let url = format!("rtmps://{host}:{port}/live/x?txSecret=hidden");
        let said = Play::start(&url, &tls).until_its_end().await;
        let codes: Vec<_> = said.iter().map(|event| event.code).collect();
        assert_eq!(
            codes,
            [PlayCode::ShakeFail, PlayCode::NetDisconnect],
            "{said:?}"
        );
        assert!(said[1].message.contains(words), "{said:?}");

        let mut push = Push::with(&url, |config| config.tls = tls.clone()).await;
        let end = push.until(PushCode::NetDisconnect, PATIENCE).await;
        assert_eq!(end.cause(), Some(LossCause::Untrusted), "{end:?}");
        assert!(end.message.contains(words), "{end:?}");
        let told: Vec<_> = push.seen.iter().map(|event| event.code).collect();
        assert!(told.contains(&PushCode::ShakeFail), "{told:?}");
        assert!(!told.contains(&PushCode::Reconnect), "{told:?}");
        for text in [format!("{said:?}"), format!("{end:?} {:?}", push.seen)] {
            assert!(!text.contains("hidden"), "{text}");
        }
        push.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_tls_that_meet_at_a_relay_are_named() {
    let ours = Authority::new("ours");
    let (port, plain, _relay) = relay(&ours.for_this_machine(), true).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let tls = ours.trust().client(&[]);
    for (url, words) in [
        (
            format!("rtmp://127.0.0.1:{port}/live/x"),
            "its URL must start with rtmps://",
        ),
        (
            format!("rtmps://127.0.0.1:{}/live/x", plain.unwrap()),
            "is this a port for TLS?",
        ),
        (
            format!("rtmps://127.0.0.1:{silent_port}/live/x"),
            "no handshake within 5s",
        ),
    ] {
        let mut push = Push::with(&url, |config| config.tls = tls.clone()).await;
        let fail = push.until(PushCode::ShakeFail, PATIENCE).await;
        assert_eq!(fail.cause(), Some(LossCause::Tls), "{fail:?}");
        assert!(fail.message.contains(words), "{fail:?}");
        // It may have been a restart: a few tries with growing pauses.
        push.until(PushCode::Reconnect, PATIENCE).await;
        push.end().await;
        let mut play = Play::start(&url, &tls);
        let fail = timeout(PATIENCE, play.events.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(fail.code, PlayCode::ShakeFail, "{fail:?}");
        assert!(fail.message.contains(words), "{fail:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_dies_is_noticed_through_the_tunnel() {
    let ours = Authority::new("ours");
    let issued = ours.for_this_machine();
    let (port, _, guard) = relay(&issued, false).await;
    let tls = ours.trust().client(&[]);
    let url = format!("rtmps://localhost:{port}/live/x");
    let mut push = Push::with(&url, |config| config.tls = tls).await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    drop(guard);
    let lost = push.until(PushCode::ServerDisconnect, PATIENCE).await;
    assert_eq!(lost.cause(), Some(LossCause::ServerClosed), "{lost:?}");
    sleep(Duration::from_millis(100)).await;
    push.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_systems_certificates_do_not_vouch_for_a_private_relay() {
    let ours = Authority::new("ours");
    let (port, _, _relay) = relay(&ours.for_this_machine(), false).await;
    let url = format!("rtmps://localhost:{port}/live/x");
    let said = Play::start(&url, &Trust::system().client(&[]))
        .until_its_end()
        .await;
    assert!(said[1].message.contains("not trusted here"), "{said:?}");
}
