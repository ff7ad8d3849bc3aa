//! The loudspeaker: mixes what the members say and plays it for as long as the call lives.
//!
//! Each member has an input with a short buffer of its own. The device pulls: whenever it wants
//! ten milliseconds, the inputs are mixed and a member who has nothing to say is silent. So the
//! sound card's clock rules, inputs come and go at any time, and no stream can hold up another.

mod mixer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSrc, AppSrcCallbacks};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use mixer::{Input, Mixer};

use super::MediaError;
use super::capture::{SOUND_HZ, sound_caps};
use super::devices;
use super::pipeline::{BusEvent, Pipeline, make};
use super::reconnect::{Backoff, Reconnect};

/// Samples per second of all sound inside the kiosk: mono, 16 bits.
pub const SAMPLE_RATE: u32 = SOUND_HZ.unsigned_abs();
/// What the device gets at a time.
const BLOCK: usize = SAMPLE_RATE as usize / 100;
/// The sound card's own buffer, and the part of it that is written at a time.
const DEVICE_BUFFER_US: i64 = 40_000;
const DEVICE_PERIOD_US: i64 = 10_000;

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
    if *sink == AudioSink::Auto {
        // Before GStreamer's own choice, whose buffer of 200 ms cannot be set.
        match play_into(alsa("default")?, mixer).await {
            Ok(pipeline) => return Ok(pipeline),
            Err(error) => log::debug!(error:%; "ALSA's default loudspeaker does not play"),
        }
    }
    let device = device(sink)?;
    play_into(device, mixer)
        .await
        .map_err(|error| missing(sink, error))
}

async fn play_into(device: gst::Element, mixer: &Shared) -> Result<Pipeline, MediaError> {
    let mut pipeline = Pipeline::urgent("speaker");
    pipeline.chain(&[
        source(mixer).upcast(),
        make("audioconvert", "convert").build()?,
        make("audioresample", "resample").build()?,
        device.clone(),
    ])?;
    let started = pipeline.start().await;
    if started.is_ok() && !is_fallback(&device) {
        return Ok(pipeline);
    }
    stop_pipeline(&mut pipeline).await;
    started?;
    let wanted = "this machine has none".to_owned();
    Err(MediaError::NoSpeaker { wanted })
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
        .caps(&sound_caps())
        .format(gst::Format::Time)
        .max_bytes(2 * BLOCK as u64)
        .callbacks(AppSrcCallbacks::builder().need_data(need_data).build())
        .build()
}

fn alsa(device: &str) -> Result<gst::Element, MediaError> {
    Ok(make("alsasink", "speaker")
        .property("device", device)
        .property("sync", false)
        .property("buffer-time", DEVICE_BUFFER_US)
        .property("latency-time", DEVICE_PERIOD_US)
        .build()?)
}

fn device(sink: &AudioSink) -> Result<gst::Element, MediaError> {
    match sink {
        AudioSink::Auto => {
            let auto = make("autoaudiosink", "speaker").property("sync", false);
            Ok(auto.build()?)
        }
        AudioSink::Device(device) => alsa(device),
        AudioSink::Name(name) => alsa(&named(name, devices::speakers())?),
        // Without a device nothing but the clock sets the pace.
        AudioSink::None => Ok(make("fakesink", "speaker").property("sync", true).build()?),
    }
}

/// The first of `speakers` whose name contains `name`.
fn named(name: &str, speakers: Vec<devices::SoundDevice>) -> Result<String, MediaError> {
    let wanted = name.to_lowercase();
    let known: Vec<_> = speakers.iter().map(|known| known.name.clone()).collect();
    let found = speakers
        .into_iter()
        .find(|known| known.name.to_lowercase().contains(&wanted));
    found.map(|found| found.device).ok_or_else(|| {
        let wanted = format!("none is named {name:?}, present: [{}]", known.join(", "));
        MediaError::NoSpeaker { wanted }
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
    use super::mixer::{LONGEST, PREFILL};
    use super::*;

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

    #[test]
    fn finds_the_loudspeaker_that_is_meant() {
        let speakers = || {
            ["HDMI 0: ALSA", "USB Speaker: USB Audio"]
                .map(|name| devices::SoundDevice {
                    device: format!("hw:{name}"),
                    name: name.to_owned(),
                    rates: None,
                })
                .to_vec()
        };
        assert_eq!(
            named("usb s", speakers()),
            Ok("hw:USB Speaker: USB Audio".to_owned())
        );
        let error = named("Headset", speakers()).unwrap_err().to_string();
        assert!(
            error.contains("Headset") && error.contains("HDMI 0"),
            "{error}"
        );
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
