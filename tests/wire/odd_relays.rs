//! The player at relays that misbehave. The relay is a double: no real one can be told to.

use std::time::Duration;

use bytes::Bytes;
use rtckiosk::media::DownlinkStats;
use rtckiosk::protocol::events::PlayCode;
use rtckiosk::protocol::rtmp::{Message, kind};
use tokio::time::{Instant, sleep_until};

use crate::downlink::{PATIENCE, Player, strict_gstreamer};
use crate::flv_file::{FlvTag, VIDEO_LATE, made, tags};
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

/// A microphone that is changed for one with another rate and more channels.
#[tokio::test(flavor = "multi_thread")]
async fn sound_changes_its_header() {
    strict_gstreamer();
    let url = relay(|mut guest| async move {
        let other = made(
            3,
            &[
                "-i",
                "sine=700:sample_rate=48000",
                "-ac",
                "2",
                "-c:a",
                "aac",
            ],
        );
        send(&mut guest, &both(), STREAM, 0).await;
        for n in 1..20 {
            if !send(&mut guest, &other, STREAM, n * 4000).await {
                return;
            }
        }
    });
    let player = Player::start(&url.await, PATIENCE);
    let tone = |hz: f64| {
        move |stats: &DownlinkStats| stats.audio.tone_hz.is_some_and(|t| (t - hz).abs() < 10.0)
    };
    let stats = player.until("the other tone", tone(700.0)).await;
    assert_eq!((stats.reconnects, &*stats.sound_refused), (0, ""));
}

/// One member sends nonsense, made of what it could send; the others do not notice.
#[tokio::test(flavor = "multi_thread")]
async fn mutated_streams_cost_nobody_else() {
    strict_gstreamer();
    let good = relay(|mut guest| async move {
        let mut n = 0;
        while send(&mut guest, &both(), STREAM, n * 3000).await {
            n += 1;
        }
    });
    let bad = relay(|mut guest| async move {
        let (both, mut random) = (both(), 1u64);
        let mut next = move |most: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % most
        };
        loop {
            let mut tag = both[next(both.len())].clone();
            let mut data = tag.data.to_vec();
            for _ in 0..next(4) {
                let at = next(data.len().min(60));
                data[at] = next(256) as u8;
            }
            data.truncate(data.len() - next(3) * data.len() / 8);
            tag.data = data.into();
            let stamp = next(1 << 20) as u32;
            if !guest.send_tag(&tag, STREAM, stamp).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let good = Player::start(&good.await, PATIENCE);
    let bad = Player::start(&bad.await, PATIENCE);
    good.until("pictures", |stats| stats.frames >= 30).await;
    let before = good.stats();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let stats = good.stats();
    println!("{:?}", bad.stats());
    assert!(stats.frames >= before.frames + 120, "{stats:?}");
    let troubles = stats.freezes - before.freezes;
    assert_eq!((troubles, stats.reconnects), (0, 0), "{stats:?}");
    bad.downlink.stop().await;
}

/// Three seconds of a picture of another size, as an encoder makes them.
fn large() -> Vec<FlvTag> {
    let mut made = made(
        3,
        &[
            "-i",
            "testsrc=size=320x240:rate=10",
            "-c:v",
            "libx264",
            "-g",
            "10",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
            "-pix_fmt",
            "yuv420p",
        ],
    );
    made.retain(|tag| tag.kind == 9);
    made
}
