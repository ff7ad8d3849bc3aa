//! `[media]`: cameras, microphone, loudspeaker, and the streams that are made of them.

use std::time::Duration;

use super::cameras::{self, Camera};
use super::choices::{AudioSink, AudioSource, EchoControl, EncoderChoice, VoiceConfig};
use crate::config::document::Section;
use crate::config::rules;

/// `[media]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// At least one camera; the first is used, the others stand in for it.
    pub cameras: Vec<Camera>,
    pub video: Video,
    pub audio: Audio,
    pub playback: Playback,
    pub network: Network,
}

/// `[media.video]`: the picture that we send.
#[derive(Debug, Clone, PartialEq)]
pub struct Video {
    /// Pixels, even.
    pub width: u32,
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Bitrate at the start, and the range in which it follows the link; below the minimum no
    /// picture is sent. Minimum <= start <= maximum.
    pub bitrate_kbps: u32,
    pub min_kbps: u32,
    pub max_kbps: u32,
    /// Time between two key frames.
    pub gop_seconds: f64,
    pub encoder: EncoderChoice,
}

/// Tencent's quality presets for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preset {
    /// STANDARD_DEFINITION, 400 to 800 kbit/s.
    Sd,
    /// HIGH_DEFINITION, 1200 kbit/s.
    Hd,
    /// SUPER_DEFINITION, 1500 kbit/s.
    Super,
    /// REALTIME_VIDEOCHAT, 350 kbit/s. Tencent's 480x320 is neither 4:3 nor 16:9: these are the
    /// nearest sizes of its resolution table.
    Realtime,
}

/// Shape of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aspect {
    Classic,
    Wide,
}

/// `[media.audio]`: the sound that we send and play.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    pub microphone: AudioSource,
    pub speaker: AudioSink,
    pub bitrate_kbps: u32,
    /// Loudness of the loudspeaker, in percent.
    pub volume: u8,
    /// Setting of the sound cards' mixers, in percent; `None` leaves them as they are.
    pub microphone_level: Option<u8>,
    pub speaker_level: Option<u8>,
    pub voice: VoiceConfig,
}

/// `[media.playback]`: the pictures of others that we show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Playback {
    /// Pixels, width and height: what has more of them is not decoded, however it is turned. A
    /// decoder takes up to 17 pictures of memory (25 MB each at 3840x2160, with 4:4:4).
    pub largest_picture: (u32, u32),
}

/// `[media.network]`: the patience of a call with its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Time from the start of a stream until the relay takes or gives it.
    pub connect_timeout: Duration,
    /// Time for which a lost stream is tried again before the call ends.
    pub reconnect_window: Duration,
}

const MICROPHONE_ALLOWED: &str = "\"auto\", \"test\", \"test:HERTZ\" (50 to 8000), an ALSA device \
     such as \"hw:1,0\", \"name:MICROPHONE\" or \"gst:SOURCE DESCRIPTION\"";
const SPEAKER_ALLOWED: &str = "\"auto\", \"none\", an ALSA device such as \"hw:1,0\", \"name:SPEAKER\" or \"gst:SINK DESCRIPTION\"";
const PICTURE_ALLOWED: &str = "a size such as \"1920x1088\", 160 to 4096 by 160 to 4096";
const ENCODER_ALLOWED: &str =
    "\"auto\", \"camera\" or the name of a GStreamer element such as \"x264enc\"";

impl Media {
    pub(super) fn read(media: &Section<'_>) -> Self {
        let video = media.section("video");
        Self {
            cameras: cameras::read(media, &video),
            video: Video::read(&video),
            audio: Audio::read(&media.section("audio")),
            playback: Playback::read(&media.section("playback")),
            network: Network::read(&media.section("network")),
        }
    }
}

impl Playback {
    fn read(playback: &Section<'_>) -> Self {
        Self {
            // 1080p as encoders send it, in whole macroblocks.
            largest_picture: playback.get(
                "largest_picture",
                (1920, 1088),
                rules::text(PICTURE_ALLOWED, picture_size),
            ),
        }
    }
}

fn picture_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| (160..=4096).contains(side));
    Some((side(width)?, side(height)?))
}

impl Preset {
    fn size(self, aspect: Aspect) -> (u32, u32) {
        match (self, aspect) {
            (Self::Sd, Aspect::Classic) => (640, 480),
            (Self::Sd, Aspect::Wide) => (640, 360),
            (Self::Hd, Aspect::Classic) => (960, 720),
            (Self::Hd, Aspect::Wide) => (960, 540),
            (Self::Super, Aspect::Classic) => (1280, 960),
            (Self::Super, Aspect::Wide) => (1280, 720),
            (Self::Realtime, Aspect::Classic) => (480, 360),
            (Self::Realtime, Aspect::Wide) => (480, 272),
        }
    }

