//! Hands tags to the RTMP element, but never more than the kernel may hold: what it has cannot
//! be taken back, and on a slow link it takes megabytes.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::Notify;

use super::queue::{SendQueue, Tag};
use super::stages::{Point, Stages};
use crate::media::lock::lock;

/// Time that a picture may wait before no more of it is encoded.
const PICTURE_WAITS: Duration = Duration::from_millis(150);
/// Bytes that the kernel may hold before anything is known of the connection: our choice.
const FIRST_ALLOWANCE: u64 = 64 * 1024;

#[derive(Debug)]
struct State {
    queue: SendQueue,
    /// Bytes that the kernel had at the last look, and those handed on since.
    held: u64,
    allowance: u64,
    /// Longest queue since the last figures.
    longest: usize,
}

impl State {
    fn is_full(&self) -> bool {
        self.held >= self.allowance
    }
}

/// The last queue before the network.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    tags: gst_app::AppSrc,
    /// Something waits that did not wait before: the kernel should be looked at soon.
    pub(super) waits: Notify,
    pub(super) stages: Stages,
}

/// Media that waits on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Waiting {
    pub(super) bytes: u64,
    pub(super) oldest: Duration,
    /// A key frame can be sent and must be, or the picture stands still.
    pub(super) wants_key: bool,
}

/// Figures of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Tags at most.
    pub(super) longest: usize,
    /// Tags since the start of the connection.
    pub(super) dropped: u64,
}

impl Outbox {
    pub(super) fn new(tags: gst_app::AppSrc) -> Self {
        let state = State {
            queue: SendQueue::default(),
            held: 0,
            allowance: FIRST_ALLOWANCE,
            longest: 0,
        };
        Self {
            state: Mutex::new(state),
            tags,
            waits: Notify::new(),
            stages: Stages::default(),
        }
    }

    /// Sends a tag, or keeps it until there is room for it.
    pub(super) fn put(&self, tag: Tag) {
        let now = self.now();
        self.pass(&tag, Point::Encoded, now);
        let mut state = self.state();
        state.queue.push(tag, now);
        state.queue.expire(now);
        self.send(&mut state, now);
        if state.queue.len() > 0 {
            self.waits.notify_one();
        }
    }

    /// Takes note of what the kernel holds and may hold, and sends what there is room for.
    pub(super) fn settle(&self, kernel: u64, allowance: u64) -> Waiting {
        let now = self.now();
        let mut state = self.state();
        state.held = kernel + self.tags.current_level_bytes();
        state.allowance = allowance;
        state.queue.expire(now);
        self.send(&mut state, now);
        Waiting {
            bytes: state.queue.bytes() + self.tags.current_level_bytes(),
            oldest: state.queue.oldest(now),
            wants_key: state.queue.needs_key() && !state.is_full(),
        }
    }

    /// Whether a picture encoded now would only wait.
    pub(super) fn holds_picture(&self) -> bool {
        let now = self.now();
        let state = self.state();
        let blocked = state.queue.needs_key() && state.is_full();
        blocked || state.queue.oldest_picture(now) > PICTURE_WAITS
    }

    pub(super) fn tally(&self) -> Tally {
        let mut state = self.state();
        Tally {
            longest: std::mem::replace(&mut state.longest, 0),
            dropped: state.queue.dropped(),
        }
    }

    fn send(&self, state: &mut State, now: Duration) {
        state.longest = state.longest.max(state.queue.len());
        while !state.is_full()
            && let Some(tag) = state.queue.pop()
        {
            self.pass(&tag, Point::Sent, now);
            state.held += tag.bytes.len() as u64;
            let time = gst::ClockTime::try_from(tag.captured).ok();
            let mut buffer = gst::Buffer::from_mut_slice(tag.bytes);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(time);
            }
            // Refused only while the pipeline stops: whoever stops it knows.
            let _ = self.tags.push_buffer(buffer);
        }
    }

    /// Notes the age of media at a point of their way.
    fn pass(&self, tag: &Tag, point: Point, now: Duration) {
        if tag.is_media() {
            let age = now.saturating_sub(tag.captured);
            self.stages.note(tag.track, point, age);
        }
    }

    fn now(&self) -> Duration {
        self.tags
            .current_running_time()
            .map_or(Duration::ZERO, Duration::from)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
