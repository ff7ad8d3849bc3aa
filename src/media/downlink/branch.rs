//! The way of one track from its packets to what is shown or heard, in a pipeline of its own.
//!
//! ```text
//! appsrc leaky ! h264parse ! H.264 decoder ! videoconvert ! appsink sync=false
//! appsrc leaky ! aacparse ! AAC decoder ! audioconvert ! audioresample ! appsink
//! ```
//! Feeding never blocks: the network is always read, so a late branch is known by its backlog and
//! cannot stop the other one. When a picture is shown and sound is played says the play-out clock
//! (see `playout`).

use std::collections::VecDeque;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app::AppSrc;
use tokio::task::JoinHandle;

use super::outlets::Outlets;
use super::{picture_chain, sound_chain};
use crate::media::error::MediaError;
use crate::media::pipeline::{BusEvent, Pipeline};
use crate::protocol::flv::{Packet, Track};

/// Packets and bytes that wait while a pipeline starts: more than a relay replays on joining, which may
/// be a minute.
const MOST_WAITING: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

/// A pipeline, or one that is on its way to PLAYING.
#[derive(Debug)]
enum State {
    Starting(JoinHandle<(Pipeline, Result<bool, MediaError>)>),
    Running(Pipeline),
}

/// One track at work; dropping it stops it.
#[derive(Debug)]
pub(super) struct Branch {
    track: Track,
    feed: AppSrc,
    state: State,
    waiting: VecDeque<gst::Sample>,
    waiting_bytes: usize,
    caps: gst::Caps,
    /// The header that `caps` are of.
    config: Bytes,
    /// The next packet is the first one, or the first after some that were dropped.
    gap: bool,
}

impl Branch {
    /// Builds the branch for a track that begins with `packet`, and starts it.
    ///
    /// # Errors
    /// `Build` when an element cannot be made.
    pub(super) fn start(packet: &Packet, outlets: &Outlets) -> Result<Self, MediaError> {
        let (name, chain) = match packet.track {
            Track::Picture => ("picture", picture_chain::build(outlets)?),
            Track::Sound => ("sound", sound_chain::build(outlets)?),
        };
        let mut pipeline = Pipeline::new(name);
        pipeline.chain(&chain.elements)?;
        let starting = tokio::spawn(async move {
            let started = pipeline.start().await;
            (pipeline, started)
        });
        Ok(Self {
            track: packet.track,
            feed: chain.feed,
            state: State::Starting(starting),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            caps: caps(packet),
            config: packet.config.clone(),
            gap: true,
        })
    }

    /// Whether this branch can play on with packets of another header. A parser of H.264 takes new
    /// ones as they come, decoders of AAC are made anew.
    pub(super) fn fits(&self, packet: &Packet) -> bool {
        self.track == Track::Picture || self.config == packet.config
    }

    /// Gives it a packet.
    pub(super) fn push(&mut self, packet: Packet) {
        if self.config != packet.config {
            self.caps = caps(&packet);
            self.config = packet.config.clone();
        }
        let gap = std::mem::take(&mut self.gap) || packet.gap;
        let sample = gst::Sample::builder()
            .buffer(&buffer(packet, gap))
            .caps(&self.caps)
            .build();
        match self.state {
            State::Running(_) => self.feed(&sample),
            State::Starting(_) => self.wait(sample),
        }
    }

    fn feed(&self, sample: &gst::Sample) {
        // Refused only while the pipeline stops or has failed: its bus tells.
        let _ = self.feed.push_sample(sample);
    }

    fn wait(&mut self, sample: gst::Sample) {
        let size = sample.buffer().map_or(0, gst::BufferRef::size);
        if self.waiting.len() == MOST_WAITING || self.waiting_bytes + size > MOST_BYTES {
            self.waiting.clear();
            self.waiting_bytes = 0;
            self.gap = true;
            return;
        }
        self.waiting_bytes += size;
        self.waiting.push_back(sample);
    }

    /// The next event; safe to cancel.
    pub(super) async fn next_event(&mut self) -> BusEvent {
        loop {
            match &mut self.state {
                State::Running(pipeline) => return pipeline.next_event().await,
                State::Starting(starting) => {
                    let (pipeline, started) = match starting.await {
                        Ok(ended) => ended,
                        Err(error) => {
                            // It panicked; there is nothing to wait for any more.
                            self.state = State::Running(Pipeline::new("failed"));
                            return BusEvent::Error(MediaError::Build(error.to_string()));
                        }
                    };
                    self.state = State::Running(pipeline);
                    if let Err(error) = started {
                        return BusEvent::Error(error);
                    }
                    for sample in std::mem::take(&mut self.waiting) {
                        self.feed(&sample);
                    }
                }
            }
        }
    }

    /// Stops; what it held is free when this returns.
    pub(super) async fn stop(self) {
        let stopped = match self.state {
            State::Running(mut pipeline) => pipeline.stop().await,
            // Stops by itself as soon as it has started.
            State::Starting(_) => Ok(()),
        };
        if let Err(error) = stopped {
            log::warn!(error:%; "a pipeline of the player does not stop");
        }
    }
}

fn caps(packet: &Packet) -> gst::Caps {
    let config = gst::Buffer::from_slice(packet.config.clone());
    match packet.track {
        Track::Picture => picture_chain::caps(config),
        Track::Sound => sound_chain::caps(config, &packet.config),
    }
}

fn buffer(packet: Packet, gap: bool) -> gst::Buffer {
    let time = |micros: i64| gst::ClockTime::from_useconds(micros.max(0).unsigned_abs());
    let mut buffer = gst::Buffer::from_slice(packet.data);
    let fresh = buffer
        .get_mut()
        .expect("a buffer that was just made has no other owner");
    fresh.set_dts(time(packet.decode));
    fresh.set_pts(time(packet.show));
    if !packet.key {
        fresh.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    if gap {
        fresh.set_flags(gst::BufferFlags::DISCONT);
    }
    buffer
}
