//! Where captured frames come out: the newest one for the self-view, every one for the taps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::watch;

type Tap = Arc<dyn Fn(&Frame) + Send + Sync>;

/// A captured picture or piece of sound.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) sample: gst::Sample,
    /// Time of the monotonic system clock at which it was captured.
    pub(crate) captured: gst::ClockTime,
}

/// Hands frames on from the streaming thread of a device. Never waits for a reader.
#[derive(Default)]
pub(crate) struct Feed {
    shown: Option<watch::Sender<Option<gst::Sample>>>,
    taps: Mutex<Vec<(u64, Tap)>>,
    next_tap: AtomicU64,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// A tap on a feed; dropping it closes the tap.
#[derive(Debug)]
pub(crate) struct Attachment {
    feed: Arc<Feed>,
    id: u64,
}

impl Feed {
    /// A feed whose newest frame can be watched.
    pub(super) fn showing(shown: watch::Sender<Option<gst::Sample>>) -> Self {
        Self {
            shown: Some(shown),
            ..Self::default()
        }
    }

    /// Calls `tap` with every frame from now on, on the device's thread: it must not wait.
    pub(crate) fn attach(
        self: &Arc<Self>,
        tap: impl Fn(&Frame) + Send + Sync + 'static,
    ) -> Attachment {
        let id = self.next_tap.fetch_add(1, Ordering::Relaxed);
        self.taps().push((id, Arc::new(tap)));
        Attachment {
            feed: Arc::clone(self),
            id,
        }
    }

    fn publish(&self, frame: Frame) {
        // Cloned, so that the lock is not held while a tap works.
        let taps: Vec<Tap> = self.taps().iter().map(|(_, tap)| Arc::clone(tap)).collect();
        for tap in taps {
            tap(&frame);
        }
        if let Some(shown) = &self.shown {
            shown.send_replace(Some(frame.sample));
        }
    }

    fn taps(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Tap)>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.feed.taps().retain(|(id, _)| *id != self.id);
    }
}

/// A sink that publishes into `feed` what arrives, at once and without a queue, and counts it.
pub(super) fn sink(feed: &Arc<Feed>, frames: &Arc<AtomicU64>) -> gst::Element {
    let (feed, frames) = (Arc::clone(feed), Arc::clone(frames));
    let publish = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(captured) = captured(sink, &sample) {
            feed.publish(Frame { sample, captured });
            frames.fetch_add(1, Ordering::Relaxed);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    gst_app::AppSink::builder()
        .name("feed")
        .sync(false)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(publish)
                .build(),
        )
        .build()
        .upcast()
}

/// When a sample was captured, on the monotonic system clock.
fn captured(sink: &gst_app::AppSink, sample: &gst::Sample) -> Option<gst::ClockTime> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    Some(sink.base_time()? + segment.to_running_time(sample.buffer()?.pts())?)
}
