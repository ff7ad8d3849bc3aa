//! The player against a real relay and real senders, healthy and not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gstreamer::glib;
use rtckiosk::config::kiosk::AudioSink;
use rtckiosk::media::downlink::{Downlink, DownlinkConfig, DownlinkStats, PlayEvent};
use rtckiosk::media::speaker::Speaker;
use rtckiosk::process::backoff::Reconnect;
use rtckiosk::protocol::events::PlayCode;
use tokio::sync::mpsc;

use crate::nginx::{Nginx, free_port};

/// Long enough for a busy machine; no healthy run waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Starts GStreamer; from then on its warnings end the process.
pub(crate) fn strict_gstreamer() {
    rtckiosk::media::init().expect("GStreamer is complete");
    let levels = glib::LogLevels::LEVEL_CRITICAL | glib::LogLevels::LEVEL_WARNING;
    glib::log_set_always_fatal(levels | glib::LogLevels::LEVEL_ERROR);
}

/// An ffmpeg that pushes a moving test picture (320x240 at 25 per second) and a 440 Hz tone.
pub(crate) struct Sender(Child);

impl Sender {
    fn start(url: &str, video: bool, audio: bool) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-loglevel", "error", "-re"]);
        if video {
            command.args(["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25"]);
        }
        if audio {
            command.args(["-re", "-f", "lavfi", "-i", "sine=440:sample_rate=44100"]);
            command.args(["-c:a", "aac", "-b:a", "64k"]);
        }
        if video {
            command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"]);
            command.args(["-tune", "zerolatency", "-pix_fmt", "yuv420p"]);
        }
        command.args(["-f", "flv", url]).stdout(Stdio::null());
        Self(command.spawn().expect("ffmpeg is missing: install ffmpeg"))
    }

    pub(crate) fn both(url: &str) -> Self {
        Self::start(url, true, true)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A downlink and all that it said.
pub(crate) struct Player {
    pub(crate) downlink: Downlink,
    events: mpsc::Receiver<PlayEvent>,
    pub(crate) heard: Vec<PlayEvent>,
}

impl Player {
    pub(crate) fn start(url: &str, window: Duration) -> Self {
        Self::with_speaker(url, window, None)
    }

    pub(crate) fn with_speaker(url: &str, window: Duration, speaker: Option<&Speaker>) -> Self {
        Self::with(url, window, speaker, (1920, 1088))
    }

    /// `largest` is the size of picture that is still decoded.
    pub(crate) fn with(
        url: &str,
        window: Duration,
        speaker: Option<&Speaker>,
        largest: (u32, u32),
    ) -> Self {
        let (sender, events) = mpsc::channel(256);
        let config = DownlinkConfig {
            url: url.to_owned().into(),
            reconnect: Reconnect {
                window,
                ..Reconnect::default()
            },
            speaker: speaker.map(|speaker| speaker.input("member")),
            tls: rtckiosk::tls::ClientTls::default(),
            largest_picture: largest,
        };
        Self {
            downlink: Downlink::start(config, sender),
            events,
            heard: Vec::new(),
        }
    }

    pub(crate) fn stats(&self) -> DownlinkStats {
        self.downlink.stats().borrow().clone()
    }

    /// Waits for an event and returns it; earlier ones are kept in `heard`.
    pub(crate) async fn expect(&mut self, code: PlayCode) -> PlayEvent {
        let wait = async {
            while let Some(event) = self.events.recv().await {
                self.heard.push(event.clone());
                if event.code == code {
                    return event;
                }
            }
            panic!("the player ended without {code}: {:#?}", self.heard);
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(event) => event,
            Err(_) => panic!("no {code}: {:#?}, {:?}", self.heard, self.stats()),
        }
    }

    /// Waits until the figures satisfy `wanted`.
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&DownlinkStats) -> bool,
    ) -> DownlinkStats {
        let mut stats = self.downlink.stats();
        let result = tokio::time::timeout(PATIENCE, stats.wait_for(|stats| wanted(stats))).await;
        match result {
            Ok(Ok(stats)) => stats.clone(),
            _ => panic!("never {what}: {:?}, {:#?}", self.stats(), self.heard),
        }
    }

    pub(crate) fn codes(&mut self) -> Vec<i32> {
        while let Ok(event) = self.events.try_recv() {
            self.heard.push(event);
        }
        self.heard.iter().map(|event| event.code.code()).collect()
    }
}

