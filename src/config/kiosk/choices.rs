//! Sources, sinks, encoder and echo control by the operator's choice: the one type of each for
//! every room of the house.

use std::fmt;

use serde::Serialize;

/// Frequency of the `test` microphone, in hertz: the concert pitch.
const TEST_HZ: f64 = 440.0;

/// The encoder of the picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EncoderChoice {
    /// The encoder in a camera if it can be used, else the first that works, hardware before
    /// software.
    #[default]
    Auto,
    /// The same, with a warning if the encoder in a camera cannot be used.
    Camera,
    /// A GStreamer element such as `x264enc`.
    Named(String),
}

/// A source of sound.
#[derive(Debug, Clone, PartialEq)]
pub enum AudioSource {
    /// The first microphone found.
    Auto,
    /// A tone of that frequency, in hertz.
    Test { hz: f64 },
    /// An ALSA device such as `hw:1,0`.
    Device(String),
    /// A microphone by the name that `rtckiosk devices` shows.
    Name(String),
    /// A GStreamer description of a source.
    Gst(String),
}

/// A sink for sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioSink {
    /// The default of the system.
    Auto,
    /// Nowhere; sound is still received and measured.
    None,
    /// An ALSA device such as `hw:1,0`.
    Device(String),
    /// A loudspeaker by the name that `rtckiosk devices` shows.
    Name(String),
    /// A GStreamer description of a sink.
    Gst(String),
}

/// The means against agents hearing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoControl {
    /// Cancels the loudspeaker's sound in that of the microphone; half duplex if that cannot be
    /// done.
    Cancel,
    /// Turns the microphone down while the far end speaks.
    HalfDuplex,
    #[default]
    Off,
}

/// The processing of the microphone's sound; by default, none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoiceConfig {
    pub echo: EchoControl,
    /// Takes steady noise out of the microphone's sound.
    pub noise_suppression: bool,
    /// Brings voices to the same loudness.
    pub gain_control: bool,
}

/// In the words of the configuration.
impl fmt::Display for AudioSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(device) => f.write_str(device),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Test { hz } => write!(f, "test:{hz}"),
            Self::Gst(description) => write!(f, "gst:{description}"),
        }
    }
}

/// In the words of the configuration.
impl fmt::Display for AudioSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(device) => f.write_str(device),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Gst(description) => write!(f, "gst:{description}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl AudioSource {
    pub(super) fn parse(text: &str) -> Option<Self> {
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

impl AudioSink {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match split(text) {
            ("auto", None) => Some(Self::Auto),
            ("none", None) => Some(Self::None),
            ("name", Some(name)) => Some(Self::Name(name)),
            ("gst", Some(description)) => Some(Self::Gst(description)),
            _ => alsa_device(text).map(Self::Device),
        }
    }
}

impl EncoderChoice {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_name = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_lowercase())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        match text {
            "auto" => Some(Self::Auto),
            "camera" => Some(Self::Camera),
            name => is_name(name).then(|| Self::Named(name.to_owned())),
        }
    }
}

/// Splits `kind:rest` with a rest that is not blank, or takes a kind alone.
pub(super) fn split(text: &str) -> (&str, Option<String>) {
    match text.split_once(':') {
        Some((kind, rest)) if !rest.trim().is_empty() => (kind, Some(rest.trim().to_owned())),
        _ => (text, None),
    }
}

/// Whether a text is a name for `snd_pcm_open`: `hw:1,0`, `plughw:CARD=Codec,DEV=0`, `default`.
/// Other bare words are refused, since a misspelt `auto` would be one.
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
