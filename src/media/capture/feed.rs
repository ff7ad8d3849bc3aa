//! The outlet of captured frames: the newest one for the self-view, every one for the taps.
//!
//! Several devices may feed one feed, one after the other. Who comes later takes over with its
//! first frame: until then its predecessor is seen, and never afterwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::watch;

use super::camera_encoder::CameraEncoder;
use crate::media::lock::lock;

/// A captured picture or piece of sound.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) sample: gst::Sample,
    /// Time of the monotonic system clock at which it was captured.
    pub(crate) captured: gst::ClockTime,
    /// The encoder of the camera that it comes from, if that has one whose stream can be sent.
    pub(crate) camera: Option<Arc<CameraEncoder>>,
}

/// A picture as the camera itself encoded it.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// An access unit as FLV carries it, with parameter sets before each key frame.
    pub(crate) sample: gst::Sample,
    pub(crate) captured: gst::ClockTime,
    /// A decoder can begin with it.
    pub(crate) key: bool,
    pub(crate) camera: Arc<CameraEncoder>,
}

type Tap<T> = Arc<dyn Fn(&T) + Send + Sync>;

/// The takers of what comes, by number.
struct Taps<T>(Mutex<Vec<(u64, Tap<T>)>>);

impl<T> Default for Taps<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Taps<T> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Tap<T>)>> {
        lock(&self.0)
    }

    fn call(&self, with: &T) {
        // Cloned, so that the lock is not held while a tap works.
        let taps: Vec<Tap<T>> = self.lock().iter().map(|(_, tap)| Arc::clone(tap)).collect();
        for tap in taps {
            tap(with);
        }
    }
}

/// The device of which the frames are seen.
#[derive(Debug, Default)]
struct NowOn {
    turn: u64,
    /// The time at which the last of them was captured.
    last: gst::ClockTime,
    camera: Option<Arc<CameraEncoder>>,
}

