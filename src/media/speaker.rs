//! The loudspeaker: mixes what the members say and plays it for as long as the call lives.
//!
//! Each member has an input with a short buffer of its own. The device pulls: whenever it wants
//! ten milliseconds, the inputs are mixed and a member who has nothing to say is silent. So the
//! sound card's clock rules, inputs come and go at any time, and no stream can hold up another.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSrc, AppSrcCallbacks};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::MediaError;
use super::pipeline::{BusEvent, Pipeline};
use super::reconnect::{Backoff, Reconnect};

/// Samples per second of all sound inside the kiosk: mono, 16 bits.
pub const SAMPLE_RATE: u32 = 48_000;
/// What the device gets at a time.
const BLOCK: usize = SAMPLE_RATE as usize / 100;
/// An input that was empty collects this much before it plays: three AAC frames' jitter.
const PREFILL: usize = SAMPLE_RATE as usize * 60 / 1000;
/// An input never holds more; then its oldest sound is dropped down to the prefill.
const LONGEST: usize = SAMPLE_RATE as usize * 200 / 1000;
/// The sound card's own buffer and the part of it that is written at a time.
const DEVICE_BUFFER: Duration = Duration::from_millis(40);
const DEVICE_PERIOD: Duration = Duration::from_millis(10);

/// Which loudspeaker plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioSink {
    /// What the machine plays on by default.
    Auto,
    /// An ALSA device as in `aplay -D`, for example `plughw:1,0`.
    Device(String),
    /// A part of the sound card's name, in any case.
    Name(String),
    /// No device: sound is mixed in real time and thrown away.
    None,
}

/// The sound of one member, waiting to be mixed.
#[derive(Debug, Default)]
struct Input {
    waiting: VecDeque<i16>,
    playing: bool,
}

impl Input {
    fn push(&mut self, samples: &[i16]) {
        // Only the newest can survive anyway.
        let samples = &samples[samples.len().saturating_sub(LONGEST)..];
        self.waiting.extend(samples);
        if self.waiting.len() > LONGEST {
            self.waiting.drain(..self.waiting.len() - PREFILL);
        }
    }

    /// Adds up to `sum.len()` samples to `sum`.
    fn mix_into(&mut self, sum: &mut [i32]) {
        self.playing |= self.waiting.len() >= PREFILL;
        if !self.playing {
            return;
        }
        let count = sum.len().min(self.waiting.len());
        for (sum, sample) in sum.iter_mut().zip(self.waiting.drain(..count)) {
            *sum += i32::from(sample);
        }
        self.playing = !self.waiting.is_empty();
    }
}

#[derive(Debug)]
struct Mixer {
    /// With the member's name, for the log.
    inputs: Vec<(Arc<str>, Input)>,
    volume: f64,
    sum: Vec<i32>,
}

impl Mixer {
    fn new() -> Self {
        Self {
            inputs: Vec::new(),
            volume: 1.0,
            sum: Vec::new(),
        }
    }

    /// The next block, `count` samples.
    fn mix(&mut self, count: usize) -> Vec<u8> {
        self.sum.clear();
        self.sum.resize(count, 0);
        for (_, input) in &mut self.inputs {
            input.mix_into(&mut self.sum);
        }
        let volume = self.volume;
        let samples = self.sum.iter().map(|&sum| {
            let loud = (f64::from(sum) * volume).clamp(f64::from(i16::MIN), f64::from(i16::MAX));
            loud as i16
        });
        samples.flat_map(i16::to_le_bytes).collect()
    }
}

type Shared = Arc<Mutex<Mixer>>;

/// No code that could panic half-way runs under this lock.
fn lock(mixer: &Shared) -> MutexGuard<'_, Mixer> {
    mixer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where one member's sound goes in. Clones are the same input; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct SpeakerInput {
    inner: Arc<InputHandle>,
}

#[derive(Debug)]
struct InputHandle {
    member: Arc<str>,
    mixer: Shared,
}

impl SpeakerInput {
    /// Hands over mono samples at [`SAMPLE_RATE`]. Never blocks; at most 200 ms are kept.
    pub fn push(&self, samples: &[i16]) {
        let InputHandle { member, mixer } = &*self.inner;
        let mut mixer = lock(mixer);
        let mine = mixer
            .inputs
            .iter_mut()
            .find(|(name, _)| Arc::ptr_eq(name, member));
        if let Some((_, input)) = mine {
            input.push(samples);
        }
    }

