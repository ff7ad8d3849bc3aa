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
    if *sink != AudioSink::Auto {
        let opened = play_into(device(sink)?, mixer).await;
        return opened.map_err(|error| missing(sink, error));
    }
    // Not GStreamer's own choice: it asks every library for sound there is, some of which write
    // to the terminal, and its buffer of 200 ms cannot be set.
    for candidate in [alsa("default"), sound_server()] {
        let opened = match candidate {
            Ok(sink) => play_into(sink, mixer).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(pipeline) => return Ok(pipeline),
            Err(error) => log::debug!(error:%; "no loudspeaker"),
        }
    }
    let wanted = "this machine has none".to_owned();
    Err(MediaError::NoSpeaker { wanted })
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
    match pipeline.start().await {
        Ok(_) => Ok(pipeline),
        Err(error) => {
            stop_pipeline(&mut pipeline).await;
            Err(error)
        }
    }
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
    let sink = make("alsasink", "speaker").property("device", device);
    Ok(with_short_buffer(sink).build()?)
}

/// The desktop's sound server, by PulseAudio's protocol.
fn sound_server() -> Result<gst::Element, MediaError> {
    Ok(with_short_buffer(make("pulsesink", "speaker")).build()?)
}

fn with_short_buffer<'a>(
    sink: gst::element_factory::ElementBuilder<'a>,
) -> gst::element_factory::ElementBuilder<'a> {
    sink.property("sync", false)
        .property("buffer-time", DEVICE_BUFFER_US)
        .property("latency-time", DEVICE_PERIOD_US)
}

pub(super) fn device(sink: &AudioSink) -> Result<gst::Element, MediaError> {
    match sink {
        AudioSink::Auto => alsa("default"),
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
