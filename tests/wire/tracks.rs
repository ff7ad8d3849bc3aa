//! Tracks that begin late, cannot be played or are too large, through a real nginx; and through our
//! relay what nginx keeps to itself: pictures with a FourCC.

use std::time::{Duration, Instant};

use rtckiosk::protocol::events::PlayCode;
use rtckiosk::server::relay::{Relay, RelayConfig};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::downlink::{PATIENCE, Player, strict_gstreamer};
use crate::flv_file::{AV1, FlvTag, HEVC, SOUND_LATE, VIDEO_LATE, as_codec_12, repeated, tags};
use crate::nginx::Nginx;
use crate::rtmp_client::Client;

/// From a late track's first key frame to its picture or sound.
const SOON: Duration = Duration::from_millis(500);

/// Publishes tags at their times; gives when the first one was sent of which `marks` says so, after
/// all are sent.
async fn publish(
    port: u16,
    name: &str,
    tags: Vec<FlvTag>,
    marks: fn(&FlvTag) -> bool,
) -> JoinHandle<Option<Instant>> {
    let (mut client, answer) = Client::publish(([127, 0, 0, 1], port).into(), name).await;
    assert_eq!(answer, "NetStream.Publish.Start");
    tokio::spawn(async move {
        let (begun, mut marked) = (tokio::time::Instant::now(), None);
        for tag in tags {
            sleep_until(begun + Duration::from_millis(tag.stamp.into())).await;
            if marks(&tag) {
                marked.get_or_insert_with(Instant::now);
            }
            client.send_tag(tag.kind, tag.stamp, tag.data).await;
        }
        // The connection stays until the player has been asked.
        sleep(Duration::from_secs(1)).await;
        marked
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_switched_on_after_nine_seconds_is_shown() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let first_picture = |tag: &FlvTag| tag.kind == 9 && tag.data[..2] == [0x17, 1];
    let sent = publish(nginx.rtmp_port, "late", tags(VIDEO_LATE), first_picture).await;
    let mut player = Player::start(&nginx.url("live", "late"), PATIENCE);
    player.expect(PlayCode::PlayBegin).await;
    assert_eq!(player.stats().frames, 0, "sound alone plays");
    player.until("a picture", |stats| stats.frames > 0).await;
    let shown = Instant::now();
    let stats = player.until("more", |stats| stats.frames >= 25).await;
    assert_eq!((stats.width, stats.height, stats.reconnects), (160, 120, 0));
    let took = shown - sent.await.unwrap().expect("a key frame");
    println!("shown {took:?} after its first key frame was sent");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microphone_that_is_switched_on_after_nine_seconds_is_heard() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let first_sound = |tag: &FlvTag| tag.kind == 8 && tag.data[1] == 1;
    let sent = publish(nginx.rtmp_port, "late", tags(SOUND_LATE), first_sound).await;
    let player = Player::start(&nginx.url("live", "late"), PATIENCE);
    player.until("pictures", |stats| stats.frames > 50).await;
    assert_eq!(player.stats().audio.tone_hz, None);
    let heard = |stats: &rtckiosk::media::DownlinkStats| stats.audio.tone_hz.is_some();
    let stats = player.until("a tone", heard).await;
    let heard = Instant::now();
    assert_eq!(stats.reconnects, 0);
    let took = heard - sent.await.unwrap().expect("sound");
    println!("heard {took:?} after it was first sent");
    assert!(took < SOON, "{took:?}");
}

/// Pictures that cannot be played are named once; the sound beside them plays, on one connection.
async fn refused(pictures: Vec<FlvTag>, largest: (u32, u32), reason: &str) {
    strict_gstreamer();
    let any = ([127, 0, 0, 1], 0).into();
    let config = RelayConfig {
        listen: any,
        ..RelayConfig::default()
    };
    let relay = Relay::bind(config, || 1_700_000_000).await.unwrap();
    let port = relay.local_addr().port();
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(relay.run(stop));
    let _sent = publish(port, "odd", pictures, |_| false).await;
    let url = format!("rtmp://127.0.0.1:{port}/live/odd");
    let mut player = Player::with(&url, PATIENCE, None, largest);
    let named = player.expect(PlayCode::VideoDecodeFail).await;
    assert_eq!(named.message, reason);
    player.expect(PlayCode::PlayBegin).await;
    let stats = player
        .until("sound", |stats| stats.audio.rms_db > -60.0)
        .await;
    assert_eq!(stats.picture_refused, reason);
    assert_eq!(stats.sound_refused, "");
    // Longer than any deadline of the player's.
    sleep(Duration::from_secs(7)).await;
    let stats = player.stats();
    assert_eq!((stats.reconnects, stats.frames), (0, 0), "{stats:?}");
    assert!(stats.audio.rms_db > -60.0, "{stats:?}");
    let codes = player.codes();
    let named = codes.iter().filter(|&&code| code == 2101).count();
    assert_eq!((named, codes.contains(&2103)), (1, false), "{codes:?}");
    player.downlink.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_is_named_and_its_sound_plays() {
    let pictures = repeated(&tags(HEVC), 6);
    refused(pictures, (1920, 1088), "H.265 instead of H.264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_in_its_older_form_is_named_and_its_sound_plays() {
    let pictures = as_codec_12(&repeated(&tags(HEVC), 6));
    refused(pictures, (1920, 1088), "H.265 instead of H.264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn av1_is_named_and_its_sound_plays() {
    let pictures = repeated(&tags(AV1), 6);
    refused(pictures, (1920, 1088), "AV1 instead of H.264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_too_large_is_named_and_its_sound_plays() {
    // Both begin at once: the late track's beginning is taken off.
    let mut late = tags(VIDEO_LATE);
    late.retain(|tag| tag.kind == 8 && (tag.stamp == 0 || tag.stamp >= 8800) || tag.kind == 9);
    for tag in &mut late {
        tag.stamp = tag.stamp.saturating_sub(8800);
    }
    let reason = "a picture of 160x128, which is larger than the configuration allows";
    refused(repeated(&late, 4), (144, 128), reason).await;
}
