//! The player on a network that delivers unevenly, and on one that stalls: what is late, and
//! whether the delay comes back.

use std::time::Duration;

use rtckiosk::config::kiosk::AudioSink;
use rtckiosk::media::downlink::DownlinkStats;
use rtckiosk::media::speaker::Speaker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::downlink::{PATIENCE, Player, Sender, strict_gstreamer};
use crate::nginx::Nginx;

/// The network's way with the relay's stream.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Even,
    /// Each piece is delayed by up to this, and none overtakes another.
    Uneven(Duration),
    /// All comes at moments that are this far apart, as from a relay that gathers what it sends; SRS
    /// does every 350 ms.
    Gathered(Duration),
    /// Nothing comes; all that was sent meanwhile comes at once.
    Stalled,
}

/// Forwards connections to `port`.
async fn proxy(port: u16) -> (u16, watch::Sender<Way>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let here = listener.local_addr().expect("an address").port();
    let (change, way) = watch::channel(Way::Even);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(forward(near, port, way.clone()));
        }
    });
    (here, change)
}

async fn forward(near: TcpStream, port: u16, mut way: watch::Receiver<Way>) {
    let far = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("nginx");
    far.set_nodelay(true).expect("a socket");
    near.set_nodelay(true).expect("a socket");
    let (mut from_far, mut to_far) = far.into_split();
    let (mut from_near, mut to_near) = near.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_near, &mut to_far).await });
    let (on_the_way, mut arrives) = mpsc::channel::<(Instant, Vec<u8>)>(10_000);
    let network = way.clone();
    tokio::spawn(async move {
        let mut piece = vec![0; 65_536];
        let begun = Instant::now();
        while let Ok(read @ 1..) = from_far.read(&mut piece).await {
            let delay = match *network.borrow() {
                Way::Uneven(most) => most.mul_f64(rand::random()),
                Way::Gathered(apart) => {
                    let passed = begun.elapsed().as_micros() % apart.as_micros();
                    apart - Duration::from_micros(passed as u64)
                }
                Way::Even | Way::Stalled => Duration::ZERO,
            };
            let piece = (Instant::now() + delay, piece[..read].to_vec());
            if on_the_way.send(piece).await.is_err() {
                break;
            }
        }
    });
    while let Some((at, piece)) = arrives.recv().await {
        sleep_until(at).await;
        let open = way.wait_for(|way| *way != Way::Stalled).await.is_ok();
        if !open || to_near.write_all(&piece).await.is_err() {
            break;
        }
    }
}

/// A sender of picture and sound, a network, and a player with a loudspeaker.
struct Scene {
    player: Player,
    network: watch::Sender<Way>,
    speaker: Speaker,
    _sender: Sender,
    _nginx: Nginx,
}

impl Scene {
    async fn start(stream: &str) -> Self {
        strict_gstreamer();
        let nginx = Nginx::start();
        let sender = Sender::both(&nginx.url("live", stream));
        let (port, network) = proxy(nginx.rtmp_port).await;
        let url = format!("rtmp://127.0.0.1:{port}/live/{stream}");
        let speaker = Speaker::start(AudioSink::None)
            .await
            .expect("needs no device");
        let player = Player::with_speaker(&url, PATIENCE, Some(&speaker));
        player
            .until("a second of pictures", |stats| stats.frames > 25)
            .await;
        Self {
            player,
            network,
            speaker,
            _sender: sender,
            _nginx: nginx,
        }
    }

    fn stats(&self) -> DownlinkStats {
        self.player.stats()
    }

    /// Delays of picture and sound in the player, and how far apart they are, in ms.
    fn delays(&self) -> (f64, f64, f64) {
        let delay = self.stats().delay_ms;
        let picture = delay.picture.expect("pictures").total;
        let sound = delay.sound.expect("sound").total;
        (picture, sound, delay.sound_after_picture.expect("both"))
    }