/// Sorenson video and MP3, the formats of old Flash pages.
#[tokio::test(flavor = "multi_thread")]
async fn formats_that_the_player_does_not_know_are_named() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let url = nginx.url("live", "old");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi"]);
    command.args(["-i", "testsrc=size=320x240:rate=25", "-f", "lavfi"]);
    command.args(["-i", "sine=440:sample_rate=44100", "-c:v", "flv"]);
    command.args(["-c:a", "libmp3lame", "-f", "flv", &url]);
    let _sender = Sender(command.spawn().expect("ffmpeg is missing: install ffmpeg"));
    let mut player = Player::start(&url, PATIENCE);
    let video = player.expect(PlayCode::VideoDecodeFail).await;
    assert!(video.message.contains("instead of H.264"), "{video:?}");
    let heard = |player: &Player| {
        let mut events = player.heard.iter();
        events.any(|event| event.code == PlayCode::AudioDecodeFail)
    };
    if !heard(&player) {
        player.expect(PlayCode::AudioDecodeFail).await;
    }
    assert_eq!(player.stats().frames, 0);
}

fn is_tone(stats: &DownlinkStats) -> bool {
    stats
        .audio
        .tone_hz
        .is_some_and(|hz| (hz - 440.0).abs() < 5.0)
        && stats.audio.rms_db > -40.0
}