    /// How much of the member's sound waits to be played.
    #[must_use]
    pub fn waiting(&self) -> Duration {
        let mixer = lock(&self.inner.mixer);
        let mine = mixer
            .inputs
            .iter()
            .find(|(name, _)| Arc::ptr_eq(name, &self.inner.member));
        let samples = mine.map_or(0, |(_, input)| input.waiting.len());
        Duration::from_secs_f64(samples as f64 / f64::from(SAMPLE_RATE))
    }
}

impl Drop for InputHandle {
    fn drop(&mut self) {
        let member = &self.member;
        lock(&self.mixer)
            .inputs
            .retain(|(name, _)| !Arc::ptr_eq(name, member));
    }
}

/// The playback device. Dropping it stops it; inputs may outlive it.
#[derive(Debug)]
pub struct Speaker {
    mixer: Shared,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Opens the device. Must be called in a tokio runtime, after [`init`](super::init). A device
    /// that fails later is opened again with back-off, as long as the speaker lives.
    ///
    /// # Errors
    /// `NoSpeaker` when there is no such device, `Pipeline` or `StateTimeout` when it does not
    /// play. A call may go on without sound.
    pub async fn start(sink: AudioSink) -> Result<Self, MediaError> {
        let mixer = Arc::new(Mutex::new(Mixer::new()));
        let pipeline = open(&sink, &mixer).await?;
        let stop = CancellationToken::new();
        let keeper = keep_playing(pipeline, sink, Arc::clone(&mixer), stop.clone());
        Ok(Self {
            mixer,
            task: Some(tokio::spawn(keeper)),
            stop,
        })
    }

    /// A new input for `member`.
    #[must_use]
    pub fn input(&self, member: &str) -> SpeakerInput {
        let member: Arc<str> = member.into();
        let fresh = (Arc::clone(&member), Input::default());
        lock(&self.mixer).inputs.push(fresh);
        let mixer = Arc::clone(&self.mixer);
        SpeakerInput {
            inner: Arc::new(InputHandle { member, mixer }),
        }
    }

    /// 0 is silence, 1 plays as received; other values are brought into this range.
    pub fn set_volume(&self, volume: f64) {
        if !volume.is_nan() {
            lock(&self.mixer).volume = volume.clamp(0.0, 1.0);
        }
    }

    /// Stops; the device is free when this returns (within ten seconds, even if it hangs).
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            log::error!(error:%; "the speaker's task failed");
        }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Holds the device open until `stop`.
async fn keep_playing(
    mut pipeline: Pipeline,
    sink: AudioSink,
    mixer: Shared,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Reconnect {
        window: Duration::MAX,
        min: Duration::from_millis(500),
        max: Duration::from_secs(8),
    });
    loop {
        let fault = tokio::select! {
            () = stop.cancelled() => break,
            fault = failure(&mut pipeline) => fault,
        };
        log::warn!(error:% = fault; "the loudspeaker failed");
        stop_pipeline(&mut pipeline).await;
        tokio::select! {
            () = stop.cancelled() => break,
            reopened = reopen(&sink, &mixer, &mut backoff) => pipeline = reopened,
        }
        log::info!("the loudspeaker plays again");
    }
    stop_pipeline(&mut pipeline).await;
}

async fn stop_pipeline(pipeline: &mut Pipeline) {
    if let Err(error) = pipeline.stop().await {
        log::warn!(error:%; "the loudspeaker does not stop");
    }
}

async fn reopen(sink: &AudioSink, mixer: &Shared, backoff: &mut Backoff) -> Pipeline {
    loop {
        // The back-off has no end: a call without a loudspeaker goes on.
        let wait = backoff.next(tokio::time::Instant::now(), rand::random());
        tokio::time::sleep(wait.unwrap_or(Duration::from_secs(8))).await;
        match open(sink, mixer).await {
            Ok(pipeline) => {
                backoff.succeeded();
                return pipeline;
            }
            Err(error) => log::debug!(error:%; "the loudspeaker is not back"),
        }
    }
}

