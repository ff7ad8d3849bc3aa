//! The player at relays that misbehave. The relay is a double: no real one can be told to.

use std::time::Duration;

use bytes::Bytes;
use rtckiosk::protocol::events::PlayCode;
use rtckiosk::protocol::rtmp::{Message, kind};
use tokio::time::{Instant, sleep_until};

use crate::downlink::{PATIENCE, Player, strict_gstreamer};
use crate::flv_file::{FlvTag, VIDEO_LATE, tags};
use crate::relay_double::{Guest, STREAM, relay};

/// Three seconds of picture and sound from their beginning.
fn both() -> Vec<FlvTag> {
    let mut both = tags(VIDEO_LATE);
    both.retain(|tag| tag.kind == 9 || tag.stamp == 0 || tag.stamp >= 8800);
    for tag in &mut both {
        tag.stamp = tag.stamp.saturating_sub(8800);
    }
    both
}

/// Sends tags at their times, on message stream `stream`, with `shift` added to their stamps.
async fn send(guest: &mut Guest, tags: &[FlvTag], stream: u32, shift: u32) -> bool {
    let begun = Instant::now();
    for tag in tags {
        sleep_until(begun + Duration::from_millis(tag.stamp.into())).await;
        if !guest
            .send_tag(tag, stream, tag.stamp.wrapping_add(shift))
            .await
        {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn media_on_message_stream_0_play() {
    strict_gstreamer();
    let url = relay(|mut guest| async move { while send(&mut guest, &both(), 0, 0).await {} });
    let player = Player::start(&url.await, PATIENCE);
    let stats = player.until("pictures", |stats| stats.frames >= 40).await;
    assert_eq!(stats.reconnects, 0, "{stats:?}");
    assert!(stats.audio.rms_db > -60.0, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stamps_that_wrap_and_jump_and_begin_anew_play_on() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        for shift in [u32::MAX - 1500, 3_600_000, 0, 0, 77] {
            if !send(&mut guest, &both(), STREAM, shift).await {
                return;
            }
        }
        guest.hold().await;
    });
    let player = Player::start(&url.await, PATIENCE);
    // 30 pictures each time.
    let stats = player.until("pictures", |stats| stats.frames >= 140).await;
    assert_eq!((stats.reconnects, stats.freezes), (0, 0), "{stats:?}");
    assert!(stats.skipped + stats.late < 15, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn script_data_of_any_depth_is_passed_over() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        let bomb = [
            &b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x01a"[..],
            &b"\x03\0\x01a".repeat(100_000),
        ];
        let bomb = Message::new(kind::DATA_AMF0, STREAM, bomb.concat().into());
        while guest.send(&bomb).await && send(&mut guest, &both(), STREAM, 0).await {}
    });
    let player = Player::start(&url.await, PATIENCE);
    let stats = player.until("pictures", |stats| stats.frames >= 60).await;
    assert_eq!((stats.reconnects, stats.freezes), (0, 0), "{stats:?}");
}

/// Memory of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    kib.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap() >> 10
}

/// A relay that asks and asks and never reads an answer: 60 MB of questions between the pictures.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_takes_no_memory() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        let ping = Message::new(
            kind::USER_CONTROL,
            0,
            Bytes::from_static(&[0, 6, 0, 0, 0, 1]),
        );
        for tag in both() {
            for _ in 0..20_000 {
                if !guest.send(&ping).await {
                    return;
                }
            }
            guest.send_tag(&tag, STREAM, tag.stamp).await;
        }
        guest.hold().await;
    });
    let player = Player::start(&url.await, PATIENCE);
    player.until("a picture", |stats| stats.frames >= 1).await;
    let before = resident();
    player.until("the rest", |stats| stats.frames >= 25).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 200, "{grown} MiB");
    assert_eq!(player.stats().reconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_is_damaged_costs_itself() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        let mut tags = both();
        // Every sound is noise, with a header that can be read.
        for (n, tag) in tags.iter_mut().enumerate() {
            if tag.kind == 8 && tag.data[1] == 1 {
                let noise = (0..60).map(|i| (n * 31 + i * 97) as u8);
                tag.data = [0xaf, 1].into_iter().chain(noise).collect();
            }
        }
        while send(&mut guest, &tags, STREAM, 0).await {}
    });
    let player = Player::start(&url.await, PATIENCE);
    let stats = player.until("pictures", |stats| stats.frames >= 120).await;
    assert_eq!((stats.reconnects, stats.freezes), (0, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_stream_is_known_at_once() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        send(&mut guest, &both(), STREAM, 0).await;
        guest.send(&Message::stream_eof(STREAM)).await;
        guest.hold().await;
    });
    let mut player = Player::start(&url.await, PATIENCE);
    player.expect(PlayCode::PlayBegin).await;
    let end = player.expect(PlayCode::ServerDisconnect).await;
    assert_eq!(end.message, "the server ended the stream");
    player.expect(PlayCode::PlayBegin).await;
}

/// A picture of another size, and one that stops for good while the sound goes on and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_changes_its_size_and_comes_back() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        let (first, second) = (both(), large());
        let sound: Vec<_> = first.iter().filter(|tag| tag.kind == 8).cloned().collect();
        for (n, part) in [&first, &second, &sound, &first].into_iter().enumerate() {
            send(&mut guest, part, STREAM, n as u32 * 4000).await;
        }
        guest.hold().await;
    });
    let mut player = Player::start(&url.await, PATIENCE);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        sizes.push(player.expect(PlayCode::ChangeResolution).await.params);
    }
    let [small, large] = [[160, 120], [320, 240]].map(|size| size.map(Some));
    assert_eq!(sizes, [small, large, small]);
    assert_eq!(player.stats().reconnects, 0);
}

/// Three seconds of a picture of another size, as an encoder makes them.
fn large() -> Vec<FlvTag> {
    let mut ffmpeg = std::process::Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-t", "3"]);
    ffmpeg.args([
        "-i",
        "testsrc=size=320x240:rate=10",
        "-c:v",
        "libx264",
        "-g",
        "10",
    ]);
    ffmpeg.args([
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-pix_fmt",
        "yuv420p",
    ]);
    ffmpeg.args(["-f", "flv", "-flvflags", "no_duration_filesize", "-"]);
    let output = ffmpeg.output().expect("ffmpeg is missing: install ffmpeg");
    let mut made = tags(output.stdout.leak());
    made.retain(|tag| tag.kind == 9);
    assert!(made.len() > 25);
    made
}
