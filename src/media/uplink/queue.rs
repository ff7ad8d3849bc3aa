//! The queue for the network: sound goes first, and a picture that waited too long is not sent.

use std::collections::VecDeque;
use std::time::Duration;

use super::flv::Packet;

/// Time in this queue from which on a picture is dropped, with all that depend on it. How old it came is
/// not held against it: a camera behind a link of its own is late with every picture.
pub(super) const OLD_PICTURE: Duration = Duration::from_millis(500);
/// Time in this queue from which on sound is dropped.
const OLD_SOUND: Duration = Duration::from_millis(1000);

/// A stream of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Sound,
    Picture,
}

/// A FLV tag and when its content was captured, on the clock of the leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) track: Track,
    pub(super) packet: Packet,
    pub(super) captured: Duration,
    pub(super) bytes: Vec<u8>,
}

impl Tag {
    /// A decoder that misses its configuration is lost.
    pub(super) fn is_media(&self) -> bool {
        self.packet != Packet::Config
    }
}

/// A tag that waits, since a time on the clock of the leg.
#[derive(Debug)]
struct Waiter {
    since: Duration,
    tag: Tag,
}

impl Waiter {
    /// The time that media have waited; decoder configurations never get too old.
    fn waited(&self, now: Duration) -> Option<Duration> {
        let media = self.tag.is_media();
        media.then(|| now.saturating_sub(self.since))
    }

    fn is_older(&self, now: Duration, limit: Duration) -> bool {
        self.waited(now).is_some_and(|waited| waited > limit)
    }
}

#[derive(Debug, Default)]
pub(super) struct SendQueue {
    sound: VecDeque<Waiter>,
    picture: VecDeque<Waiter>,
    needs_key: bool,
    dropped: u64,
}

impl SendQueue {
    /// Adds a tag at `now`; one of the picture that cannot be decoded any more is dropped.
    pub(super) fn push(&mut self, tag: Tag, now: Duration) {
        let waiter = |tag| Waiter { since: now, tag };
        match tag.track {
            Track::Sound => self.sound.push_back(waiter(tag)),
            Track::Picture => {
                self.needs_key &= tag.packet != Packet::Media { key: true };
                if self.needs_key && tag.is_media() {
                    self.dropped += 1;
                } else {
                    self.picture.push_back(waiter(tag));
                }
            }
        }
    }

    /// The next tag to send.
    pub(super) fn pop(&mut self) -> Option<Tag> {
        let next = self.sound.pop_front().or_else(|| self.picture.pop_front());
        next.map(|waiter| waiter.tag)
    }

    /// Drops what has waited too long at `now`. Of pictures the rest of the group of pictures goes
    /// too, unless a newer key frame waits already.
    pub(super) fn expire(&mut self, now: Duration) {
        let before = self.sound.len() + self.picture.len();
        self.sound.retain(|sound| !sound.is_older(now, OLD_SOUND));
        let old = |picture: &Waiter| picture.is_older(now, OLD_PICTURE);
        if self.picture.iter().any(old) {
            let key = Packet::Media { key: true };
            let fresh_key = |picture: &Waiter| picture.tag.packet == key && !old(picture);
            let keep_from = self.picture.iter().rposition(fresh_key);
            self.needs_key = keep_from.is_none();
            let keep_from = keep_from.unwrap_or(self.picture.len());
            let mut index = 0;
            self.picture.retain(|picture| {
                index += 1;
                index > keep_from || !picture.tag.is_media()
            });
        }
        self.dropped += (before - self.sound.len() - self.picture.len()) as u64;
    }

    /// Pictures were dropped: the next one must be a key frame.
    pub(super) fn needs_key(&self) -> bool {
        self.needs_key
    }

