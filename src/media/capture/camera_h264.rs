//! A camera's own H.264: what speaks against it, its trial, and its way into the feed beside the
//! pictures that are decoded from it.
//!
//! ```text
//! camera ! tee ! queue ! h264parse ! decoder ! ...     pictures: self-view, stills, our encoder
//!          tee ! h264parse ! appsink                   access units as FLV carries them
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::time::Instant;

use super::camera_encoder::CameraEncoder;
use super::capture_config::CaptureConfig;
use super::feed::{Encoded, Frame, Turn, app_sink, sink_to};
use super::h264_trial::{H264Trial, Seen, Stage, is_idr};
use crate::config::kiosk::{Camera, EncoderChoice, Rotation};
use crate::media::codecs::{self, Decoder, Kind};
use crate::media::elements::H264_DECODERS;
use crate::media::error::MediaError;
use crate::media::format::{avc_caps, side};
use crate::media::lock::lock;
use crate::media::pipeline::{Pipeline, make};

/// Time from the camera's first bytes to a key frame that was asked for. Longer than the second
/// that a camera takes which can only space its key frames.
const KEY_DEADLINE: Duration = Duration::from_secs(2);
/// Pictures that may wait for the decoder before some are lost: half a second, our choice.
const DECODER_WAITS: u32 = 15;
/// Time between two requests for a key frame because the decoder lost pictures: our choice.
const KEY_AGAIN: Duration = Duration::from_millis(500);

/// Outcomes of trials in the life of the process, by camera. One that failed is not tried again.
static VERDICTS: Mutex<BTreeMap<String, Result<(), String>>> = Mutex::new(BTreeMap::new());

fn verdicts() -> MutexGuard<'static, BTreeMap<String, Result<(), String>>> {
    lock(&VERDICTS)
}

/// Checks whether the configuration allows a camera's own H.264.
///
/// # Errors
/// The reason.
pub(super) fn allowed(config: &CaptureConfig, camera: &Camera) -> Result<(), String> {
    let (width, height) = (config.width, config.height);
    if let EncoderChoice::Named(name) = &config.encoder {
        return Err(format!("the configuration wants {name}"));
    }
    if camera.rotation != Rotation::None {
        return Err("the picture is to be turned".to_owned());
    }
    if config.time_code {
        return Err("each picture is to be stamped".to_owned());
    }
    match camera.at_least {
        Some((wide, high)) if wide > width || high > height => Err(format!(
            "the camera is to run at {wide}x{high}, and {width}x{height} is sent"
        )),
        _ => Ok(()),
    }
}

/// The H.264 that a camera makes itself, as far as it is known.
#[derive(Debug)]
pub(super) enum H264Offer {
    /// No H.264 to speak of.
    None,
    /// Refusal, with the reason.
    Refused(String),
    /// Tried now, or tried before.
    Of(CameraH264),
}

impl H264Offer {
    /// The offer that `find` finds at a camera known as `camera`, unless something speaks against
    /// it.
    pub(super) fn of(
        config: &CaptureConfig,
        camera: &str,
        find: impl FnOnce() -> Result<CameraEncoder, String>,
    ) -> Self {
        let before = verdicts().get(camera).cloned();
        let known = before == Some(Ok(()));
        let decodable = || decoder().map(drop).map_err(|error| error.to_string());
        let found = before
            .unwrap_or(Ok(()))
            .and_then(|()| find())
            .and_then(|encoder| decodable().map(|()| encoder));
        let size = (side(config.width), side(config.height));
        match found {
            Ok(encoder) => Self::Of(CameraH264 {
                encoder: Arc::new(encoder),
                camera: camera.to_owned(),
                arrived: AtomicBool::new(false),
                settled: AtomicBool::new(false),
                trial: Mutex::new(H264Trial::new(size, known)),
            }),
            Err(reason) => Self::Refused(reason),
        }
    }

    /// The stream that is used, or the reason why there is none.
    pub(super) fn parts(self) -> (Option<Arc<CameraH264>>, Option<String>) {
        match self {
            Self::Of(h264) => (Some(Arc::new(h264)), None),
            Self::Refused(reason) => (None, Some(reason)),
            Self::None => (None, None),
        }
    }
}