/// What ends the playing.
async fn failure(pipeline: &mut Pipeline) -> String {
    loop {
        match pipeline.next_event().await {
            BusEvent::Error(error) => return error.to_string(),
            BusEvent::Eos => return "the device ended the sound".to_owned(),
            BusEvent::Warning { element, message } => {
                log::debug!(element, message; "the loudspeaker warns");
            }
        }
    }
}

/// `appsrc ! audioconvert ! audioresample ! alsasink sync=false`: the device asks for samples
/// at its own pace.
async fn open(sink: &AudioSink, mixer: &Shared) -> Result<Pipeline, MediaError> {
    let mut pipeline = Pipeline::new("speaker");
    let build = |error: gst::glib::BoolError| MediaError::Pipeline {
        element: "speaker".to_owned(),
        message: error.message.to_string(),
        debug: String::new(),
    };
    let device = device(sink)?;
    let elements = [
        source(mixer).upcast(),
        gst::ElementFactory::make("audioconvert")
            .build()
            .map_err(build)?,
        gst::ElementFactory::make("audioresample")
            .build()
            .map_err(build)?,
        device.clone(),
    ];
    pipeline.gst().add_many(&elements).map_err(build)?;
    gst::Element::link_many(&elements).map_err(build)?;
    match pipeline.start().await {
        Err(error) => {
            stop_pipeline(&mut pipeline).await;
            Err(missing(sink, error))
        }
        Ok(_) if is_fallback(&device) => {
            stop_pipeline(&mut pipeline).await;
            let wanted = "this machine has none".to_owned();
            Err(MediaError::NoSpeaker { wanted })
        }
        Ok(_) => Ok(pipeline),
    }
}

/// A device that cannot be opened, by the name under which the operator knows it.
fn missing(sink: &AudioSink, error: MediaError) -> MediaError {
    match (sink, error) {
        (AudioSink::Device(name) | AudioSink::Name(name), MediaError::Pipeline { message, .. }) => {
            MediaError::NoSpeaker {
                wanted: format!("{name}: {message}"),
            }
        }
        (_, error) => error,
    }
}

fn source(mixer: &Shared) -> AppSrc {
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("channels", 1i32)
        .field("rate", SAMPLE_RATE as i32)
        .build();
    let mixer = Arc::clone(mixer);
    let mut played = 0u64;
    let need_data = move |source: &AppSrc, _| {
        let samples = lock(&mixer).mix(BLOCK);
        let mut buffer = gst::Buffer::from_mut_slice(samples);
        if let Some(buffer) = buffer.get_mut() {
            let block = gst::ClockTime::from_mseconds(10);
            buffer.set_pts(block * played);
            buffer.set_duration(block);
        }
        played += 1;
        // Refused only while the pipeline stops.
        let _ = source.push_buffer(buffer);
    };
    AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .max_bytes(2 * BLOCK as u64)
        .callbacks(AppSrcCallbacks::builder().need_data(need_data).build())
        .build()
}

fn device(sink: &AudioSink) -> Result<gst::Element, MediaError> {
    let alsa = |device: &str| {
        gst::ElementFactory::make("alsasink")
            .property("device", device.to_owned())
            .property("sync", false)
            .property("buffer-time", DEVICE_BUFFER.as_micros() as i64)
            .property("latency-time", DEVICE_PERIOD.as_micros() as i64)
    };
    let builder = match sink {
        AudioSink::Auto => gst::ElementFactory::make("autoaudiosink").property("sync", false),
        AudioSink::Device(device) => alsa(device),
        AudioSink::Name(name) => alsa(&card_named(name)?),
        // Without a device nothing but the clock sets the pace.
        AudioSink::None => gst::ElementFactory::make("fakesink").property("sync", true),
    };
    builder.build().map_err(|error| MediaError::Pipeline {
        element: "speaker".to_owned(),
        message: error.message.to_string(),
        debug: String::new(),
    })
}

