//! Stills: one frame of a camera as the camera made it, before it is made smaller, as JPEG.
//!
//! A V4L2 device streams in one mode at a time, so a camera that is in use gives stills of the
//! mode it runs in (`media.cameras.width` and `height` make it run in a larger one).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::oneshot;

use super::picture_chain::upright;
use crate::config::kiosk::Rotation;
use crate::media::error::MediaError;
use crate::media::lock::lock;
use crate::media::pipeline::{BusEvent, Pipeline, make};

/// Time for a camera that delivers to hand out a frame: our choice.
const FRAME_DEADLINE: Duration = Duration::from_secs(2);
/// Time for a frame of any size to become JPEG on the slowest board: our choice.
const ENCODE_DEADLINE: Duration = Duration::from_secs(5);
/// JPEG quality, of 100: enough for photographs of damages and papers.
const QUALITY: i32 = 92;

/// The outlet of frames of one camera's pipeline.
#[derive(Debug, Clone, Default)]
pub(super) struct Stills {
    waiting: Arc<Mutex<Vec<oneshot::Sender<gst::Sample>>>>,
}

impl Stills {
    /// Takes frames from where `element` puts them out. Costs a look at a lock per frame while
    /// nobody waits.
    pub(super) fn of(element: &gst::Element) -> Self {
        let stills = Self::default();
        let waiting = Arc::clone(&stills.waiting);
        if let Some(pad) = element.static_pad("src") {
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                let asked = std::mem::take(&mut *lock(&waiting));
                if let (false, Some(buffer), Some(caps)) =
                    (asked.is_empty(), info.buffer(), pad.current_caps())
                {
                    // A copy: the camera has only a few buffers, and needs them back.
                    if let Ok(buffer) = buffer.copy_deep() {
                        let sample = gst::Sample::builder().buffer(&buffer).caps(&caps).build();
                        for reply in asked {
                            // Who asked may have gone.
                            let _ = reply.send(sample.clone());
                        }
                    }
                }
                gst::PadProbeReturn::Ok
            });
        }
        stills
    }

    /// The next frame of a camera that delivers.
    pub(super) async fn take(&self) -> Result<gst::Sample, MediaError> {
        self.take_within(FRAME_DEADLINE).await
    }

    pub(super) async fn take_within(&self, limit: Duration) -> Result<gst::Sample, MediaError> {
        let (reply, frame) = oneshot::channel();
        lock(&self.waiting).push(reply);
        match tokio::time::timeout(limit, frame).await {
            Ok(Ok(sample)) => Ok(sample),
            Ok(Err(_)) => Err(MediaError::broken(
                "the camera gave a frame that cannot be copied",
            )),
            Err(_) => Err(MediaError::broken("the camera delivers no frame")),
        }
    }
}

/// A frame, raw or JPEG, as an upright JPEG.
pub(super) async fn jpeg(frame: &gst::Sample, rotation: Rotation) -> Result<Vec<u8>, MediaError> {
    let (mut pipeline, encoded) = encoder(frame, rotation)?;
    let work = async {
        pipeline.start().await?;
        tokio::select! {
            biased;
            Ok(bytes) = encoded => Ok(bytes),
            error = failure(&mut pipeline) => Err(error),
        }
    };
    let done = tokio::time::timeout(ENCODE_DEADLINE, work).await;
    let stopped = pipeline.stop().await;
    let bytes =
        done.unwrap_or_else(|_| Err(MediaError::broken("the still takes too long to encode")))?;
    stopped?;
    Ok(bytes)
}

/// The reason why a pipeline for one still does not give it; pends while it may.
pub(super) async fn failure(pipeline: &mut Pipeline) -> MediaError {
    loop {
        match pipeline.next_event().await {
            BusEvent::Error(error) => return error,
            BusEvent::Eos => return MediaError::broken("it ended without a frame"),
            BusEvent::Warning { element, message } => log::warn!(element; "{message}"),
        }
    }
}

/// `appsrc ! jpegdec ! videoconvert ! videoflip ! jpegenc ! appsink`, with the frame in it.
fn encoder(
    frame: &gst::Sample,
    rotation: Rotation,
) -> Result<(Pipeline, oneshot::Receiver<Vec<u8>>), MediaError> {
    let (Some(caps), Some(buffer)) = (frame.caps(), frame.buffer_owned()) else {
        return Err(MediaError::broken(
            "the camera gave a frame without a format",
        ));
    };
    let input = gst_app::AppSrc::builder()
        .name("frame")
        .caps(&caps.to_owned())
        .format(gst::Format::Time)
        .build();
    let mut chain = vec![input.clone().upcast()];
    if caps.structure(0).is_some_and(|s| s.name() == "image/jpeg") {
        chain.push(make("jpegdec", "decode").build()?);
    }
    chain.push(make("videoconvert", "convert").build()?);
    chain.extend(upright(rotation)?);
    chain.push(
        make("jpegenc", "encode")
            .property("quality", QUALITY)
            .build()?,
    );
    let (output, encoded) = catch_first();
    chain.push(output.upcast());
    let pipeline = Pipeline::new("still");
    pipeline.chain(&chain)?;
    let pushed = input
        .push_buffer(buffer)
        .and_then(|_| input.end_of_stream());
    pushed.map_err(|error| MediaError::broken(&format!("the frame is not taken: {error}")))?;
    Ok((pipeline, encoded))
}

fn catch_first() -> (gst_app::AppSink, oneshot::Receiver<Vec<u8>>) {
    let (reply, encoded) = oneshot::channel();
    let mut reply = Some(reply);
    let catch = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let bytes = sample
            .buffer()
            .and_then(|buffer| buffer.map_readable().ok());
        if let (Some(reply), Some(bytes)) = (reply.take(), bytes) {
            let _ = reply.send(bytes.to_vec());
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(catch);
    let sink = gst_app::AppSink::builder()
        .name("jpeg")
        .sync(false)
        .async_(false)
        .callbacks(callbacks.build())
        .build();
    (sink, encoded)
}