/// The own H.264 of a camera that is open.
#[derive(Debug)]
pub(super) struct CameraH264 {
    encoder: Arc<CameraEncoder>,
    /// Name and place by which the camera is remembered.
    camera: String,
    /// Whether it has delivered something.
    arrived: AtomicBool,
    /// Whether it has passed.
    settled: AtomicBool,
    trial: Mutex<H264Trial>,
}

impl CameraH264 {
    fn trial(&self) -> MutexGuard<'_, H264Trial> {
        lock(&self.trial)
    }

    /// Its encoder, while its stream can be sent.
    pub(super) fn encoder(&self) -> Option<Arc<CameraEncoder>> {
        let passed = *self.trial().stage() == Stage::Passed;
        passed.then(|| Arc::clone(&self.encoder))
    }

    /// Whether it has passed its trial: the pictures decoded from it are shown, also if it fails
    /// later.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Carries the trial on, which began when the camera delivered first; why it failed.
    pub(super) fn attend(&self, begun: &mut Option<Instant>) -> Option<String> {
        if self.arrived.load(Ordering::Relaxed) {
            begun.get_or_insert_with(Instant::now);
        }
        let mut trial = self.trial();
        match trial.stage() {
            Stage::Failed(reason) => return Some(reason.clone()),
            Stage::Passed => return None,
            Stage::Flows => {
                trial.asked();
                drop(trial);
                self.encoder.request_key();
            }
            Stage::Waits | Stage::Asked => {}
        }
        let late = begun.is_some_and(|begun| begun.elapsed() > KEY_DEADLINE);
        late.then(|| {
            let limit = KEY_DEADLINE.as_secs();
            format!("no key frame came within {limit} s, although one was asked for")
        })
    }

    /// Its state in the words of `status`.
    pub(super) fn describe(&self) -> String {
        match self.trial().stage() {
            Stage::Passed => format!("usable: {}", self.encoder.name()),
            Stage::Failed(reason) => format!("refused: {reason}"),
            Stage::Waits | Stage::Flows | Stage::Asked => "is being tried".to_owned(),
        }
    }

    /// Refuses it, which does not hold what it promises, for as long as the process runs.
    pub(super) fn refuse(&self, reason: &str) {
        log::warn!(reason; "the H.264 of {} is not used any more", self.encoder.name());
        verdicts().insert(self.camera.clone(), Err(reason.to_owned()));
    }

    fn see(&self, seen: Seen) -> bool {
        let mut trial = self.trial();
        let passed_before = *trial.stage() == Stage::Passed;
        if trial.see(seen) {
            match trial.stage() {
                Stage::Failed(reason) if passed_before => self.refuse(reason),
                Stage::Passed => {
                    self.settled.store(true, Ordering::Relaxed);
                    verdicts().insert(self.camera.clone(), Ok(()));
                }
                _ => {}
            }
        }
        *trial.stage() == Stage::Passed
    }
}

/// The element at which the ways of pictures and of access units part.
pub(super) fn tee(h264: &Arc<CameraH264>) -> Result<gst::Element, MediaError> {
    let tee = make("tee", "own").build()?;
    let h264 = Arc::clone(h264);
    if let Some(pad) = tee.static_pad("sink") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            h264.arrived.store(true, Ordering::Relaxed);
            gst::PadProbeReturn::Remove
        });
    }
    Ok(tee)
}

/// The elements that decode a camera's H.264. What they cannot take in time is lost, and `h264`
/// is asked for a key frame in its place.
pub(super) fn decoding(h264: Option<&Arc<CameraH264>>) -> Result<Vec<gst::Element>, MediaError> {
    let waiting = make("queue", "encoded")
        .property("max-size-buffers", DECODER_WAITS)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .property_from_str("leaky", "downstream")
        .build()?;
    if let Some(h264) = h264 {
        let (encoder, asked) = (Arc::clone(&h264.encoder), Mutex::new(None::<Instant>));
        waiting.connect("overrun", false, move |_| {
            let mut asked = lock(&asked);
            if asked.is_none_or(|at| at.elapsed() >= KEY_AGAIN) {
                *asked = Some(Instant::now());
                encoder.request_key();
            }
            None
        });
    }
    let parse = make("h264parse", "parse").build()?;
    Ok(vec![waiting, parse, decoder()?.make("decoder")?])
}