    /// Tags dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn len(&self) -> usize {
        self.sound.len() + self.picture.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        let all = self.sound.iter().chain(&self.picture);
        all.map(|waiter| waiter.tag.bytes.len() as u64).sum()
    }

    /// Longest time that something has waited.
    pub(super) fn oldest(&self, now: Duration) -> Duration {
        let all = self.sound.iter().chain(&self.picture);
        let waited = all.filter_map(|waiter| waiter.waited(now));
        waited.max().unwrap_or_default()
    }

    /// Longest time that a picture has waited.
    pub(super) fn oldest_picture(&self, now: Duration) -> Duration {
        let waited = |picture: &Waiter| picture.waited(now);
        self.picture.iter().find_map(waited).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn tag(track: Track, packet: Packet, millis: u64) -> Tag {
        Tag {
            track,
            packet,
            captured: MS(millis),
            bytes: vec![0; 100],
        }
    }

    fn key(millis: u64) -> Tag {
        tag(Track::Picture, Packet::Media { key: true }, millis)
    }

    fn picture(millis: u64) -> Tag {
        tag(Track::Picture, Packet::Media { key: false }, millis)
    }

    fn sound(millis: u64) -> Tag {
        tag(Track::Sound, Packet::Media { key: true }, millis)
    }

    fn config() -> Tag {
        tag(Track::Picture, Packet::Config, 0)
    }

    /// Queues a tag as soon as it is captured.
    fn push(queue: &mut SendQueue, tag: Tag) {
        let captured = tag.captured;
        queue.push(tag, captured);
    }

    fn queue(tags: impl IntoIterator<Item = Tag>) -> SendQueue {
        let mut queue = SendQueue::default();
        for tag in tags {
            push(&mut queue, tag);
        }
        queue
    }

    fn drain(mut queue: SendQueue) -> Vec<Tag> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn sound_overtakes_the_picture() {
        let all = queue([key(0), picture(33), sound(20), sound(41)]);
        assert_eq!((all.len(), all.bytes()), (4, 400));
        assert_eq!(all.oldest(MS(100)), MS(100));
        assert_eq!(drain(all), [sound(20), sound(41), key(0), picture(33)]);
    }

    #[test]
    fn what_is_young_stays() {
        let mut all = queue([config(), key(0), picture(33), sound(20)]);
        all.expire(MS(500));
        assert_eq!((all.len(), all.dropped(), all.needs_key()), (4, 0, false));
    }

    #[test]
    fn an_old_picture_takes_its_group_along() {
        let mut all = queue([config(), key(0), picture(33), picture(400), sound(20)]);
        all.expire(MS(501));
        assert!(all.needs_key());
        assert_eq!(all.dropped(), 3);
        push(&mut all, picture(433));
        push(&mut all, config());
        assert_eq!(all.dropped(), 4);
        push(&mut all, key(466));
        push(&mut all, picture(500));
        assert!(!all.needs_key());
        let expected = [sound(20), config(), config(), key(466), picture(500)];
        assert_eq!(drain(all), expected);
    }

    #[test]
    fn a_newer_key_frame_is_where_it_goes_on() {
        let mut all = queue([key(0), picture(33), key(300), picture(333)]);
        all.expire(MS(600));
        assert_eq!(
            (all.needs_key(), all.oldest_picture(MS(600))),
            (false, MS(300))
        );
        assert_eq!(drain(all), [key(300), picture(333)]);
        let mut old = queue([key(0), picture(33), key(300), picture(333)]);
        old.expire(MS(900));
        assert!(old.needs_key() && old.pop().is_none());
    }

    #[test]
    fn sound_waits_longer_than_the_picture() {
        let mut all = queue([
            tag(Track::Sound, Packet::Config, 0),
            sound(0),
            sound(21),
            key(0),
        ]);
        all.expire(MS(1010));
        assert_eq!(
            drain(all),
            [tag(Track::Sound, Packet::Config, 0), sound(21)]
        );
    }

    /// A camera whose pictures come 600 ms late, as one behind an IP link (wzyy2/gstreamer-opencv#6).
    #[test]
    fn what_came_late_has_not_waited() {
        let mut all = SendQueue::default();
        for captured in [0, 33, 66] {
            let now = MS(captured + 600);
            let tag = if captured == 0 {
                key(0)
            } else {
                picture(captured)
            };
            all.push(tag, now);
            all.expire(now);
        }
        assert_eq!((all.len(), all.dropped(), all.needs_key()), (3, 0, false));
        assert_eq!(all.oldest(MS(666)), MS(66));
        all.expire(MS(1101));
        assert_eq!((all.len(), all.dropped(), all.needs_key()), (0, 3, true));
    }
}
