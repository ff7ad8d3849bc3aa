//! Puts the pictures of one connection into its outbox: the camera's own, or our encoder's (see
//! `selector`). What is asked of the encoder goes to whom it concerns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use gstreamer as gst;
use tokio::time::Instant;

use super::counters::Meter;
use super::mutes::Mutes;
use super::queue::Track;
use super::selector::{Branch, Raw, Selector};
use super::tagger::{self, Tagger};
use crate::media::capture::{CameraEncoder, Encoded, Frame};
use crate::media::codecs::{Target, request_key};
use crate::media::congestion::{Quality, Stage};
use crate::media::lock::lock;

/// Time between two requests for a key frame that somebody waits for.
const KEY_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Switch {
    state: Mutex<State>,
    /// Whether the picture is sent as large and as often as the camera makes it.
    full: AtomicBool,
    mutes: Arc<Mutes>,
    tagger: Tagger,
    /// Our encoder.
    encoder: gst::Element,
    /// Counts the camera's pictures that were sent.
    pub(super) meter: Meter,
}

#[derive(Debug)]
struct State {
    selector: Selector,
    /// The camera that got our target.
    guided: Option<Arc<CameraEncoder>>,
    /// The branch that was asked for a key frame last.
    asked: Option<(Branch, Instant)>,
}

impl Switch {
    pub(super) fn new(
        tagger: Tagger,
        encoder: gst::Element,
        mutes: Arc<Mutes>,
        quality: Quality,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                selector: Selector::default(),
                guided: None,
                asked: None,
            }),
            full: AtomicBool::new(quality.stage == Stage::Full),
            mutes,
            tagger,
            encoder,
            meter: Meter::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The branch that should send a picture of this camera now.
    fn wanted(&self, state: &State, camera: Option<&Arc<CameraEncoder>>) -> Branch {
        let known = match (&state.guided, camera) {
            (Some(guided), Some(camera)) => Arc::ptr_eq(guided, camera),
            _ => false,
        };
        let muted = self.mutes.video.load(Ordering::Relaxed);
        if known && !muted && self.full.load(Ordering::Relaxed) {
            Branch::Camera
        } else {
            Branch::Ours
        }
    }

    /// Whether our encoder is to have a captured picture; asks it for a key frame if it must be
    /// one.
    pub(super) fn takes(&self, frame: &Frame, time: Duration) -> bool {
        let mut state = self.state();
        let wanted = self.wanted(&state, frame.camera.as_ref());
        let raw = state.selector.raw(time, wanted);
        if raw == Raw::EncodeAsKey {
            state.asked = Some((Branch::Ours, Instant::now()));
            drop(state);
            request_key(&self.encoder);
        }
        raw != Raw::Leave
    }

    /// Sends a picture that the camera encoded, if it is its turn.
    pub(super) fn send_camera(&self, encoded: &Encoded, time: gst::ClockTime) -> bool {
        // Held until it is in the outbox, so that none of the other branch gets between.
        let mut state = self.state();
        let wanted = self.wanted(&state, Some(&encoded.camera));
        let sent = state.selector.camera(time.into(), encoded.key, wanted);
        if sent {
            let bytes = encoded.sample.buffer().map_or(0, gst::BufferRef::size);
            self.meter.note(encoded.key, bytes);
            self.tagger.put(&encoded.sample, time, encoded.key);
        }
        sent
    }

    /// The end of our encoder's branch.
    pub(super) fn sink(self: &Arc<Self>) -> gst::Element {
        let switch = Arc::clone(self);
        tagger::sink(Track::Picture, move |sample| switch.send_ours(sample))
    }

    /// Sends a picture that our encoder made, if it is its turn.
    fn send_ours(&self, sample: &gst::Sample) {
        let Some(time) = tagger::running_time(sample) else {
            return;
        };
        let key = tagger::is_key(sample);
        let mut state = self.state();
        if state.selector.ours(time.into(), key) {
            self.tagger.put(sample, time, key);
        }
    }

    /// Notes what the link allows now.
    pub(super) fn set_quality(&self, from: Quality, to: Quality) {
        self.full.store(to.stage == Stage::Full, Ordering::Relaxed);
        // Never told under the lock: an encoder may hold one of its own while it hands on a picture.
        let guided = self.state().guided.clone();
        if let Some(camera) = guided.filter(|_| from.kbps != to.kbps) {
            camera.set_rate(to.kbps);
        }
    }

    /// Tells the camera `live` what is wanted of it, and asks again for a key frame that does not
    /// come.
    pub(super) fn attend(&self, live: Option<Arc<CameraEncoder>>, target: Target, now: Instant) {
        let mut state = self.state();
        let same = match (&state.guided, &live) {
            (Some(guided), Some(live)) => Arc::ptr_eq(guided, live),
            (None, None) => true,
            _ => false,
        };
        if !same {
            state.guided.clone_from(&live);
            state.asked = live.is_some().then_some((Branch::Camera, now));
            drop(state);
            if let Some(camera) = live {
                camera.set_target(target);
                camera.request_key();
            }
            return;
        }
        let Some(branch) = state.selector.waits() else {
            return;
        };
        let recent =
            |(asked, at): (Branch, Instant)| asked == branch && now.duration_since(at) < KEY_AGAIN;
        if !state.asked.is_some_and(recent) {
            state.asked = Some((branch, now));
            drop(state);
            self.request_key_of(branch);
        }
    }

    /// Asks whoever sends for a key frame.
    pub(super) fn request_key(&self) {
        let feeds = self.state().selector.feeds();
        self.request_key_of(feeds.unwrap_or(Branch::Ours));
    }

    fn request_key_of(&self, branch: Branch) {
        let guided = self.state().guided.clone();
        match (branch, guided) {
            (Branch::Camera, Some(camera)) => camera.request_key(),
            _ => request_key(&self.encoder),
        }
    }

    /// Name of the camera, if it is the one that sends.
    pub(super) fn camera_name(&self) -> Option<String> {
        let state = self.state();
        let feeds = state.selector.feeds() == Some(Branch::Camera);
        let name = |camera: &Arc<CameraEncoder>| camera.name().to_owned();
        state.guided.as_ref().filter(|_| feeds).map(name)
    }

    /// Whether somebody sends.
    pub(super) fn feeds(&self) -> bool {
        self.state().selector.feeds().is_some()
    }
}