/// Hands frames on from the streaming thread of a device. Never waits for a reader.
#[derive(Default)]
pub(crate) struct Feed {
    shown: Option<watch::Sender<Option<gst::Sample>>>,
    taps: Taps<Frame>,
    encoded: Taps<Encoded>,
    next_tap: AtomicU64,
    next_turn: AtomicU64,
    now_on: Mutex<NowOn>,
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
        let attachment = self.attachment();
        self.taps.lock().push((attachment.id, Arc::new(tap)));
        attachment
    }

    /// The same with what cameras encoded themselves: of the camera whose frames are seen, before
    /// the frame that is decoded from it, and on another thread.
    pub(crate) fn attach_encoded(
        self: &Arc<Self>,
        tap: impl Fn(&Encoded) + Send + Sync + 'static,
    ) -> Attachment {
        let attachment = self.attachment();
        self.encoded.lock().push((attachment.id, Arc::new(tap)));
        attachment
    }

    fn attachment(self: &Arc<Self>) -> Attachment {
        Attachment {
            feed: Arc::clone(self),
            id: self.next_tap.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The encoder of the camera whose frames are seen, if it has one whose stream can be sent.
    pub(crate) fn camera(&self) -> Option<Arc<CameraEncoder>> {
        self.now_on().camera.clone()
    }

    /// A turn for a device that begins: after every one before.
    pub(super) fn turn(self: &Arc<Self>) -> Arc<Turn> {
        Arc::new(Turn {
            feed: Arc::clone(self),
            number: AtomicU64::new(self.next_turn.fetch_add(1, Ordering::Relaxed)),
        })
    }

    fn publish(&self, frame: Frame) {
        self.taps.call(&frame);
        if let Some(shown) = &self.shown {
            shown.send_replace(Some(frame.sample));
        }
    }

    fn now_on(&self) -> std::sync::MutexGuard<'_, NowOn> {
        lock(&self.now_on)
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
        if self.admits(&frame) {
            self.feed.publish(frame);
        }
    }

    /// Hands on what the device encoded itself, while its frames are those that are seen.
    pub(super) fn publish_encoded(&self, encoded: &Encoded) {
        if self.feed.now_on().turn == self.number.load(Ordering::Relaxed) {
            self.feed.encoded.call(encoded);
        }
    }

    /// Comes after every other from now on.
    pub(super) fn renew(&self) {
        let mut now_on = self.feed.now_on();
        let next = self.feed.next_turn.fetch_add(1, Ordering::Relaxed);
        let former = self.number.swap(next, Ordering::Relaxed);
        // Who is seen is seen without a break.
        if now_on.turn == former {
            now_on.turn = next;
        }
    }

    /// Whether a frame is to be seen. Readers rely on times that grow, and a device that takes
    /// over may be quicker than the one before it.
    fn admits(&self, frame: &Frame) -> bool {
        let mut now_on = self.feed.now_on();
        let number = self.number.load(Ordering::Relaxed);
        if number < now_on.turn || (number > now_on.turn && frame.captured <= now_on.last) {
            return false;
        }
        *now_on = NowOn {
            turn: number,
            last: frame.captured,
            camera: frame.camera.clone(),
        };
        true
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.feed.taps.lock().retain(|(id, _)| *id != self.id);
        self.feed.encoded.lock().retain(|(id, _)| *id != self.id);
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
    app_sink("feed", None, move |frame| {
        take(frame);
        frames.fetch_add(1, Ordering::Relaxed);
    })
}

/// A sink that hands on what arrives, at once and without a queue.
pub(super) fn app_sink(
    name: &str,
    caps: Option<&gst::Caps>,
    mut take: impl FnMut(Frame) + Send + 'static,
) -> gst::Element {
    let hand_on = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(captured) = captured(sink, &sample) {
            take(Frame {
                sample,
                captured,
                camera: None,
            });
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let sink = gst_app::AppSink::builder()
        .name(name)
        .sync(false)
        // A device that delivers nothing is noticed by its frames, not by a state change.
        .async_(false)
        .enable_last_sample(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(hand_on)
                .build(),
        );
    let sink = match caps {
        Some(caps) => sink.caps(caps),
        None => sink,
    };
    sink.build().upcast()
}

/// The time at which a sample was captured, on the monotonic system clock.
fn captured(sink: &gst_app::AppSink, sample: &gst::Sample) -> Option<gst::ClockTime> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    Some(sink.base_time()? + segment.to_running_time(sample.buffer()?.pts())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::devices::{CameraMode, OwnH264, PixelFormat};

    fn frame(ms: u64) -> Frame {
        Frame {
            sample: gst::Sample::builder().build(),
            captured: gst::ClockTime::from_mseconds(ms),
            camera: None,
        }
    }

    #[test]
    fn who_comes_later_takes_over_with_its_first_frame() {
        gst::init().expect("GStreamer starts");
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
            let admitted = turns[turn].admits(&frame(at));
            assert_eq!(admitted, seen, "{turn} at {at} ms");
        }
        // One that goes on after all, because its successor was given up.
        turns[0].renew();
        assert!(turns[0].admits(&frame(70)) && !turns[3].admits(&frame(140)));
    }

    #[test]
    fn what_a_camera_encoded_is_seen_while_its_frames_are() {
        gst::init().expect("GStreamer starts");
        let feed = Arc::new(Feed::default());
        let seen = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&seen);
        let attached = feed.attach_encoded(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let source = gst::ElementFactory::make("v4l2src").build();
        let own = OwnH264 {
            mode: CameraMode {
                format: PixelFormat::H264,
                width: 640,
                height: 480,
                fps: (30, 1),
            },
            force_key: true,
            distance: None,
        };
        let source = source.expect("it is here");
        let camera = Arc::new(CameraEncoder::of_device(&source, "/dev/video0", &own));
        let sees = |turn: &Turn| {
            let before = seen.load(Ordering::Relaxed);
            turn.publish_encoded(&Encoded {
                sample: gst::Sample::builder().build(),
                captured: gst::ClockTime::ZERO,
                key: true,
                camera: Arc::clone(&camera),
            });
            seen.load(Ordering::Relaxed) > before
        };
        let (_stand_in, first, second) = (feed.turn(), feed.turn(), feed.turn());
        assert!(!sees(&first), "it has shown no frame");
        let own_frame = |ms| Frame {
            camera: Some(Arc::clone(&camera)),
            ..frame(ms)
        };
        first.publish(own_frame(10));
        assert!(sees(&first) && !sees(&second));
        assert!(feed.camera().is_some());
        // It is told to be the last, while the other one begins.
        first.renew();
        assert!(sees(&first));
        second.renew();
        second.publish(frame(20));
        assert!(!sees(&first) && feed.camera().is_none());
        drop(attached);
        assert!(!sees(&second));
    }
}
