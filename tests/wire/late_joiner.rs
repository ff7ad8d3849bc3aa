//! The player when it joins a stream whose key frames are far apart.

use std::time::Duration;

use rtckiosk::server::relay::RelayConfig;
use tokio::time::{Instant, sleep, sleep_until};

use crate::downlink::{PATIENCE, Player, strict_gstreamer};
use crate::flv_file::{FlvTag, made};
use crate::relay_start::start;
use crate::rtmp_client::Client;

/// Time of the stream, in ms, before anybody joins.
const BEFORE: u32 = 50_000;

/// A minute with one key frame, at the beginning, and one more at 58 s.
fn minute() -> Vec<FlvTag> {
    #[rustfmt::skip]
    let tags = made(60, &[
        "-i", "testsrc=size=320x240:rate=25", "-f", "lavfi", "-t", "60", "-i", "sine=440:sample_rate=44100",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
        "-g", "9000", "-keyint_min", "9000", "-sc_threshold", "0", "-force_key_frames", "0,58", "-c:a", "aac",
    ]);
    let keys = tags
        .iter()
        .filter(|tag| tag.kind == 9 && tag.data[..2] == [0x17, 1]);
    assert_eq!(
        keys.map(|tag| tag.stamp / 1000).collect::<Vec<_>>(),
        [0, 58]
    );
    tags
}

/// Sends what comes before at once, and the rest at its time.
async fn publish(client: &mut Client, tags: Vec<FlvTag>, from: u32) {
    let begun = Instant::now();
    for tag in tags {
        let due = tag.stamp.saturating_sub(from);
        sleep_until(begun + Duration::from_millis(due.into())).await;
        client.send_tag(tag.kind, tag.stamp, tag.data).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_sees_now_although_the_last_key_frame_is_fifty_seconds_old() {
    strict_gstreamer();
    let relay = start(RelayConfig::default()).await;
    let tags = minute();
    let count = |tag: &&FlvTag| tag.kind == 9 && tag.stamp < BEFORE && tag.data[1] == 1;
    let pictures = tags.iter().filter(count).count() as u64;
    let (mut client, _) = Client::publish(relay.addr, "long").await;
    let sent = tokio::spawn(async move { publish(&mut client, tags, BEFORE).await });
    relay.until_live("long", pictures).await;
    let publisher = relay.handle.stream("long").unwrap().publisher.unwrap();
    assert_eq!(publisher.late_players_wait, None);
    let player = Player::start(&relay.url("long"), PATIENCE);
    let stats = player.until("a picture", |stats| stats.frames > 0).await;
    println!("first picture: {stats:?}");
    // The next key frame would come after 8 s.
    let first = stats.first_frame_ms.unwrap();
    assert!(first < 4000, "{first} ms");
    sleep(Duration::from_millis(1500)).await;
    let (before, begun) = (player.stats(), Instant::now());
    assert!(before.buffer_ms < 300, "{before:?}");
    // A minute seen quickly would be hundreds.
    assert!(before.frames < 150, "{before:?}");
    sleep(Duration::from_secs(2)).await;
    let (stats, passed) = (player.stats(), begun.elapsed());
    let fps = (stats.frames - before.frames) as f64 / passed.as_secs_f64();
    assert!((20.0..30.0).contains(&fps), "{fps}: {stats:?}");
    assert!(stats.audio.tone_hz.is_some(), "{stats:?}");
    assert_eq!((stats.reconnects, stats.freezes), (0, 0), "{stats:?}");
    player.downlink.stop().await;
    sent.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_larger_than_the_cache_is_named_and_the_next_key_frame_waited_for() {
    strict_gstreamer();
    let relay = start(RelayConfig {
        gop_cache_bytes: 64 << 10,
        ..RelayConfig::default()
    })
    .await;
    let (mut client, _) = Client::publish(relay.addr, "long").await;
    let sent = tokio::spawn(async move { publish(&mut client, minute(), 55_000).await });
    relay.until_live("long", 1300).await;
    let publisher = relay.handle.stream("long").unwrap().publisher.unwrap();
    let expected = "its group of pictures is larger than 64 KiB (gop_cache_kib)";
    assert_eq!(publisher.late_players_wait.as_deref(), Some(expected));
    let player = Player::start(&relay.url("long"), PATIENCE);
    let heard = |stats: &rtckiosk::media::DownlinkStats| stats.audio.tone_hz.is_some();
    let stats = player.until("its sound", heard).await;
    assert_eq!(stats.frames, 0, "{stats:?}");
    let stats = player.until("a picture", |stats| stats.frames > 0).await;
    assert_eq!(stats.reconnects, 0, "{stats:?}");
    player.downlink.stop().await;
    sent.await.unwrap();
}
