//! The loudspeaker: mixes what the members say and plays it for as long as the call lives.
//!
//! Each member has an input that holds sound back until its time has come (see `input`). The
//! device pulls: whenever it wants ten milliseconds, the inputs are mixed and a member who has
//! nothing to say is silent. So the sound card's clock rules, inputs come and go at any time, and
//! no stream can hold up another.

mod input;
mod keeper;
mod mixer;
mod stretch;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSrc, AppSrcCallbacks};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use input::{Played, Timing};

use input::Input;
use keeper::{Keeper, stop_pipeline};
use mixer::Mixer;

use super::MediaError;
use super::capture::{LineStatus, SOUND_HZ, sound_caps};
use super::devices;
use super::echo::{self, Echo};
use super::pipeline::{Pipeline, make, parse_sink};
use super::time_code::now_micros;
use crate::config::kiosk::AudioSink;

/// Samples per second of all sound inside the kiosk: mono, 16 bits.
pub const SAMPLE_RATE: u32 = SOUND_HZ.unsigned_abs();
/// What the device gets at a time.
const BLOCK: usize = SAMPLE_RATE as usize / 100;
/// The sound card's own buffer, and the part of it that is written at a time.
const DEVICE_BUFFER_US: i64 = 40_000;
const DEVICE_PERIOD_US: i64 = 10_000;
/// A device that claims to hold more is wrong.
const DEVICE_AT_MOST: gst::ClockTime = gst::ClockTime::from_seconds(1);

#[derive(Debug)]
struct Sound {
    mixer: Mutex<Mixer>,
    /// Who is told what the device gets.
    echo: OnceLock<Echo>,
}

type Shared = Arc<Sound>;

impl Sound {
    fn shared() -> Shared {
        Arc::new(Self {
            mixer: Mutex::new(Mixer::new()),
            echo: OnceLock::new(),
        })
    }
}