/// The decoder that a call takes; software while that is not known.
fn decoder() -> Result<Decoder, MediaError> {
    let known = codecs::known().and_then(|report| report.choose(Kind::H264Decoder, |_| true));
    let there = |decoder: &Decoder| gst::ElementFactory::find(decoder.element()).is_some();
    let software = || {
        let all = H264_DECODERS
            .iter()
            .filter_map(|(name, _)| Decoder::named(name));
        all.filter(|decoder| !decoder.is_hardware()).find(there)
    };
    let found = known
        .and_then(Result::ok)
        .and_then(Decoder::named)
        .or_else(software);
    found.ok_or_else(|| MediaError::NoCodec {
        kind: Kind::H264Decoder.name(),
        tried: "for the camera's own picture".to_owned(),
    })
}

/// The way of the access units into the feed, from the `tee` of a pipeline.
pub(super) fn branch(
    pipeline: &Pipeline,
    tee: &gst::Element,
    h264: &Arc<CameraH264>,
    turn: &Arc<Turn>,
) -> Result<(), MediaError> {
    let parse = make("h264parse", "own-parse")
        .property("config-interval", -1i32)
        .build()?;
    let (h264, turn) = (Arc::clone(h264), Arc::clone(turn));
    let sink = app_sink("own-feed", Some(&avc_caps()), move |frame| {
        let Some(seen) = look_at(&frame) else { return };
        if h264.see(seen) {
            turn.publish_encoded(&Encoded {
                sample: frame.sample,
                captured: frame.captured,
                key: seen.key,
                camera: Arc::clone(&h264.encoder),
            });
        }
    });
    pipeline.chain(&[parse.clone(), sink])?;
    Ok(tee.link(&parse)?)
}

fn look_at(frame: &Frame) -> Option<Seen> {
    let caps = frame.sample.caps()?.structure(0)?;
    let size = caps.get("width").ok().zip(caps.get("height").ok());
    let bytes = frame.sample.buffer()?.map_readable().ok()?;
    Some(Seen {
        size,
        key: is_idr(&bytes),
        captured: frame.captured,
    })
}

/// A sink that publishes the decoded pictures, once the trial is over.
pub(super) fn sink(
    h264: &Arc<CameraH264>,
    turn: &Arc<Turn>,
    frames: &Arc<AtomicU64>,
) -> gst::Element {
    let (h264, turn) = (Arc::clone(h264), Arc::clone(turn));
    sink_to(frames, move |frame| {
        if h264.is_settled() {
            let camera = h264.encoder();
            turn.publish(Frame { camera, ..frame });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::capture_config::AwayText;
    use super::*;
    use crate::config::kiosk::{AudioSource, VideoSource, VoiceConfig};

    #[test]
    fn what_the_configuration_demands_may_speak_against_it() {
        let plain = CaptureConfig {
            cameras: vec![Camera::only(VideoSource::Test)],
            audio: AudioSource::Auto,
            microphone_level: None,
            width: 640,
            height: 480,
            fps: 30,
            encoder: EncoderChoice::Auto,
            time_code: false,
            away: AwayText::default(),
            voice: VoiceConfig::default(),
        };
        let x264 = EncoderChoice::Named("x264enc".to_owned());
        let (auto, camera) = (EncoderChoice::Auto, EncoderChoice::Camera);
        for (encoder, rotation, at_least, time_code, expected) in [
            (&auto, Rotation::None, None, false, Ok(())),
            (&camera, Rotation::None, Some((640, 480)), false, Ok(())),
            (
                &x264,
                Rotation::None,
                None,
                false,
                Err("the configuration wants x264enc"),
            ),
            (
                &auto,
                Rotation::Half,
                None,
                false,
                Err("the picture is to be turned"),
            ),
            (
                &auto,
                Rotation::None,
                None,
                true,
                Err("each picture is to be stamped"),
            ),
            (
                &auto,
                Rotation::None,
                Some((1920, 1080)),
                false,
                Err("the camera is to run at 1920x1080, and 640x480 is sent"),
            ),
        ] {
            let config = CaptureConfig {
                encoder: encoder.clone(),
                time_code,
                ..plain.clone()
            };
            let camera = Camera {
                rotation,
                at_least,
                ..plain.cameras[0].clone()
            };
            let expected = expected.map_err(str::to_owned);
            assert_eq!(allowed(&config, &camera), expected);
        }
    }
}
