//! `[media]`: camera, microphone, loudspeaker, and how they are sent.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::document::Section;
use crate::config::rules;

/// `[media]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    pub video: Video,
    pub audio: Audio,
    pub network: Network,
}

/// `[media.video]`: the picture we send.
#[derive(Debug, Clone, PartialEq)]
pub struct Video {
    pub source: VideoSource,
    /// Pixels, even.
    pub width: u32,
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    pub bitrate_kbps: u32,
    /// Time between two key frames.
    pub gop_seconds: f64,
    pub encoder: Encoder,
}

/// Where the picture comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoSource {
    /// The first camera found.
    Auto,
    /// A moving test pattern.
    Test,
    /// A device such as `/dev/video0`.
    Device(PathBuf),
    /// A camera by the name that `rtckiosk devices` shows.
    Name(String),
    /// A GStreamer description of a source.
    Gst(String),
}

/// Who compresses the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoder {
    /// The best that the board has.
    Auto,
    /// A GStreamer element such as `x264enc`.
    Named(String),
}

/// `[media.audio]`: the sound we send and play.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    pub microphone: AudioSource,
    pub speaker: Speaker,
    pub bitrate_kbps: u32,
    /// Loudness of the speaker in percent.
    pub volume: u8,
}

/// Where the sound comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum AudioSource {
    /// The first microphone found.
    Auto,
    /// A tone of that frequency.
    Test { hz: f64 },
    /// An ALSA device such as `hw:1,0`.
    Device(String),
    /// A microphone by the name that `rtckiosk devices` shows.
    Name(String),
    /// A GStreamer description of a source.
    Gst(String),
}

/// Where the sound goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// The default of the system.
    Auto,
    /// Nowhere; sound is still received and measured.
    None,
    /// An ALSA device such as `hw:1,0`.
    Device(String),
    /// A loudspeaker by the name that `rtckiosk devices` shows.
    Name(String),
}

/// `[media.network]`: what a call bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// From the start of a stream until the relay takes or gives it.
    pub connect_timeout: Duration,
    /// How long a lost stream is fetched back before the call ends.
    pub reconnect_window: Duration,
}

/// Frequency of the `test` microphone: the concert pitch.
const TEST_HZ: f64 = 440.0;
const VIDEO_SOURCE_ALLOWED: &str = "\"auto\", \"test\", a device such as \"/dev/video0\", \
     \"name:CAMERA\" or \"gst:SOURCE DESCRIPTION\"";
const MICROPHONE_ALLOWED: &str = "\"auto\", \"test\", \"test:HERTZ\" (50 to 8000), an ALSA device \
     such as \"hw:1,0\", \"name:MICROPHONE\" or \"gst:SOURCE DESCRIPTION\"";
const SPEAKER_ALLOWED: &str =
    "\"auto\", \"none\", an ALSA device such as \"hw:1,0\" or \"name:SPEAKER\"";
const ENCODER_ALLOWED: &str = "\"auto\" or the name of a GStreamer element such as \"x264enc\"";

impl Media {
    pub(super) fn read(media: &Section<'_>) -> Self {
        Self {
            video: Video::read(&media.section("video")),
            audio: Audio::read(&media.section("audio")),
            network: Network::read(&media.section("network")),
        }
    }
}

impl Video {
    fn read(video: &Section<'_>) -> Self {
        Self {
            source: video.get(
                "source",
                VideoSource::Auto,
                rules::text(VIDEO_SOURCE_ALLOWED, VideoSource::parse),
            ),
            width: video.get("width", 640, rules::even(160..=1920)),
            height: video.get("height", 480, rules::even(120..=1920)),
            fps: video.get("fps", 30, rules::whole(1..=60)),
            // Below 100 even a small picture falls apart; above 10000 no board encodes in time.
            bitrate_kbps: video.get("bitrate_kbps", 800, rules::whole(100..=10_000)),
            // A member that joins waits for a key frame at most this long.
            gop_seconds: video.get("gop_seconds", 1.0, rules::number(0.5..=4.0)),
            encoder: video.get(
                "encoder",
                Encoder::Auto,
                rules::text(ENCODER_ALLOWED, Encoder::parse),
            ),
        }
    }
}

impl Audio {
    fn read(audio: &Section<'_>) -> Self {
        Self {
            microphone: audio.get(
                "microphone",
                AudioSource::Auto,
                rules::text(MICROPHONE_ALLOWED, AudioSource::parse),
            ),
            speaker: audio.get(
                "speaker",
                Speaker::Auto,
                rules::text(SPEAKER_ALLOWED, Speaker::parse),
            ),
            // What AAC-LC makes of one channel of 48 kHz speech.
            bitrate_kbps: audio.get("bitrate_kbps", 48, rules::whole(16..=192)),
            volume: audio.get("volume", 100, rules::whole(0..=100)),
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

impl VideoSource {
    fn parse(text: &str) -> Option<Self> {
        match split(text) {
            ("auto", None) => Some(Self::Auto),
            ("test", None) => Some(Self::Test),
            ("name", Some(name)) => Some(Self::Name(name)),
            ("gst", Some(description)) => Some(Self::Gst(description)),
            _ if text.len() > "/dev/".len() && text.starts_with("/dev/") => {
                Some(Self::Device(text.into()))
            }
            _ => None,
        }
    }
}

impl AudioSource {
    fn parse(text: &str) -> Option<Self> {
        match split(text) {
            ("auto", None) => Some(Self::Auto),
            ("test", None) => Some(Self::Test { hz: TEST_HZ }),
            ("test", Some(hz)) => {
                let hz = hz.parse().ok().filter(|hz| (50.0..=8000.0).contains(hz))?;
                Some(Self::Test { hz })
            }
            ("name", Some(name)) => Some(Self::Name(name)),
            ("gst", Some(description)) => Some(Self::Gst(description)),
            _ => alsa_device(text).map(Self::Device),
        }
    }
}

impl Speaker {
    fn parse(text: &str) -> Option<Self> {
        match split(text) {
            ("auto", None) => Some(Self::Auto),
            ("none", None) => Some(Self::None),
            ("name", Some(name)) => Some(Self::Name(name)),
            _ => alsa_device(text).map(Self::Device),
        }
    }
}

impl Encoder {
    fn parse(text: &str) -> Option<Self> {
        let is_name = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_lowercase())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        match text {
            "auto" => Some(Self::Auto),
            name => is_name(name).then(|| Self::Named(name.to_owned())),
        }
    }
}

/// `kind:rest` with a rest that is not blank, or a kind alone.
fn split(text: &str) -> (&str, Option<String>) {
    match text.split_once(':') {
        Some((kind, rest)) if !rest.trim().is_empty() => (kind, Some(rest.trim().to_owned())),
        _ => (text, None),
    }
}

/// A name for `snd_pcm_open`: `hw:1,0`, `plughw:CARD=Codec,DEV=0`, `default`. Other bare words
/// are refused, since a misspelt `auto` would be one.
fn alsa_device(text: &str) -> Option<String> {
    let servers = ["default", "sysdefault", "pulse", "pipewire"];
    let plugins = ["hw", "plughw", "plug", "dmix", "dsnoop"];
    let fits = match text.split_once(':') {
        None => servers.contains(&text),
        Some((plugin, arguments)) => {
            (servers.contains(&plugin) || plugins.contains(&plugin))
                && !arguments.is_empty()
                && arguments.bytes().all(|byte| byte.is_ascii_graphic())
        }
    };
    fits.then(|| text.to_owned())
}
