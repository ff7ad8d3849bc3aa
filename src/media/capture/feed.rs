//! Where captured frames come out: the newest one for the self-view, every one for the taps.
//!
//! Several devices may feed one feed, one after the other. Who comes later takes over with its
//! first frame: until then its predecessor is seen, and never afterwards.

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
    next_turn: AtomicU64,
    /// Whose frames are seen, and when the last of them was captured.
    now_on: Mutex<(u64, gst::ClockTime)>,
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

    /// For a device that begins: after every one before.
    pub(super) fn turn(self: &Arc<Self>) -> Arc<Turn> {
        Arc::new(Turn {
            feed: Arc::clone(self),
            number: AtomicU64::new(self.next_turn.fetch_add(1, Ordering::Relaxed)),
        })
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

/// One device's way into a feed.
#[derive(Debug)]
pub(super) struct Turn {
    feed: Arc<Feed>,
    number: AtomicU64,
}

impl Turn {
    /// Hands a frame on, unless a later device has taken over.
    pub(super) fn publish(&self, frame: Frame) {
        if self.admits(frame.captured) {
            self.feed.publish(frame);
        }
    }

    /// Comes after every other from now on.
    pub(super) fn renew(&self) {
        let next = self.feed.next_turn.fetch_add(1, Ordering::Relaxed);
        self.number.store(next, Ordering::Relaxed);
    }

    /// Whether a frame of that time is to be seen. Readers rely on times that grow, and a device
    /// that takes over may be quicker than the one before it.
    fn admits(&self, captured: gst::ClockTime) -> bool {
        let now_on = &self.feed.now_on;
        let mut now_on = now_on.lock().unwrap_or_else(PoisonError::into_inner);
        let (current, last) = *now_on;
        let number = self.number.load(Ordering::Relaxed);
        if number < current || (number > current && captured <= last) {
            return false;
        }
        *now_on = (number, captured);
        true
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.feed.taps().retain(|(id, _)| *id != self.id);
    }
}

/// A sink that publishes what arrives, at once and without a queue, and counts it.
pub(super) fn sink(turn: &Arc<Turn>, frames: &Arc<AtomicU64>) -> gst::Element {
    let turn = Arc::clone(turn);
    sink_to(frames, move |frame| turn.publish(frame))
}

/// A sink that hands on what arrives, at once and without a queue, and counts it.
pub(super) fn sink_to(
    frames: &Arc<AtomicU64>,
    mut take: impl FnMut(Frame) + Send + 'static,
) -> gst::Element {
    let frames = Arc::clone(frames);
    let publish = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(captured) = captured(sink, &sample) {
            take(Frame { sample, captured });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_later_takes_over_with_its_first_frame() {
        let feed = Arc::new(Feed::default());
        let turns: [Arc<Turn>; 4] = std::array::from_fn(|_| feed.turn());
        for (turn, at, seen) in [
            (0, 10, true),
            (0, 20, true),
            // A quicker camera takes over: what it saw before has been seen.
            (1, 15, false),
            (1, 20, false),
            (0, 30, true),
            (1, 35, true),
            (0, 40, false),
            (1, 45, true),
            (3, 50, true),
            (2, 60, false),
        ] {
            let admitted = turns[turn].admits(gst::ClockTime::from_mseconds(at));
            assert_eq!(admitted, seen, "{turn} at {at} ms");
        }
        // One that goes on after all, because its successor was given up.
        turns[0].renew();
        let at = gst::ClockTime::from_mseconds(70);
        assert!(turns[0].admits(at) && !turns[3].admits(2 * at));
    }
}