#[tokio::test(flavor = "multi_thread")]
async fn plays_what_ffmpeg_sends() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let url = nginx.url("live", "both?txSecret=very-secret");
    let _sender = Sender::both(&url);
    let speaker = Speaker::start(AudioSink::None)
        .await
        .expect("needs no device");
    let mut player = Player::with_speaker(&url, PATIENCE, Some(&speaker));

    let size = player.expect(PlayCode::ChangeResolution).await;
    assert_eq!(size.params, [Some(320), Some(240)]);
    player.expect(PlayCode::PlayBegin).await;
    let mut picture = player.downlink.picture();
    picture.wait_for(Option::is_some).await.expect("a picture");
    let caps = picture
        .borrow()
        .as_ref()
        .and_then(|sample| sample.caps_owned());
    let info = gstreamer_video::VideoInfo::from_caps(&caps.expect("caps")).expect("video");
    assert_eq!(info.format(), gstreamer_video::VideoFormat::I420);
    assert_eq!((info.width(), info.height()), (320, 240));

    player.until("a tone", is_tone).await;
    let stats = player
        .until("25 frames per second", |stats| {
            (stats.fps - 25.0).abs() < 3.0
        })
        .await;
    assert!((stats.kbps > 20.0) && stats.connected, "{stats:?}");
    assert_eq!((stats.freezes, stats.reconnects), (0, 0), "{stats:?}");
    assert!(
        stats.first_frame_ms.is_some_and(|ms| ms < 5000),
        "{stats:?}"
    );
    player.expect(PlayCode::NetStatus).await;
    let codes = player.codes();
    for once in [2001, 2002, 2003, 2004, 2008, 2009] {
        assert_eq!(
            codes.iter().filter(|&&code| code == once).count(),
            1,
            "{codes:?}"
        );
    }
    assert!(!format!("{:?}", player.heard).contains("very-secret"));
    let stop = tokio::time::timeout(Duration::from_secs(3), player.downlink.stop());
    stop.await.expect("stops at once");
    assert!(picture.borrow().is_none(), "no old picture is left");
    speaker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_sound_or_picture_alone_plays() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let _sound_sender = Sender::start(&nginx.url("live", "sound"), false, true);
    let _picture_sender = Sender::start(&nginx.url("live", "picture"), true, false);
    let mut sound = Player::start(&nginx.url("live", "sound"), PATIENCE);
    let mut picture = Player::start(&nginx.url("live", "picture"), PATIENCE);

    sound.until("a tone", is_tone).await;
    sound.expect(PlayCode::PlayBegin).await;
    picture.expect(PlayCode::PlayBegin).await;
    let stats = picture.until("50 frames", |stats| stats.frames >= 50).await;
    assert_eq!(stats.freezes, 0, "{stats:?}");
    assert_eq!(sound.stats().frames, 0);
    assert_eq!(sound.stats().freezes, 0, "{:?}", sound.heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_comes_back_is_played_again() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let url = nginx.url("live", "again");
    let sender = Sender::both(&url);
    let mut player = Player::start(&url, PATIENCE);
    player.expect(PlayCode::PlayBegin).await;

    drop(sender);
    player.expect(PlayCode::PlayLoading).await;
    player.expect(PlayCode::Reconnect).await;
    let lost = player.stats();
    assert!(lost.freezes >= 1, "{lost:?}");

    let _sender = Sender::both(&url);
    player.expect(PlayCode::PlayBegin).await;
    let stats = player
        .until("new frames", |stats| stats.frames > lost.frames + 10)
        .await;
    assert!(stats.reconnects >= 1, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_killed_is_joined_again() {
    strict_gstreamer();
    let mut nginx = Nginx::start();
    let url = nginx.url("live", "relay");
    let sender = Sender::both(&url);
    let mut player = Player::start(&url, PATIENCE);
    player.expect(PlayCode::PlayBegin).await;
    drop(sender);
    nginx.kill();
    player.expect(PlayCode::Reconnect).await;
    player.expect(PlayCode::ServerConnFail).await;

    nginx.restart();
    let _sender = Sender::both(&url);
    let back = Instant::now();
    player.expect(PlayCode::PlayBegin).await;
    assert!(
        back.elapsed() < Duration::from_secs(8),
        "{:?}",
        back.elapsed()
    );
}

/// The sender's network hangs: its connection stays, nothing comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stands_still_is_a_fault() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let url = nginx.url("live", "still");
    let sender = Sender::both(&url);
    let mut player = Player::start(&url, PATIENCE);
    player.expect(PlayCode::PlayBegin).await;
    signal(sender.0.id(), "-STOP");
    player.expect(PlayCode::PlayLoading).await;
    player.expect(PlayCode::VideoPlayLag).await;
    let fault = player.expect(PlayCode::ServerDisconnect).await;
    assert!(fault.message.contains("nothing was received"), "{fault:?}");
    signal(sender.0.id(), "-CONT");
    player.expect(PlayCode::PlayBegin).await;
    assert_eq!(player.stats().freezes, 1);
}

/// Sends a signal ("-STOP") to a child of this process.
pub(crate) fn signal(pid: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_sends_is_given_up() {
    strict_gstreamer();
    let nginx = Nginx::start();
    let begun = Instant::now();
    let mut player = Player::start(&nginx.url("live", "nobody"), Duration::from_millis(1));
    let end = player.expect(PlayCode::NetDisconnect).await;
    assert!(end.message.contains("nobody sends this stream"), "{end:?}");
    assert!(
        begun.elapsed() > Duration::from_secs(20),
        "patient, no storm"
    );
    let codes = player.codes();
    assert_eq!(
        codes.iter().filter(|&&code| code == 2103).count(),
        3,
        "{codes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_given_up() {
    strict_gstreamer();
    let cases = [
        (
            format!("rtmp://127.0.0.1:{}/live/x", free_port()),
            PlayCode::ServerConnFail,
            3,
        ),
        (
            "rtmp://no-such-host.invalid/live/x".to_owned(),
            PlayCode::DnsFail,
            3,
        ),
        (
            "http://127.0.0.1/live/x.flv".to_owned(),
            PlayCode::ServerConnFail,
            0,
        ),
    ];
    for (url, cause, tries) in cases {
        let mut player = Player::start(&url, Duration::from_secs(1));
        player.expect(cause).await;
        player.expect(PlayCode::NetDisconnect).await;
        let codes = player.codes();
        let counted = codes.iter().filter(|&&code| code == 2103).count();
        assert!((tries..=tries * 2).contains(&counted), "{url}: {codes:?}");
        assert!(!player.stats().connected);
    }
}

/// A server whose behaviour after accepting is `act`.
fn server(act: impl Fn(TcpStream) + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let act = act.clone();
            std::thread::spawn(move || act(stream));
        }
    });
    format!("rtmp://127.0.0.1:{port}/live/x")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_a_named_fault() {
    strict_gstreamer();
    let url = server(|stream| {
        std::thread::sleep(PATIENCE * 4);
        drop(stream);
    });
    let mut player = Player::start(&url, PATIENCE);
    let begun = Instant::now();
    let fault = player.expect(PlayCode::ShakeFail).await;
    assert!(fault.message.contains("timed out"), "{fault:?}");
    assert!(begun.elapsed() < Duration::from_secs(9));
    let stop = tokio::time::timeout(Duration::from_secs(3), player.downlink.stop());
    stop.await.expect("a silent server does not hold us");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_is_a_named_fault() {
    strict_gstreamer();
    let mut player = Player::start(&server(drop), Duration::from_secs(1));
    player.expect(PlayCode::ShakeFail).await;
    player.expect(PlayCode::NetDisconnect).await;
}

/// Answers the RTMP handshake and then sends noise.
fn noise_after_handshake(mut stream: TcpStream) {
    let mut hello = vec![0; 1537];
    let mut echo = vec![0; 1536];
    let mut noise = vec![0u8; 20_000];
    let mut state = 0x1357_9bdf_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    // The player may hang up at any point.
    let _ = stream.read_exact(&mut hello).and_then(|()| {
        stream.write_all(&[3; 1])?;
        stream.write_all(&noise[..1536])?;
        stream.write_all(&hello[1..])?;
        stream.read_exact(&mut echo)?;
        stream.write_all(&noise)
    });
    std::thread::sleep(PATIENCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_after_the_handshake_is_a_named_fault() {
    strict_gstreamer();
    let mut player = Player::start(&server(noise_after_handshake), Duration::from_millis(1));
    let end = player.expect(PlayCode::NetDisconnect).await;
    assert!(end.message.contains("given up"), "{end:?}");
    assert!(end.message.contains("what is not RTMP"), "{end:?}");
}