/// The first card whose name contains `name`, as an ALSA device that converts formats.
fn card_named(name: &str) -> Result<String, MediaError> {
    let wanted = name.to_lowercase();
    let mut present = Vec::new();
    for card in alsa::card::Iter::new().flatten() {
        for known in [card.get_name(), card.get_longname()].into_iter().flatten() {
            if known.to_lowercase().contains(&wanted) {
                return Ok(format!("plughw:{},0", card.get_index()));
            }
        }
        present.extend(card.get_name());
    }
    let present = match present.is_empty() {
        true => "this machine has no sound card".to_owned(),
        false => format!("this machine has: {}", present.join(", ")),
    };
    Err(MediaError::NoSpeaker {
        wanted: format!("none is named {name:?}; {present}"),
    })
}

/// `autoaudiosink` without any device plays into a `fakesink`, as fast as it can.
fn is_fallback(device: &gst::Element) -> bool {
    let Some(bin) = device.dynamic_cast_ref::<gst::Bin>() else {
        return false;
    };
    let mut factories = bin
        .children()
        .into_iter()
        .filter_map(|child| child.factory());
    factories.any(|factory| factory.name() == "fakesink")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(bytes: &[u8]) -> Vec<i16> {
        let pairs = bytes.chunks_exact(2);
        pairs
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }

    #[test]
    fn an_input_plays_once_it_has_collected_enough() {
        let mut input = Input::default();
        let mut sum = vec![0; BLOCK];
        input.push(&vec![7; PREFILL - 1]);
        input.mix_into(&mut sum);
        assert!(sum.iter().all(|&s| s == 0));
        input.push(&[7]);
        input.mix_into(&mut sum);
        assert!(sum.iter().all(|&s| s == 7));
        // It plays to its end, and collects again.
        input.waiting.truncate(BLOCK / 2);
        let mut sum = vec![0; BLOCK];
        input.mix_into(&mut sum);
        assert_eq!(sum.iter().filter(|&&s| s == 7).count(), BLOCK / 2);
        assert!(!input.playing);
    }

    #[test]
    fn a_burst_leaves_no_standing_delay() {
        let mut input = Input::default();
        for second in 0..5i16 {
            input.push(&vec![second; SAMPLE_RATE as usize]);
            assert!(input.waiting.len() <= LONGEST);
        }
        assert_eq!(input.waiting, [4; PREFILL], "the newest stay");
        for _ in 0..10 {
            input.push(&[5; BLOCK]);
        }
        assert_eq!(input.waiting.len(), PREFILL + 10 * BLOCK, "jitter is kept");
    }

    #[test]
    fn mixes_and_limits() {
        let mut mixer = Mixer::new();
        for (member, value) in [("a", 30_000i16), ("b", 20_000)] {
            let mut input = Input::default();
            input.push(&vec![value; PREFILL]);
            mixer.inputs.push((member.into(), input));
        }
        assert_eq!(samples(&mixer.mix(2)), [i16::MAX; 2]);
        mixer.volume = 0.5;
        assert_eq!(samples(&mixer.mix(1)), [25_000]);
        mixer.inputs.clear();
        assert_eq!(samples(&mixer.mix(3)), [0; 3]);
    }

    #[tokio::test]
    async fn inputs_come_and_go_while_it_plays_in_real_time() {
        super::super::init().expect("GStreamer starts");
        let speaker = Speaker::start(AudioSink::None)
            .await
            .expect("needs no device");
        let (first, second) = (speaker.input("a"), speaker.input("a"));
        first.push(&vec![1; LONGEST]);
        second.push(&vec![1; PREFILL]);
        drop(second);
        assert_eq!(lock(&speaker.mixer).inputs.len(), 1);
        let begun = std::time::Instant::now();
        while !first.waiting().is_zero() {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "nothing is played"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            begun.elapsed() > Duration::from_millis(100),
            "paced by the clock"
        );
        speaker.set_volume(f64::NAN);
        speaker.set_volume(7.0);
        assert_eq!(lock(&speaker.mixer).volume, 1.0);
        speaker.stop().await;
        first.push(&[1]);
    }

    #[tokio::test]
    async fn a_missing_device_is_a_clear_error() {
        super::super::init().expect("GStreamer starts");
        for (sink, name) in [
            (AudioSink::Device("plughw:77,0".to_owned()), "plughw:77,0"),
            (AudioSink::Name("no such card".to_owned()), "no such card"),
        ] {
            let error = Speaker::start(sink)
                .await
                .expect_err("there is no such device");
            assert!(matches!(error, MediaError::NoSpeaker { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
