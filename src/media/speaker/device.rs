//! The loudspeaker's device and the pipeline that plays into it: finding, opening, filling.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSrc, AppSrcCallbacks};

use super::shared_mixer::{SharedMixer, lock_mixer};
use crate::config::kiosk::AudioSink;
use crate::media::devices;
use crate::media::error::MediaError;
use crate::media::format::{BLOCK, samples, sound_caps};
use crate::media::pipeline::{Pipeline, make, parse_sink};
use crate::media::time_code::now_micros;

/// Microseconds of the sound card's own buffer.
const DEVICE_BUFFER_US: i64 = 40_000;
/// Microseconds of it that are written at a time.
const DEVICE_PERIOD_US: i64 = 10_000;
/// Maximum that a device may hold: one that claims more is wrong.
const DEVICE_AT_MOST: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// `appsrc ! audioconvert ! audioresample ! alsasink sync=false`: the device asks for samples
/// at its own pace.
pub(super) async fn open(sink: &AudioSink, mixer: &SharedMixer) -> Result<Pipeline, MediaError> {
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

pub(super) async fn play_into(
    device: gst::Element,
    mixer: &SharedMixer,
) -> Result<Pipeline, MediaError> {
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

pub(super) async fn stop_pipeline(pipeline: &mut Pipeline) {
    if let Err(error) = pipeline.stop().await {
        log::warn!(error:%; "the loudspeaker does not stop");
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

fn source(mixer: &SharedMixer, device: &gst::Element) -> AppSrc {
    let (mixer, device) = (Arc::clone(mixer), device.downgrade());
    let (mut played, mut clock) = (0u64, None);
    let need_data = move |source: &AppSrc, _| {
        let block = gst::ClockTime::from_mseconds(10);
        let position = block * played;
        let device = device.upgrade();
        let delay = device.map_or(0, |device| holds(&device, &mut clock, position));
        let bytes = lock_mixer(&mixer).mix(BLOCK, now_micros() as i64, delay);
        if let Some(echo) = mixer.echo.get() {
            let block: Vec<i16> = samples(&bytes).collect();
            echo.played(gst::SystemClock::obtain().time(), &block);
        }
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
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

/// Time until the device plays what it gets at `position`, in µs. A sound card's
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

pub(super) fn device(sink: &AudioSink) -> Result<gst::Element, MediaError> {
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
pub(super) fn named(name: &str, speakers: Vec<devices::SoundDevice>) -> Result<String, MediaError> {
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
}
