//! The meeting place of publishers and players: the streams of the relay.
//!
//! A publisher's own task puts each message into the queues of its players, so media passes
//! through no other task. Locks are held for a few copies of reference counts, never across
//! an await.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cache::{Cache, CacheLimits};
use super::media::Media;
use super::player::{Player, lock};
use super::publisher::Publisher;
use super::queue::{PlayerQueue, QueueLimits};
use super::status::StreamStatus;
use super::user::User;
use crate::server::budget::{Budget, Share};

/// A group of pictures in bytes that is given up for want of memory alone, and not when memory is
/// scarce: two seconds at 4 Mbit/s.
const SMALL_GOP: usize = 1 << 20;

/// Bounds of the hub.
#[derive(Debug, Clone)]
pub(super) struct HubLimits {
    pub(super) streams: usize,
    /// Memory of all caches and queues.
    pub(super) media: Budget,
    pub(super) cache: CacheLimits,
    pub(super) queue: QueueLimits,
    /// A publisher silent for longer gives way to a new one.
    pub(super) publisher_stale: Duration,
}

/// The reason for which a publisher or player is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HubRefusal {
    #[error("the stream is already being published")]
    AlreadyPublished,
    #[error("the relay carries {0} streams already")]
    TooManyStreams(usize),
}

/// All streams of the relay.
#[derive(Debug)]
pub(super) struct Hub {
    limits: HubLimits,
    streams: Mutex<HashMap<String, Arc<Stream>>>,
}

/// A stream that is published, waited for, or both.
#[derive(Debug)]
struct Stream {
    id: String,
    inner: Mutex<Inner>,
}

/// The changing part of a stream.
#[derive(Debug)]
struct Inner {
    publisher: Option<Publisher>,
    /// Start of the time without a publisher.
    vacant_since: Instant,
    cache: Cache,
    /// The memory of the cache and of all queues.
    memory: Share,
    players: Vec<Arc<Player>>,
    /// Newest time stamp handed out, and when: a returning publisher continues there.
    timeline: Option<(u32, Instant)>,
    /// Counts the publishers of this stream.
    epoch: u64,
}

impl Hub {
    pub(super) fn new(limits: HubLimits) -> Self {
        Self {
            limits,
            streams: Mutex::new(HashMap::new()),
        }
    }

    /// Lets `user` publish `id`. `unix_now` is only for the status.
    pub(super) fn publish(
        self: &Arc<Self>,
        id: &str,
        user: User,
        unix_now: u64,
    ) -> Result<Publication, HubRefusal> {
        let now = Instant::now();
        let mut streams = lock(&self.streams);
        let stream = self.stream(&mut streams, id, now)?;
        let mut inner = lock(&stream.inner);
        if let Some(current) = &inner.publisher {
            if current.silent(now) <= self.limits.publisher_stale {
                return Err(HubRefusal::AlreadyPublished);
            }
            log::info!(stream = id, peer:% = current.user.addr; "a silent publisher gives way");
            current.cancel.cancel();
        }
        let resume = inner.timeline.filter(|_| !inner.players.is_empty());
        let publisher = Publisher::new(user, unix_now, resume, now);
        let cancel = publisher.cancel.clone();
        inner.publisher = Some(publisher);
        inner.epoch += 1;
        let epoch = inner.epoch;
        inner.cache.clear();
        for player in &inner.players {
            player.ended.store(false, Ordering::Relaxed);
            lock(&player.queue).restart();
            player.wake.notify_one();
        }
        drop(inner);
        Ok(Publication {
            hub: Arc::clone(self),
            stream,
            cancel,
            epoch,
            ended: false,
        })
    }

    /// Lets `user` play `id`, whether or not anybody publishes it yet.
    pub(super) fn play(self: &Arc<Self>, id: &str, user: User) -> Result<Subscription, HubRefusal> {
        let now = Instant::now();
        let mut streams = lock(&self.streams);
        let stream = self.stream(&mut streams, id, now)?;
        let mut inner = lock(&stream.inner);
        let queue = PlayerQueue::new(self.limits.queue, inner.cache.burst(), now);
        let player = Arc::new(Player {
            user,
            cancel: CancellationToken::new(),
            queue: Mutex::new(queue),
            ended: AtomicBool::new(false),
            wake: Notify::new(),
            bytes_out: AtomicU64::new(0),
        });
        inner.players.push(Arc::clone(&player));
        drop(inner);
        Ok(Subscription {
            hub: Arc::clone(self),
            stream,
            player,
        })
    }