    async fn end(self) {
        self.player.downlink.stop().await;
        self.speaker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_uneven_network_next_to_nothing_is_late_and_sound_stays_with_its_picture() {
    let scene = Scene::start("uneven").await;
    sleep(Duration::from_secs(10)).await;
    let (quiet_picture, quiet_sound, after) = scene.delays();
    println!("quiet: picture {quiet_picture}, sound {quiet_sound}, sound after picture {after}");

    let most = Duration::from_millis(100);
    scene.network.send_replace(Way::Uneven(most));
    let before = scene.stats();
    let mut apart: Vec<f64> = Vec::new();
    for _ in 0..80 {
        sleep(Duration::from_millis(500)).await;
        apart.extend(scene.stats().delay_ms.sound_after_picture);
    }
    let (picture, sound, _) = scene.delays();
    let stats = scene.stats();
    let frames = stats.frames - before.frames;
    let late = stats.late + stats.skipped - before.late - before.skipped;
    println!("uneven: picture {picture}, sound {sound}, {late} of {frames} late, {stats:?}");
    assert!(frames > 900, "{frames}");
    assert!(100 * late <= frames, "{late} of {frames} late: {stats:?}");
    assert!(stats.delay_ms.picture_jitter > 50.0, "{stats:?}");
    assert!(sound > quiet_sound + 40.0, "{quiet_sound} to {sound}");
    apart.sort_by(f64::total_cmp);
    let (least, most) = (apart[0], apart[apart.len() - 1]);
    assert!(least > -45.0 && most < 125.0, "{least} to {most}");

    scene.network.send_replace(Way::Even);
    sleep(Duration::from_secs(15)).await;
    let (picture, sound, after) = scene.delays();
    println!("even again: picture {picture}, sound {sound}, sound after picture {after}");
    assert!(picture < quiet_picture + 30.0, "{quiet_picture}, {picture}");
    assert!(sound < quiet_sound + 30.0, "{quiet_sound}, {sound}");
    let stats = scene.stats();
    assert!(stats.stretched_ms > 20, "{stats:?}");
    assert_eq!((stats.freezes, stats.reconnects), (0, 0), "{stats:?}");
    scene.end().await;
}

/// The network between stands for SRS with its defaults, which is not on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_gathers_what_it_sends_plays_smoothly() {
    let scene = Scene::start("gathered").await;
    let apart = Duration::from_millis(350);
    scene.network.send_replace(Way::Gathered(apart));
    sleep(Duration::from_secs(5)).await;
    let before = scene.stats();
    sleep(Duration::from_secs(15)).await;
    let stats = scene.stats();
    let frames = stats.frames - before.frames;
    let late = stats.late + stats.skipped - before.late - before.skipped;
    let gaps = stats.gaps - before.gaps;
    let (picture, sound, after) = scene.delays();
    println!("gathered: picture {picture}, sound {sound}, {late} of {frames} late, {gaps} gaps");
    assert!(frames > 350, "{frames}");
    assert!(100 * late <= frames, "{late} of {frames} late: {stats:?}");
    assert!(gaps <= 1, "{gaps} gaps: {stats:?}");
    assert!(picture < 500.0 && sound < 500.0, "{picture}, {sound}");
    assert!((-45.0..125.0).contains(&after), "{after} ms apart");

    scene.network.send_replace(Way::Even);
    sleep(Duration::from_secs(25)).await;
    let (picture, sound, _) = scene.delays();
    println!("even again: picture {picture}, sound {sound}");
    assert!(picture < 60.0, "{picture}");
    assert!(sound < 100.0, "{sound}");
    let stats = scene.stats();
    assert_eq!((stats.freezes, stats.reconnects), (0, 0), "{stats:?}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stall_the_delay_comes_back_and_stays() {
    let scene = Scene::start("stall").await;
    sleep(Duration::from_secs(4)).await;
    let (picture, sound, _) = scene.delays();
    for stall in [300, 1500] {
        scene.network.send_replace(Way::Stalled);
        sleep(Duration::from_millis(stall)).await;
        scene.network.send_replace(Way::Even);
        sleep(Duration::from_secs(3)).await;
        for _ in 0..8 {
            let (now, heard, after) = scene.delays();
            assert!(now < picture + 60.0, "{stall}: {picture} ms before, {now}");
            assert!(heard < sound + 60.0, "{stall}: {sound} ms before, {heard}");
            assert!((-45.0..125.0).contains(&after), "{stall}: {after} ms apart");
            sleep(Duration::from_millis(500)).await;
        }
    }
    let stats = scene.stats();
    assert_eq!((stats.freezes, stats.reconnects), (1, 0), "{stats:?}");
    scene.end().await;
}