/// No code that could panic half-way runs under this lock.
fn lock(mixer: &Shared) -> MutexGuard<'_, Mixer> {
    mixer.mixer.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Hands over mono samples at [`SAMPLE_RATE`], to be played at their time. Never blocks; at
    /// most 500 ms are kept.
    pub fn push(&self, samples: &[i16], timing: Timing) {
        self.with(|input| input.push(samples, timing));
    }

    /// How the member's sound is played.
    #[must_use]
    pub fn played(&self) -> Played {
        self.with(|input| input.played).unwrap_or_default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Input) -> T) -> Option<T> {
        let InputHandle { member, mixer } = &*self.inner;
        let mut mixer = lock(mixer);
        let mut inputs = mixer.inputs.iter_mut();
        let mine = inputs.find(|(name, _)| Arc::ptr_eq(name, member));
        mine.map(|(_, input)| act(input))
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
    status: watch::Receiver<LineStatus>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Opens the device. Must be called in a tokio runtime, after [`init`](super::init). A device
    /// that fails later is opened again with back-off, as long as the speaker lives.
    ///
    /// # Errors
    /// `NoSpeaker` when there is no such device, `Pipeline` or `StateTimeout` when it does not
    /// play.
    pub async fn start(sink: AudioSink) -> Result<Self, MediaError> {
        let mixer = Sound::shared();
        let pipeline = open(&sink, &mixer).await?;
        Ok(Self::keep(sink, None, mixer, Ok(pipeline)))
    }

    /// The same for a call, which goes on without sound: a device that does not play now is
    /// tried again. Its mixer is set to `level` percent each time it is opened.
    pub async fn start_or_wait(sink: AudioSink, level: Option<u8>) -> Self {
        let mixer = Sound::shared();
        let opened = open(&sink, &mixer).await;
        if let Err(error) = &opened {
            log::warn!("the call goes on without a loudspeaker: {error}");
        }
        Self::keep(sink, level, mixer, opened)
    }

    fn keep(
        sink: AudioSink,
        level: Option<u8>,
        mixer: Shared,
        opened: Result<Pipeline, MediaError>,
    ) -> Self {
        let stop = CancellationToken::new();
        let (keeper, status) = Keeper::new(sink, level, Arc::clone(&mixer));
        Self {
            mixer,
            status,
            task: Some(tokio::spawn(keeper.run(opened, stop.clone()))),
            stop,
        }
    }

    /// Whether the device plays, and why not.
    #[must_use]
    pub fn status(&self) -> LineStatus {
        self.status.borrow().clone()
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

    /// Tells `echo` from now on what the device gets; only the first call counts.
    pub fn tell(&self, echo: &Echo) {
        let _ = self.mixer.echo.set(echo.clone());
    }

    /// Calls back with each block as it goes to the device, and with the µs until it is heard. On
    /// the device's thread: it must not wait. Replaces the one before.
    pub fn on_played(&self, listener: impl FnMut(&[i16], i64) + Send + 'static) {
        lock(&self.mixer).listener = Some(Box::new(listener));
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
        source(mixer, &device).upcast(),
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

fn source(mixer: &Shared, device: &gst::Element) -> AppSrc {
    let (mixer, device) = (Arc::clone(mixer), device.downgrade());
    let (mut played, mut clock) = (0u64, None);
    let need_data = move |source: &AppSrc, _| {
        let block = gst::ClockTime::from_mseconds(10);
        let position = block * played;
        let device = device.upgrade();
        let delay = device.map_or(0, |device| holds(&device, &mut clock, position));
        let samples = lock(&mixer).mix(BLOCK, now_micros() as i64, delay);
        if let Some(echo) = mixer.echo.get() {
            let block: Vec<i16> = echo::samples(&samples).collect();
            echo.played(gst::SystemClock::obtain().time(), &block);
        }
        let mut buffer = gst::Buffer::from_mut_slice(samples);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(position);
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

/// How long it takes until the device plays what it gets at `position`, in µs. A sound card's
/// clock says what is heard now; one without clock plays by the pipeline's time.
fn holds(device: &gst::Element, clock: &mut Option<gst::Clock>, position: gst::ClockTime) -> i64 {
    if clock.is_none() {
        *clock = device.provide_clock();
    }
    let heard = match clock {
        Some(clock) => Some(clock.internal_time()),
        None => device.current_running_time(),
    };
    let ahead = heard.map_or(gst::ClockTime::ZERO, |heard| position.saturating_sub(heard));
    ahead.min(DEVICE_AT_MOST).useconds() as i64
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
        AudioSink::Gst(description) => parse_sink(description),
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
    let is_auto = |f: gst::ElementFactory| f.name() == "autoaudiosink";
    let bin = device.dynamic_cast_ref::<gst::Bin>();
    let Some(bin) = bin.filter(|_| device.factory().is_some_and(is_auto)) else {
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
    use std::time::Duration;

    #[tokio::test]
    async fn inputs_come_and_go_while_it_plays_in_real_time() {
        super::super::init().expect("GStreamer starts");
        let speaker = Speaker::start(AudioSink::None)
            .await
            .expect("needs no device");
        let heard = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&heard);
        speaker.on_played(move |samples, device| {
            assert!((0..100_000).contains(&device), "{device}");
            *counted.lock().expect("no panic") += samples.iter().filter(|&&s| s == 1000).count();
        });
        let (first, second) = (speaker.input("a"), speaker.input("a"));
        let now = Timing {
            media: 0,
            lag: now_micros() as i64,
        };
        let fifth_of_a_second = SAMPLE_RATE as usize / 5;
        first.push(&vec![1000; fifth_of_a_second], now);
        second.push(&vec![1000; fifth_of_a_second], now);
        drop(second);
        assert_eq!(lock(&speaker.mixer).inputs.len(), 1);
        let begun = std::time::Instant::now();
        while first.played().gaps == 0 {
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
        assert!(*heard.lock().expect("no panic") > fifth_of_a_second / 2);
        speaker.set_volume(f64::NAN);
        speaker.set_volume(7.0);
        assert_eq!(lock(&speaker.mixer).volume, 1.0);
        speaker.stop().await;
        first.push(&[1], now);
    }

    #[test]
    fn finds_the_loudspeaker_that_is_meant() {
        let speakers = || {
            ["HDMI 0: ALSA", "USB Speaker: USB Audio"]
                .map(|name| devices::SoundDevice {
                    device: format!("hw:{name}"),
                    name: name.to_owned(),
                    rates: None,
                    mixer: vec![],
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
            (AudioSink::Gst("no_such_sink".to_owned()), "no_such_sink"),
            (AudioSink::Gst("videotestsrc".to_owned()), "no input"),
        ] {
            let error = Speaker::start(sink)
                .await
                .expect_err("there is no such device");
            assert!(matches!(error, MediaError::NoSpeaker { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