    pub(super) fn status(&self, id: &str) -> Option<StreamStatus> {
        let stream = lock(&self.streams).get(id).cloned();
        stream.map(|stream| stream.status(Instant::now()))
    }

    pub(super) fn statuses(&self) -> Vec<StreamStatus> {
        let streams: Vec<_> = lock(&self.streams).values().cloned().collect();
        let now = Instant::now();
        let mut all: Vec<_> = streams.iter().map(|stream| stream.status(now)).collect();
        all.sort_by(|a, b| a.stream_id.cmp(&b.stream_id));
        all
    }

    /// The streams that a user publishes.
    pub(super) fn published_by(&self, user: &str) -> Vec<String> {
        let streams = lock(&self.streams);
        let theirs = streams.values().filter(|stream| {
            let inner = lock(&stream.inner);
            inner
                .publisher
                .as_ref()
                .is_some_and(|publisher| publisher.user.id == user)
        });
        theirs.map(|stream| stream.id.clone()).collect()
    }

    /// Disconnects the players of a stream for whom `stays` does not hold.
    pub(super) fn end_plays(&self, id: &str, stays: impl Fn(&str) -> bool) {
        let Some(stream) = lock(&self.streams).get(id).cloned() else {
            return;
        };
        // The one that judges has locks of its own: none of ours is held meanwhile.
        let players = lock(&stream.inner).players.clone();
        for player in players {
            if !stays(&player.user.id) {
                log::info!(stream = id, user = player.user.id.as_str(), peer:% = player.user.addr; "the right to play ended");
                player.cancel.cancel();
            }
        }
    }

    /// Disconnects the publisher of a stream unless `stays` holds for its owner.
    pub(super) fn end_publish(&self, id: &str, stays: impl Fn(&str) -> bool) {
        let Some(stream) = lock(&self.streams).get(id).cloned() else {
            return;
        };
        let inner = lock(&stream.inner);
        let ended = inner
            .publisher
            .as_ref()
            .filter(|publisher| !stays(&publisher.user.id));
        if let Some(publisher) = ended {
            log::info!(stream = id, user = publisher.user.id.as_str(), peer:% = publisher.user.addr; "the right to publish ended");
            publisher.cancel.cancel();
        }
    }

    fn stream(
        &self,
        streams: &mut HashMap<String, Arc<Stream>>,
        id: &str,
        now: Instant,
    ) -> Result<Arc<Stream>, HubRefusal> {
        if let Some(stream) = streams.get(id) {
            return Ok(Arc::clone(stream));
        }
        if streams.len() >= self.limits.streams {
            return Err(HubRefusal::TooManyStreams(self.limits.streams));
        }
        let stream = Arc::new(Stream {
            id: id.to_owned(),
            inner: Mutex::new(Inner {
                publisher: None,
                vacant_since: now,
                cache: Cache::new(self.limits.cache),
                memory: self.limits.media.share(),
                players: Vec::new(),
                timeline: None,
                epoch: 0,
            }),
        });
        streams.insert(id.to_owned(), Arc::clone(&stream));
        Ok(stream)
    }

    /// Changes a stream and forgets it when nobody uses it any more.
    fn leave(&self, stream: &Stream, change: impl FnOnce(&mut Inner)) {
        let mut streams = lock(&self.streams);
        let mut inner = lock(&stream.inner);
        change(&mut inner);
        if inner.publisher.is_none() && inner.players.is_empty() {
            streams.remove(&stream.id);
        }
    }
}

