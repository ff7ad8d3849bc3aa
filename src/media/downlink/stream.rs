//! One connection at work: messages of the relay through the demuxer into a branch for each track.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::branch::Branch;
use super::fault::Fault;
use super::outlets::{Outlets, now};
use super::source::Source;
use crate::media::error::MediaError;
use crate::media::pipeline::BusEvent;
use crate::protocol::flv::{Demuxer, FlvEvent, Packet, Track};
use crate::protocol::rtmp::{Message, PlayEvent};

/// Waits before sound whose decoding failed is tried again: the first, and the longest.
const SOUND_AGAIN: Duration = Duration::from_secs(1);
const SOUND_AGAIN_AT_MOST: Duration = Duration::from_secs(30);

/// Time between two pipelines for one track, and between two reasons for which it is not played: a
/// stream that changes with each packet must not cost more than one that plays.
const APART: Duration = Duration::from_millis(500);

/// News for the player.
#[derive(Debug)]
pub(super) enum Told {
    /// A track is not played, for this reason.
    Unplayable(Track, String),
    /// An element complains.
    Warning { element: String, message: String },
}

/// The branch of one track, and what it needs to come back.
#[derive(Debug, Default)]
struct Slot {
    branch: Option<Branch>,
    failures: u32,
    /// The time before which no branch is made.
    not_before: Option<Instant>,
    /// The time before which no reason is told.
    silent_until: Option<Instant>,
    /// The track was named as one that is not played.
    named: bool,
}

/// One connection and the branches behind it.
pub(super) struct Stream {
    source: Source,
    demuxer: Demuxer,
    outlets: Outlets,
    picture: Slot,
    sound: Slot,
    /// Reused for each message.
    events: Vec<FlvEvent>,
    told: Vec<Told>,
}

impl Stream {
    /// `largest` is the size of picture that is still shown, in pixels.
    pub(super) fn new(source: Source, outlets: Outlets, largest: (u32, u32)) -> Self {
        Self {
            source,
            demuxer: Demuxer::new(largest),
            outlets,
            picture: Slot::default(),
            sound: Slot::default(),
            events: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Whether the server has accepted us.
    pub(super) fn is_connected(&self) -> bool {
        self.source.is_connected()
    }

    /// Plays until there is news; safe to cancel.
    ///
    /// # Errors
    /// The fault that ends this connection.
    pub(super) async fn next(&mut self) -> Result<Told, Fault> {
        loop {
            if !self.told.is_empty() {
                return Ok(self.told.remove(0));
            }
            let Self {
                source,
                picture,
                sound,
                ..
            } = self;
            tokio::select! {
                event = source.next() => match event? {
                    PlayEvent::Accepted => {}
                    PlayEvent::Ended => return Err(Fault::Ended),
                    PlayEvent::Media(message) => self.take(message)?,
                },
                event = picture.next_event() => match event {
                    BusEvent::Error(error) => return Err(error.into()),
                    BusEvent::Warning { element, message } => {
                        return Ok(Told::Warning { element, message });
                    }
                    BusEvent::Eos => {}
                },
                event = sound.next_event() => match event {
                    BusEvent::Error(error) => return Ok(self.sound_failed(&error)),
                    BusEvent::Warning { element, message } => {
                        return Ok(Told::Warning { element, message });
                    }
                    BusEvent::Eos => {}
                },
            }
        }
    }

    /// Sound that cannot be decoded costs itself: the picture goes on, and a new branch is tried.
    fn sound_failed(&mut self, error: &MediaError) -> Told {
        let slot = &mut self.sound;
        slot.branch = None;
        let wait = SOUND_AGAIN * (1 << slot.failures.min(10));
        slot.not_before = Some(Instant::now() + wait.min(SOUND_AGAIN_AT_MOST));
        slot.failures += 1;
        slot.named = true;
        let reason = error.to_string();
        self.outlets.arrivals.refuse(Track::Sound, &reason);
        Told::Unplayable(Track::Sound, reason)
    }

    fn take(&mut self, message: Message) -> Result<(), Fault> {
        let arrivals = Arc::clone(&self.outlets.arrivals);
        let bytes = message.payload.len() as u64;
        arrivals.bytes.fetch_add(bytes, Relaxed);
        let (kind, stamp) = (message.kind, message.timestamp);
        let mut events = std::mem::take(&mut self.events);
        self.demuxer
            .take(kind, stamp, message.payload, now(), &mut events);
        let mut played = Ok(());
        for event in events.drain(..) {
            match event {
                FlvEvent::Packet(packet) => {
                    count(&packet, &arrivals);
                    if let Err(error) = self.play(packet) {
                        played = Err(error.into());
                    }
                }
                FlvEvent::Passed(track, reason) => {
                    arrivals.passed.fetch_add(1, Relaxed);
                    if let Some(reason) = reason {
                        self.refuse(track, reason);
                    }
                }
            }
        }
        self.events = events;
        played
    }

    fn refuse(&mut self, track: Track, reason: String) {
        self.outlets.arrivals.refuse(track, &reason);
        let slot = match track {
            Track::Picture => &mut self.picture,
            Track::Sound => &mut self.sound,
        };
        slot.named = true;
        if is_past(slot.silent_until) {
            slot.silent_until = Some(Instant::now() + APART);
            self.told.push(Told::Unplayable(track, reason));
        }
    }

    /// Gives a packet to its branch, which is made first if need be.
    fn play(&mut self, packet: Packet) -> Result<(), MediaError> {
        let outlets = &self.outlets;
        let slot = match packet.track {
            Track::Picture => &mut self.picture,
            Track::Sound => &mut self.sound,
        };
        let fits = |branch: &Branch| branch.fits(&packet);
        if !slot.branch.as_ref().is_some_and(fits) {
            if !is_past(slot.not_before) {
                return Ok(());
            }
            slot.branch = Some(Branch::start(&packet, outlets)?);
            outlets.arrivals.passage.excuse(now());
            slot.not_before = Some(Instant::now() + APART);
        }
        if std::mem::take(&mut slot.named) {
            outlets.arrivals.plays(packet.track);
        }
        if let Some(branch) = &mut slot.branch {
            branch.push(packet);
        }
        Ok(())
    }

    /// Ends both branches and the connection.
    pub(super) async fn stop(self) {
        for slot in [self.picture, self.sound] {
            if let Some(branch) = slot.branch {
                branch.stop().await;
            }
        }
    }
}

impl Slot {
    async fn next_event(&mut self) -> BusEvent {
        match &mut self.branch {
            Some(branch) => branch.next_event().await,
            None => std::future::pending().await,
        }
    }
}

fn is_past(time: Option<Instant>) -> bool {
    time.is_none_or(|time| Instant::now() >= time)
}

/// Notes that a packet has come.
fn count(packet: &Packet, arrivals: &Arrivals) {
    let bytes = packet.data.len() as u64;
    match packet.track {
        Track::Picture => {
            let passage = &arrivals.passage;
            passage.picture_arrived(now(), packet.decode, packet.show);
            let newest = packet.decode.max(0).unsigned_abs() / 1000;
            arrivals.newest_ms.store(newest, Relaxed);
            arrivals.keys.fetch_add(u64::from(packet.key), Relaxed);
            arrivals.video.fetch_add(1, Relaxed);
            arrivals.picture_bytes.fetch_add(bytes, Relaxed);
        }
        Track::Sound => {
            arrivals.passage.sound_arrived(now(), packet.show);
            arrivals.audio.fetch_add(1, Relaxed);
            arrivals.sound_bytes.fetch_add(bytes, Relaxed);
        }
    }
}
