//! The microphone's pipeline: any source in, 48 kHz mono S16 out in pieces of about 10 ms, freed
//! of the loudspeaker's echo.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use gstreamer as gst;

use super::capture_config::CaptureConfig;
use super::capture_pipeline::CapturePipeline;
use super::device_group::{Codes, Device, DeviceGroup};
use super::feed::{Feed, Frame, Turn, sink, sink_to};
use crate::config::kiosk::AudioSource;
use crate::media::devices::{self, DeviceKind};
use crate::media::echo::{Echo, Voice};
use crate::media::error::MediaError;
use crate::media::format::{BLOCK, samples, sound_caps};
use crate::media::pipeline::{Pipeline, make, parse_source};
use crate::media::push_event::Events;
use crate::protocol::events::PushCode;

/// Tencent's numbers for microphones; there are none for one that comes and goes.
const CODES: Codes = Codes {
    opened: None,
    first_frame: None,
    failed: PushCode::OpenMicFail,
    lost: PushCode::OpenMicFail,
    back: None,
};

/// Microseconds per piece: what the sound waits before it leaves the device.
const PERIOD_US: i64 = 10_000;
/// Microseconds that the device keeps for us when we are late; costs no delay.
const DEVICE_BUFFER_US: i64 = 80_000;

pub(super) fn group(
    config: &CaptureConfig,
    echo: Echo,
    feed: Arc<Feed>,
    events: Events,
) -> DeviceGroup {
    let level = config.microphone_level;
    let (wanted, silent_feed) = (config.audio.clone(), Arc::clone(&feed));
    DeviceGroup {
        what: "microphone",
        kind: DeviceKind::Sound,
        codes: CODES,
        events,
        devices: vec![Device {
            name: wanted.to_string(),
            build: Arc::new(move || build(source(&wanted, level)?, &feed, echo.voice())),
        }],
        stand_in: Arc::new(move || build(tone("silence", 440.0)?, &silent_feed, None)),
    }
}

fn source(wanted: &AudioSource, level: Option<u8>) -> Result<gst::Element, MediaError> {
    match wanted {
        AudioSource::Test { hz } => tone("sine", *hz),
        AudioSource::Gst(description) => parse_source(description),
        AudioSource::Device(name) => microphone(name, level),
        AudioSource::Auto | AudioSource::Name(_) => {
            microphone(&find(wanted, devices::microphones())?, level)
        }
    }
}

fn tone(wave: &str, hz: f64) -> Result<gst::Element, MediaError> {
    Ok(make("audiotestsrc", "source")
        .property("is-live", true)
        .property_from_str("wave", wave)
        .property("freq", hz)
        .property("volume", 0.3)
        .property("samplesperbuffer", BLOCK as i32)
        .build()?)
}

fn microphone(device: &str, level: Option<u8>) -> Result<gst::Element, MediaError> {
    // Each time: a card that was pulled out comes back with its own idea.
    if let Some(percent) = level
        && let Err(reason) = devices::set_level(device, alsa::Direction::Capture, percent)
    {
        log::warn!(device; "the microphone's level is not set: {reason}");
    }
    log::info!(device; "microphone chosen");
    Ok(make("alsasrc", "microphone")
        .property("device", device)
        .property("latency-time", PERIOD_US)
        .property("buffer-time", DEVICE_BUFFER_US)
        .property("provide-clock", false)
        .build()?)
}

/// The ALSA device that the configuration means.
fn find(
    wanted: &AudioSource,
    microphones: Vec<devices::SoundDevice>,
) -> Result<String, MediaError> {
    let present: Vec<String> = microphones
        .iter()
        .map(|m| format!("{} ({})", m.device, m.name))
        .collect();
    let fits = |microphone: &devices::SoundDevice| match wanted {
        AudioSource::Name(name) => microphone.name.contains(name.as_str()),
        _ => true,
    };
    let found = microphones
        .into_iter()
        .find(fits)
        .map(|microphone| microphone.device);
    found.ok_or_else(|| MediaError::NoMicrophone {
        wanted: format!("wanted {wanted}, present: [{}]", present.join(", ")),
    })
}

/// A sink that publishes what the voice processing leaves.
fn through(mut voice: Voice, turn: &Arc<Turn>, frames: &Arc<AtomicU64>) -> gst::Element {
    let (turn, caps) = (Arc::clone(turn), sound_caps());
    let mut sound = Vec::new();
    sink_to(frames, move |frame| {
        sound.clear();
        let bytes = frame.sample.buffer().and_then(|b| b.map_readable().ok());
        sound.extend(bytes.iter().flat_map(|bytes| samples(bytes)));
        voice.push(frame.captured, &sound, |captured, block| {
            let bytes: Vec<u8> = block.into_iter().flat_map(i16::to_le_bytes).collect();
            let mut buffer = gst::Buffer::from_mut_slice(bytes);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_duration(gst::ClockTime::from_mseconds(10));
            }
            let sample = gst::Sample::builder().caps(&caps).buffer(&buffer).build();
            turn.publish(Frame {
                sample,
                captured,
                camera: None,
            });
        });
    })
}

fn build(
    source: gst::Element,
    feed: &Arc<Feed>,
    voice: Option<Voice>,
) -> Result<CapturePipeline, MediaError> {
    let pipeline = Pipeline::urgent("microphone");
    let (frames, turn) = (Arc::default(), feed.turn());
    let sink = match voice {
        Some(voice) => through(voice, &turn, &frames),
        None => sink(&turn, &frames),
    };
    pipeline.chain(&[
        source,
        make("audioconvert", "convert").build()?,
        make("audioresample", "resample").build()?,
        make("capsfilter", "sound")
            .property("caps", sound_caps())
            .build()?,
        sink,
    ])?;
    Ok(CapturePipeline {
        pipeline,
        frames,
        turn,
        stills: None,
        h264: None,
        refused: None,
        plain: None,
    })
}
