//! Runs a short pipeline to its end, on a thread that is given up when a driver hangs.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::judge::Finding;
use crate::media::error::MediaError;
use crate::media::pipeline::make;

/// Time between two looks for an error.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// Output of a pipeline, and the time that it took from its start.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) samples: Vec<gst::Sample>,
    pub(super) took: Duration,
}

/// Makes the elements of a trial, on its thread.
pub(super) type Build = Box<dyn FnOnce() -> Result<Vec<gst::Element>, MediaError> + Send>;

/// Runs the chain that `build` makes, with a sink for `caps` behind it, until it ends or `enough`
/// came out.
pub(super) fn run(
    build: Build,
    caps: &gst::Caps,
    enough: usize,
    deadline: Duration,
) -> Result<Output, Finding> {
    let (done, result) = mpsc::sync_channel(1);
    let caps = caps.clone();
    let spawned = std::thread::Builder::new()
        .name("codec-trial".to_owned())
        .spawn(move || {
            // Nobody listens any more after the deadline.
            let _ = done.send(play(build, &caps, enough, deadline));
        });
    if let Err(error) = spawned {
        return Err(Finding::Broken(format!("no thread for a trial: {error}")));
    }
    // Opening and closing a device take their time too.
    match result.recv_timeout(2 * deadline) {
        Ok(result) => result,
        Err(_) => Err(Finding::Hung(2 * deadline)),
    }
}

fn play(
    build: Build,
    caps: &gst::Caps,
    enough: usize,
    deadline: Duration,
) -> Result<Output, Finding> {
    let broken = |error: MediaError| Finding::Broken(error.to_string());
    let mut chain = build().map_err(broken)?;
    let sink = gst_app::AppSink::builder()
        .caps(caps)
        .sync(false)
        .max_buffers(u32::try_from(enough).unwrap_or(u32::MAX))
        .build();
    chain.push(sink.clone().upcast());
    let pipeline = gst::Pipeline::new();
    let linked = pipeline
        .add_many(&chain)
        .and_then(|()| gst::Element::link_many(&chain));
    linked.map_err(|error| broken(error.into()))?;
    let result = collect(&pipeline, &sink, enough, deadline);
    // Whatever it says, the pipeline is dropped now.
    let _ = pipeline.set_state(gst::State::Null);
    result
}

fn collect(
    pipeline: &gst::Pipeline,
    sink: &gst_app::AppSink,
    enough: usize,
    deadline: Duration,
) -> Result<Output, Finding> {
    let bus = pipeline.bus().expect("a pipeline always has a bus");
    let begun = Instant::now();
    let mut output = Output::default();
    if pipeline.set_state(gst::State::Playing).is_err() {
        let reason = error(&bus).unwrap_or_else(|| "it refuses to start".to_owned());
        return Err(Finding::Broken(reason));
    }
    while output.samples.len() < enough {
        match sink.try_pull_sample(LOOK) {
            Some(sample) => output.samples.push(sample),
            None if sink.is_eos() => break,
            None => {}
        }
        if let Some(reason) = error(&bus) {
            return Err(Finding::Broken(reason));
        }
        if begun.elapsed() > deadline {
            return Err(Finding::Hung(deadline));
        }
    }
    output.took = begun.elapsed();
    Ok(output)
}

/// The first error that waits on the bus.
fn error(bus: &gst::Bus) -> Option<String> {
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(match message.src() {
            Some(source) => format!("{}: {}", source.name(), error.error()),
            None => error.error().to_string(),
        }),
        _ => None,
    }
}

/// A source that gives `samples` and ends.
pub(super) fn replay(samples: &[gst::Sample]) -> Result<gst::Element, MediaError> {
    let buffers: Vec<_> = samples
        .iter()
        .filter_map(|sample| sample.buffer_owned())
        .collect();
    let mut buffers = buffers.into_iter();
    let need_data = move |source: &gst_app::AppSrc, _| {
        // Refused only when the pipeline has failed already.
        let _ = match buffers.next() {
            Some(buffer) => source.push_buffer(buffer),
            None => source.end_of_stream(),
        };
    };
    let caps = samples.first().and_then(|sample| sample.caps_owned());
    let callbacks = gst_app::AppSrcCallbacks::builder().need_data(need_data);
    let source = gst_app::AppSrc::builder()
        .name("replay")
        .format(gst::Format::Time)
        .callbacks(callbacks.build())
        .build();
    source.set_caps(caps.as_ref());
    Ok(source.upcast())
}

/// The types of the NAL units of a byte stream.
pub(super) fn nal_types(stream: &[u8]) -> impl Iterator<Item = u8> {
    let starts = stream.windows(4).filter(|bytes| bytes[..3] == [0, 0, 1]);
    starts.map(|bytes| bytes[3] & 0x1f)
}

/// A moving picture without an end.
pub(super) fn pictures(caps: &gst::Caps) -> Result<Vec<gst::Element>, MediaError> {
    let source = make("videotestsrc", "pictures").property("horizontal-speed", 4i32);
    limited(source.build()?, caps)
}

/// A tone without an end.
pub(super) fn tone(caps: &gst::Caps) -> Result<Vec<gst::Element>, MediaError> {
    limited(make("audiotestsrc", "tone").build()?, caps)
}

fn limited(source: gst::Element, caps: &gst::Caps) -> Result<Vec<gst::Element>, MediaError> {
    let filter = make("capsfilter", "input").property("caps", caps);
    Ok(vec![source, filter.build()?])
}