impl Inner {
    /// Keeps what the memory is enough for. Late players give way first, and where memory is scarce
    /// those of long groups before all others: `waiting` bytes are in the queues.
    fn bound(&mut self, waiting: usize, now: Instant) {
        if self.cache.bytes() > SMALL_GOP && self.memory.is_scarce() {
            self.cache.give_up();
        }
        if self.memory.set(self.cache.bytes() + waiting) {
            return;
        }
        self.cache.give_up();
        if self.memory.set(waiting) {
            return;
        }
        let mut bytes = 0;
        for player in &self.players {
            let mut queue = lock(&player.queue);
            queue.give_up(now);
            bytes += queue.bytes();
        }
        // Headers and the newest pictures are few; they are counted where there is space again.
        let _ = self.memory.set(bytes);
    }
}

impl Stream {
    fn status(&self, now: Instant) -> StreamStatus {
        let inner = lock(&self.inner);
        let publisher = inner.publisher.as_ref();
        StreamStatus {
            stream_id: self.id.clone(),
            publisher: publisher.map(|publisher| publisher.status(&inner.cache, now)),
            players: inner.players.iter().map(|p| p.status()).collect(),
        }
    }
}

/// The right to publish a stream; ends when dropped.
#[derive(Debug)]
pub(super) struct Publication {
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    cancel: CancellationToken,
    epoch: u64,
    ended: bool,
}

impl Publication {
    pub(super) fn id(&self) -> &str {
        &self.stream.id
    }

    /// Cancelled when the publisher is kicked out or replaced.
    pub(super) fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Hands one message to all players.
    pub(super) fn push(&self, mut media: Media) {
        let now = Instant::now();
        let mut inner = lock(&self.stream.inner);
        let inner = &mut *inner;
        let Some(publisher) = inner
            .publisher
            .as_mut()
            .filter(|_| inner.epoch == self.epoch)
        else {
            return;
        };
        publisher.take(&mut media, now);
        if !media.part.is_header() {
            inner.timeline = Some((media.timestamp, now));
        }
        if let Some(lack) = inner.cache.add(&media)
            && publisher.complain()
        {
            let (stream, peer) = (self.id(), publisher.user.addr);
            log::warn!(stream, peer:%, reason:% = lack; "late players wait for the next key frame");
        }
        let mut waiting = 0;
        for player in &inner.players {
            let mut queue = lock(&player.queue);
            queue.push(media.clone(), now);
            waiting += queue.bytes();
            player.wake.notify_one();
        }
        inner.bound(waiting, now);
    }

    /// The publisher said goodbye: players are told at once, not after waiting for its return.
    pub(super) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.hub.leave(&self.stream, |inner| {
            if inner.epoch != self.epoch {
                return;
            }
            inner.publisher = None;
            inner.vacant_since = Instant::now();
            inner.cache.clear();
            for player in &inner.players {
                player.ended.store(self.ended, Ordering::Relaxed);
                player.wake.notify_one();
            }
        });
    }
}

/// A place among the players of a stream; given up when dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    player: Arc<Player>,
}

/// Whether media can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Publishing,
    /// Nobody publishes since then; `ended` when the last publisher said goodbye.
    Vacant {
        since: Instant,
        ended: bool,
    },
}

impl Subscription {
    pub(super) fn id(&self) -> &str {
        &self.stream.id
    }

    /// Cancelled when the player is kicked out.
    pub(super) fn cancelled(&self) -> &CancellationToken {
        &self.player.cancel
    }

    /// Waits until there may be something new: media, or a change of presence.
    pub(super) async fn wait(&self) {
        self.player.wake.notified().await;
    }

    pub(super) fn pop(&self) -> Option<Media> {
        lock(&self.player.queue).pop()
    }

    pub(super) fn presence(&self) -> Presence {
        let inner = lock(&self.stream.inner);
        match inner.publisher {
            Some(_) => Presence::Publishing,
            None => Presence::Vacant {
                since: inner.vacant_since,
                ended: self.player.ended.load(Ordering::Relaxed),
            },
        }
    }

    /// Counts bytes written to the player.
    pub(super) fn written(&self, bytes: usize) {
        self.player
            .bytes_out
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.leave(&self.stream, |inner| {
            inner
                .players
                .retain(|player| !Arc::ptr_eq(player, &self.player));
        });
    }
}
