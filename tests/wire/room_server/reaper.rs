//! Members that go without goodbye, with real streams on the embedded relay and on nginx.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rtckiosk::config::ServerConfig;
use rtckiosk::protocol::{RoomType, Verb};
use rtckiosk::server::Settings;
use serde_json::json;

use super::peer::{Server, User};
use crate::nginx::Nginx;

/// A test picture and tone, pushed until dropped.
struct Pusher(Child);

impl Pusher {
    fn start(url: &str) -> Self {
        let child = Command::new("ffmpeg")
            .args(["-loglevel", "error", "-re"])
            .args(["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=15"])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "15"])
            .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", url])
            .stdin(Stdio::null())
            .spawn()
            .expect("ffmpeg is missing: install the Debian package ffmpeg");
        Self(child)
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn server(change: impl FnOnce(&mut Settings)) -> Server {
    Server::with(|settings| {
        change(settings);
        settings.sweep = Duration::from_millis(100);
        settings.rules.member_timeout = Duration::from_millis(800);
        settings.rules.idle_timeout = Duration::from_millis(800);
    })
    .await
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(15), "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn play_url(user: &User<'_>, room: &str, who: &str) -> String {
    let room = user.call(Verb::GetPushers, json!({"roomID":room})).await;
    let members = room["pushers"].as_array().unwrap();
    let member = members.iter().find(|member| member["userID"] == who);
    member.unwrap()["accelerateURL"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Lists the codecs that ffprobe finds at `url`, once somebody pushes there.
async fn codecs(url: String) -> String {
    let probe = tokio::task::spawn_blocking(move || {
        Command::new("ffprobe")
            .args(["-loglevel", "error", "-rw_timeout", "10000000"])
            .args(["-show_entries", "stream=codec_name", "-of", "csv=p=0", &url])
            .output()
            .expect("ffprobe is missing: install the Debian package ffmpeg")
    });
    String::from_utf8(probe.await.unwrap().stdout).unwrap()
}

/// A member whose heartbeats stop stays as long as the relay has the stream.
async fn stays_while_the_stream_runs(server: Server) {
    let mut events = server.handle.room_events();
    let viewer = server.login(RoomType::Multi, "viewer").await;
    let kiosk = server.login(RoomType::Multi, "kiosk").await;
    let push_url = kiosk.enter("r").await;
    let pusher = Pusher::start(&push_url);
    // The play URL that others are given opens the stream; until then heartbeats go on.
    let mut playing = tokio::spawn(codecs(play_url(&viewer, "r", "kiosk").await));
    let codecs = loop {
        let pause = tokio::time::sleep(Duration::from_millis(300));
        tokio::select! {
            codecs = &mut playing => break codecs.unwrap(),
            () = pause => kiosk.call(Verb::PusherHeartbeat, kiosk.of("r")).await,
        };
    };
    assert!(
        codecs.contains("h264") && codecs.contains("aac"),
        "{codecs}"
    );

    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(viewer.members("r").await, ["kiosk"]);
    drop(pusher);
    until("the member goes", async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        viewer.members("r").await.is_empty()
    })
    .await;
    let last = std::iter::from_fn(|| events.try_recv().ok())
        .last()
        .unwrap();
    assert_eq!(last.what.to_string(), "room closed");
    assert_eq!(server.handle.stats().occupancy.rooms, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_member_stays_while_the_embedded_relay_has_the_stream() {
    stays_while_the_stream_runs(server(|_| {}).await).await;
}

#[tokio::test]
async fn a_member_stays_while_nginx_has_the_stream() {
    let nginx = Nginx::start();
    let (rtmp, http) = (nginx.rtmp_port, nginx.http_port);
    let config = format!(
        r#"[relay.external]
        push_url = "rtmp://127.0.0.1:{rtmp}/live/{{stream}}?{{query}}"
        play_url = "rtmp://127.0.0.1:{rtmp}/live/{{stream}}?{{query}}"
        status_url = "http://127.0.0.1:{http}/stat"
        status_kind = "nginx""#
    );
    let config = ServerConfig::parse("test", &config).unwrap();
    let external = Settings::load(&config).unwrap();
    let server = server(|settings| settings.relay = external.relay).await;
    assert!(server.handle.relay().is_none());
    stays_while_the_stream_runs(server).await;
}

#[tokio::test]
async fn silence_without_a_stream_ends_membership_and_unused_ids_come_back() {
    let server = server(|_| {}).await;
    let alice = server.login(RoomType::Double, "alice").await;
    let bob = server.login(RoomType::Double, "bob").await;
    alice.enter("r").await;
    bob.enter("r").await;
    let create = async || {
        let body = json!({"userID":"bob","roomInfo":"","roomID":"unused"});
        bob.code(Verb::CreateRoom, body).await
    };
    assert_eq!(create().await, 0);
    assert_eq!(create().await, 11);
    let start = Instant::now();
    until("alice goes", async || {
        assert_eq!(bob.code(Verb::PusherHeartbeat, bob.of("r")).await, 0);
        bob.members("r").await == ["bob"]
    })
    .await;
    assert!(start.elapsed() >= Duration::from_millis(700));
    assert_eq!(alice.code(Verb::PusherHeartbeat, alice.of("r")).await, 5);
    until("the id is free", async || create().await == 0).await;
    alice.enter("r").await;
    assert_eq!(bob.members("r").await, ["bob", "alice"]);
    server.stop().await;
}
