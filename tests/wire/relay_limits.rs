//! Holds that the embedded relay keeps to its limits, and stands slow and hostile clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rml_rtmp::sessions::ClientSessionEvent as Event;
use rtckiosk::protocol::stream_url::{signed_query, verify_query, verify_viewer, viewer_query};
use rtckiosk::server::relay::{Gate, Relay, RelayConfig, RelayError, StreamProbe, StreamState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::process::{ffmpeg_push, finish, gst_push, text};
use super::relay_start::{NOW, start};
use super::rtmp_client::{Client, handshake};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets in by signature alone, as if every user were in every room.
#[derive(Debug)]
struct Signed;

impl Gate for Signed {
    fn publisher(&self, stream: &str, query: &str) -> Result<String, String> {
        let verified = verify_query(KEY, stream, query, NOW);
        verified.map_err(|refusal| refusal.to_string())?;
        Ok("owner".to_owned())
    }

    fn is_members(&self, stream: &str) -> bool {
        stream.starts_with("member")
    }

    fn viewer(&self, stream: &str, query: &str) -> Result<String, String> {
        verify_viewer(KEY, stream, query, NOW).map_err(|refusal| refusal.to_string())
    }

    fn may_play(&self, _stream: &str, viewer: &str) -> bool {
        viewer != "late"
    }
}

fn signed() -> RelayConfig {
    RelayConfig {
        gate: Some(Arc::new(Signed)),
        ..RelayConfig::default()
    }
}

/// The name by which `viewer` plays a stream.
fn play_name(stream: &str, viewer: &str, expires: u64) -> String {
    let query = viewer_query(KEY, "8525", stream, viewer, expires);
    format!("{stream}?{query}")
}

fn push_name(stream: &str) -> String {
    format!("{stream}?{}", signed_query(KEY, "8525", stream, NOW))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_signed_urls_open_a_stream() {
    let relay = start(signed()).await;
    let name = |key, expires| format!("8525_a?{}", signed_query(key, "8525", "8525_a", expires));
    let of_another = format!("8525_b?{}", signed_query(KEY, "8525", "8525_a", NOW + 60));
    for bad in [
        "8525_a",
        &name("wrong", NOW + 60),
        &name(KEY, NOW - 1),
        &of_another,
    ] {
        let (mut client, code) = Client::publish(relay.addr, bad).await;
        assert_eq!(code, "NetStream.Publish.Unauthorized", "{bad}");
        assert!(client.next().await.is_none(), "closed after refusing {bad}");
        let (mut client, code) = Client::play(relay.addr, bad).await;
        assert_eq!(code, "NetStream.Play.Unauthorized", "{bad}");
        assert!(client.next().await.is_none(), "closed after refusing {bad}");
    }
    assert!(relay.handle.streams().is_empty());
    let good = name(KEY, NOW);
    let (_publisher, code) = Client::publish(relay.addr, &good).await;
    assert_eq!(code, "NetStream.Publish.Start");
    let play = play_name("8525_a", "bob", NOW);
    let (_player, code) = Client::play(relay.addr, &play).await;
    assert_eq!(code, "NetStream.Play.Start");
    // Neither URL opens the other way.
    let (_, code) = Client::publish(relay.addr, &play).await;
    assert_eq!(code, "NetStream.Publish.Unauthorized");
    let (_, code) = Client::play(relay.addr, &good).await;
    assert_eq!(code, "NetStream.Play.Unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_publishes_three_streams_that_no_room_knows() {
    let relay = start(signed()).await;
    let mut held = Vec::new();
    for stream in ["a", "b", "c", "member_1", "member_2"] {
        let (client, code) = Client::publish(relay.addr, &push_name(stream)).await;
        assert_eq!(code, "NetStream.Publish.Start", "{stream}");
        held.push(client);
    }
    let (_, code) = Client::publish(relay.addr, &push_name("d")).await;
    assert_eq!(code, "NetStream.Publish.Unauthorized");
    drop(held.remove(0));
    relay.until_gone("a").await;
    let (_again, code) = Client::publish(relay.addr, &push_name("d")).await;
    assert_eq!(code, "NetStream.Publish.Start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_play_ends_for_one_viewer_alone() {
    let relay = start(signed()).await;
    let (mut publisher, _) = Client::publish(relay.addr, &push_name("a")).await;
    let (mut bob, _) = Client::play(relay.addr, &play_name("a", "bob", NOW)).await;
    let (mut eve, _) = Client::play(relay.addr, &play_name("a", "eve", NOW)).await;
    let (mut late, code) = Client::play(relay.addr, &play_name("a", "late", NOW)).await;
    assert_eq!(code, "NetStream.Play.Unauthorized");
    assert!(late.next().await.is_none());
    relay.handle.end_plays("a", |viewer| viewer == "bob");
    while eve.next().await.is_some() {}
    publisher.send_picture(true, 1, 0, 100).await;
    assert!(bob.next().await.is_some(), "the other viewer goes on");
    relay.handle.end_publish("a", |owner| owner == "owner");
    publisher.send_picture(true, 1, 40, 100).await;
    assert!(bob.next().await.is_some());
    relay.handle.end_publish("a", |_| false);
    while publisher.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn real_pushers_sign_and_are_told_why_not() {
    let relay = start(signed()).await;
    let url = |expires| {
        format!(
            "{}?{}",
            relay.url("a"),
            signed_query(KEY, "8525", "a", expires)
        )
    };
    let expired = finish(gst_push(&url(NOW - 1)), PATIENCE).await;
    let said = text(&expired);
    assert!(
        !expired.status.success() && said.contains("the URL expired"),
        "{said}"
    );
    let mut ffmpeg = ffmpeg_push(&url(NOW + 60), 25, 300);
    relay.until_live("a", 5).await;
    ffmpeg.kill().await.unwrap();
    relay.until_gone("a").await;
    let _gst = gst_push(&url(NOW + 60));
    relay.until_live("a", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_player_loses_gops_and_delays_nobody() {
    const QUEUE: usize = 512 << 10;
    let relay = start(RelayConfig {
        gop_cache: false,
        player_queue_bytes: QUEUE,
        player_queue_time: Duration::from_secs(1),
        ..RelayConfig::default()
    })
    .await;
    let _pusher = ffmpeg_push(&relay.url("a"), 25, 6000);
    relay.until_live("a", 10).await;
    let (slow, code) = Client::play(relay.addr, "a").await;
    assert_eq!(code, "NetStream.Play.Start");
    let (mut fast, _) = Client::play(relay.addr, "a").await;
    let slow_addr = slow.socket.local_addr().unwrap();
    let (end, mut longest, mut pictures) = (Instant::now() + Duration::from_secs(8), 0, 0);
    let mut last = Instant::now();
    while Instant::now() < end {
        fast.picture().await;
        pictures += 1;
        longest = longest.max(last.elapsed().as_millis());
        last = Instant::now();
        for player in relay.handle.stream("a").unwrap().players {
            // One key frame may come on top of the limit.
            assert!(player.queued_bytes < QUEUE + (256 << 10), "{player:?}");
        }
    }
    assert!(pictures > 170, "{pictures} pictures in 8 s of 25 each");
    assert!(longest < 500, "{longest} ms without a picture");
    let players = relay.handle.stream("a").unwrap().players;
    let (of_slow, of_fast): (Vec<_>, Vec<_>) = players.iter().partition(|p| p.addr == slow_addr);
    assert!(of_slow[0].dropped_gops >= 3, "{of_slow:?}");
    assert_eq!(of_fast[0].dropped_gops, 0, "{of_fast:?}");
    assert!(
        of_slow[0].bytes_out < of_fast[0].bytes_out / 2,
        "{players:?}"
    );

    // Reading again, it goes on with whole GOPs: after a gap comes a key frame.
    let mut slow = slow;
    let mut last = slow.picture().await;
    let mut gaps = 0;
    for _ in 0..150 {
        let picture = slow.picture().await;
        if picture.timestamp.wrapping_sub(last.timestamp) > 500 && !picture.header {
            assert!(picture.key, "{picture:?} after {last:?}");
            gaps += 1;
        }
        last = picture;
    }
    assert!(gaps > 0, "nothing was dropped on the wire");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_disconnected() {
    let relay = start(RelayConfig {
        write_timeout: Duration::from_secs(2),
        ..RelayConfig::default()
    })
    .await;
    let _pusher = ffmpeg_push(&relay.url("a"), 25, 6000);
    relay.until_live("a", 10).await;
    let _slow = Client::play(relay.addr, "a").await;
    relay.until("a", |status| status.players.len() == 1).await;
    relay.until("a", |status| status.players.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_may_come_first_but_not_wait_for_ever() {
    let relay = start(RelayConfig {
        player_patience: Duration::from_secs(2),
        ..RelayConfig::default()
    })
    .await;
    let (mut early, code) = Client::play(relay.addr, "a").await;
    assert_eq!(code, "NetStream.Play.Start");
    sleep(Duration::from_secs(1)).await;
    let _pusher = ffmpeg_push(&relay.url("a"), 25, 300);
    assert!(early.picture().await.header);
    assert!(early.picture().await.key);

    let asked = Instant::now();
    let (mut alone, _) = Client::play(relay.addr, "b").await;
    alone.status("NetStream.Play.StreamNotFound").await;
    assert!(alone.next().await.is_none());
    let waited = asked.elapsed();
    assert!((1900..4000).contains(&waited.as_millis()), "{waited:?}");
    relay.until_gone("b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_publisher_gives_way_and_is_disconnected() {
    let relay = start(RelayConfig {
        publisher_stale: Duration::from_millis(500),
        idle_timeout: Duration::from_secs(2),
        ..RelayConfig::default()
    })
    .await;
    let (mut silent, _) = Client::publish(relay.addr, "a").await;
    silent.send_picture(true, 1, 0, 100).await;
    relay.until_live("a", 1).await;
    let (_, code) = Client::publish(relay.addr, "a").await;
    assert_eq!(code, "NetStream.Publish.BadName");
    sleep(Duration::from_millis(600)).await;
    let (mut next, code) = Client::publish(relay.addr, "a").await;
    assert_eq!(code, "NetStream.Publish.Start");
    assert!(
        silent.next().await.is_none(),
        "the silent one is disconnected"
    );
    next.send_picture(true, 1, 0, 100).await;
    relay.until_live("a", 1).await;
    // Now nobody comes, and silence alone ends it.
    assert!(next.next().await.is_none());
    relay.until_gone("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kicking_and_stopping_end_connections_at_once() {
    let relay = start(RelayConfig::default()).await;
    let (mut publisher, _) = Client::publish(relay.addr, "a").await;
    let (mut player, _) = Client::play(relay.addr, "a").await;
    relay.handle.end_publish("b", |_| false);
    relay.handle.end_publish("a", |_| false);
    relay.handle.end_plays("a", |_| false);
    assert!(publisher.next().await.is_none());
    while player.next().await.is_some() {}
    relay.until_gone("a").await;

    let (mut publisher, _) = Client::publish(relay.addr, "a").await;
    let (_reads_nothing, _) = Client::play(relay.addr, "a").await;
    publisher.send_picture(true, 1, 0, 3 << 20).await;
    relay.stop.cancel();
    let mut relay = relay;
    let stopped = timeout(Duration::from_secs(3), &mut relay.task).await;
    stopped.expect("stopped within 3 s").unwrap();
    assert_eq!(relay.handle.state("a").await, StreamState::NotLive);
}

/// Sends `bytes` and reads until the relay closes, which it must within its patience.
async fn closes_after(addr: SocketAddr, shake: bool, bytes: &[u8]) {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    if shake {
        handshake(&mut socket).await;
    }
    // It may close before all is written.
    let _ = socket.write_all(bytes).await;
    let closed = async {
        let mut buffer = [0; 4096];
        while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    let closed = timeout(Duration::from_secs(5), closed).await;
    closed.unwrap_or_else(|_| panic!("still open after {:?}...", &bytes[..bytes.len().min(16)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_closed_and_harms_nobody() {
    let relay = start(RelayConfig {
        handshake_timeout: Duration::from_secs(1),
        ..RelayConfig::default()
    })
    .await;
    let _pusher = ffmpeg_push(&relay.url("good"), 25, 300);
    let good = relay.until_live("good", 5).await;
    let mut seed = 1u32;
    let mut noise = |len: usize| {
        let mut bytes = vec![0; len];
        for byte in &mut bytes {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = seed.to_be_bytes()[0];
        }
        bytes
    };
    closes_after(relay.addr, false, b"").await;
    closes_after(relay.addr, false, b"GET / HTTP/1.1\r\n\r\n").await;
    closes_after(relay.addr, false, &[&[3], &noise(700)[..]].concat()).await;
    closes_after(relay.addr, false, &[&[3], &noise(5000)[..]].concat()).await;
    for _ in 0..20 {
        closes_after(relay.addr, true, &noise(3000)).await;
    }
    let command = |payload: &[u8]| {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut chunks = vec![3, 0, 0, 0, len[1], len[2], len[3], 20, 0, 0, 0, 0];
        for (index, piece) in payload.chunks(128).enumerate() {
            chunks.extend(if index > 0 { &[0xc3][..] } else { &[] });
            chunks.extend(piece);
        }
        chunks
    };
    // An oversize message announced, deep nesting, and a command that is cut off.
    closes_after(
        relay.addr,
        true,
        &[3, 0, 0, 0, 255, 255, 255, 20, 0, 0, 0, 0],
    )
    .await;
    closes_after(relay.addr, true, &command(&[3, 0, 1, b'a'].repeat(15_000))).await;
    closes_after(relay.addr, true, &command(&[3, 0, 1, b'a'].repeat(1_000))).await;
    closes_after(relay.addr, true, &command(b"\x02\x00\x07publish\x00")).await;
    closes_after(relay.addr, true, &[9, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 7]).await;

    let (mut publisher, _) = Client::publish(relay.addr, "big").await;
    publisher.send_picture(true, 1, 0, 5 << 20).await;
    assert!(
        publisher.next().await.is_none(),
        "5 MiB in one picture are refused"
    );
    let mut wrong_app = Client::connect(relay.addr, "vod").await;
    let refused = wrong_app
        .until(|e| matches!(e, Event::ConnectionRequestRejected { .. }))
        .await;
    assert!(
        format!("{refused:?}").contains("serves `live`"),
        "{refused:?}"
    );

    let still = relay.until_live("good", good.frames + 25).await;
    assert_eq!(still.addr, good.addr);
    assert_eq!(relay.handle.streams().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_streams_are_bounded() {
    let relay = start(RelayConfig {
        max_connections: 3,
        max_streams: 2,
        ..RelayConfig::default()
    })
    .await;
    let (_a, _) = Client::publish(relay.addr, "a").await;
    let (b, _) = Client::play(relay.addr, "b").await;
    let (_, code) = Client::publish(relay.addr, "c").await;
    assert_eq!(code, "NetStream.Publish.BadName");
    // The refused connection takes a moment to be gone.
    sleep(Duration::from_millis(500)).await;
    let (_c, _) = Client::play(relay.addr, "a").await;
    closes_after(relay.addr, false, b"").await;
    drop(b);
    relay.until_gone("b").await;
    sleep(Duration::from_millis(100)).await;
    let (_, code) = Client::publish(relay.addr, "c").await;
    assert_eq!(code, "NetStream.Publish.Start");
}

#[tokio::test]
async fn a_config_that_cannot_work_is_refused_by_name() {
    let bind = async |config: RelayConfig| Relay::bind(config, || NOW).await.unwrap_err();
    let app = bind(RelayConfig {
        app: "a/b".to_owned(),
        ..RelayConfig::default()
    })
    .await;
    let wanted = "relay config: `app` is a/b, must be a name without `/` and `?`";
    assert_eq!(app.to_string(), wanted);
    let small = bind(RelayConfig {
        max_message_bytes: 1000,
        ..RelayConfig::default()
    })
    .await;
    assert!(matches!(
        small,
        RelayError::Config {
            field: "max_message_bytes",
            ..
        }
    ));
    let taken = start(RelayConfig::default()).await;
    let twice = bind(RelayConfig {
        listen: taken.addr,
        ..RelayConfig::default()
    })
    .await;
    assert!(
        matches!(&twice, RelayError::Listen { addr, .. } if *addr == taken.addr),
        "{twice}"
    );
}