    fn kbps(self) -> u32 {
        match self {
            Self::Sd => 800,
            Self::Hd => 1200,
            Self::Super => 1500,
            Self::Realtime => 350,
        }
    }
}

/// Reads the bitrates of the picture: start, minimum and maximum.
fn read_rates(video: &Section<'_>, preset: Preset) -> (u32, u32, u32) {
    // Below 100 even a small picture falls apart; above 10000 no board encodes in time.
    let range = || rules::whole(100..=10_000);
    let start = video.get("bitrate_kbps", preset.kbps(), range());
    let (least, most) = (
        video.get("min_kbps", 100, range()),
        video.get("max_kbps", start, range()),
    );
    if least > start {
        video.reject(
            "min_kbps",
            format!("must not be above the bitrate of {start}"),
        );
    }
    if most < start {
        video.reject(
            "max_kbps",
            format!("must not be below the bitrate of {start}"),
        );
    }
    (start, least, most)
}

impl Video {
    fn read(video: &Section<'_>) -> Self {
        let presets = [
            ("sd", Preset::Sd),
            ("hd", Preset::Hd),
            ("super", Preset::Super),
            ("realtime", Preset::Realtime),
        ];
        let aspects = [("4:3", Aspect::Classic), ("16:9", Aspect::Wide)];
        let preset = video.get("preset", Preset::Sd, rules::choice(&presets));
        let aspect = video.get("aspect", Aspect::Classic, rules::choice(&aspects));
        let orientations = [("landscape", false), ("portrait", true)];
        let portrait = video.get("orientation", false, rules::choice(&orientations));
        let (width, height) = preset.size(aspect);
        let (width, height) = if portrait {
            (height, width)
        } else {
            (width, height)
        };
        let (bitrate_kbps, min_kbps, max_kbps) = read_rates(video, preset);
        let (width, height) = (
            video.get("width", width, rules::even(160..=1920)),
            video.get("height", height, rules::even(120..=1920)),
        );
        video.require(&["width"], &["height"]);
        video.require(&["height"], &["width"]);
        if video.has("width") && portrait {
            video.reject(
                "orientation",
                "not together with width and height, which say it",
            );
        }
        Self {
            width,
            height,
            fps: video.get("fps", 30, rules::whole(1..=60)),
            bitrate_kbps,
            min_kbps,
            max_kbps,
            // A member that joins waits at most this long for a key frame.
            gop_seconds: video.get("gop_seconds", 1.0, rules::number(0.5..=4.0)),
            encoder: video.get(
                "encoder",
                EncoderChoice::Auto,
                rules::text(ENCODER_ALLOWED, EncoderChoice::parse),
            ),
        }
    }
}

impl Audio {
    fn read(audio: &Section<'_>) -> Self {
        let microphone = audio.get(
            "microphone",
            AudioSource::Auto,
            rules::text(MICROPHONE_ALLOWED, AudioSource::parse),
        );
        let speaker = audio.get(
            "speaker",
            AudioSink::Auto,
            rules::text(SPEAKER_ALLOWED, AudioSink::parse),
        );
        // A test tone is to arrive unchanged.
        let voice = !matches!(microphone, AudioSource::Test { .. });
        let echo = if voice && speaker != AudioSink::None {
            EchoControl::Cancel
        } else {
            EchoControl::Off
        };
        let controls = [
            ("cancel", EchoControl::Cancel),
            ("half-duplex", EchoControl::HalfDuplex),
            ("off", EchoControl::Off),
        ];
        Self {
            microphone,
            speaker,
            // Usual for one channel of 48 kHz speech in AAC-LC.
            bitrate_kbps: audio.get("bitrate_kbps", 48, rules::whole(16..=192)),
            volume: audio.get("volume", 100, rules::whole(0..=100)),
            microphone_level: audio.optional("microphone_level", rules::whole(0..=100)),
            speaker_level: audio.optional("speaker_level", rules::whole(0..=100)),
            voice: VoiceConfig {
                echo: audio.get("echo_cancellation", echo, rules::choice(&controls)),
                noise_suppression: audio.get("noise_suppression", voice, rules::flag),
                gain_control: audio.get("gain_control", voice, rules::flag),
            },
        }
    }
}

impl Network {
    fn read(network: &Section<'_>) -> Self {
        let (connect, window) = (Duration::from_secs(10), Duration::from_secs(30));
        Self {
            connect_timeout: network.get(
                "connect_timeout_seconds",
                connect,
                rules::seconds(2..=60),
            ),
            reconnect_window: network.get(
                "reconnect_window_seconds",
                window,
                rules::seconds(5..=300),
            ),
        }
    }
}
