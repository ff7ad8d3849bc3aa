//! The queue for the network: sound goes first, and a picture that waited too long is not sent.

use std::collections::VecDeque;
use std::time::Duration;

use super::flv::Packet;

/// Age from which on a picture is dropped, with all that depend on it.
pub(super) const OLD_PICTURE: Duration = Duration::from_millis(500);
/// Age from which on sound is dropped.
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

#[derive(Debug, Default)]
pub(super) struct SendQueue {
    sound: VecDeque<Tag>,
    picture: VecDeque<Tag>,
    needs_key: bool,
    dropped: u64,
}

impl SendQueue {
    /// Adds a tag; one of the picture that cannot be decoded any more is dropped.
    pub(super) fn push(&mut self, tag: Tag) {
        match tag.track {
            Track::Sound => self.sound.push_back(tag),
            Track::Picture => {
                self.needs_key &= tag.packet != Packet::Media { key: true };
                if self.needs_key && tag.is_media() {
                    self.dropped += 1;
                } else {
                    self.picture.push_back(tag);
                }
            }
        }
    }

    /// The next tag to send.
    pub(super) fn pop(&mut self) -> Option<Tag> {
        self.sound.pop_front().or_else(|| self.picture.pop_front())
    }

    /// Drops what is too old at `now`. Of pictures the rest of the group of pictures goes too,
    /// unless a newer key frame waits already.
    pub(super) fn expire(&mut self, now: Duration) {
        let age = |tag: &Tag| now.saturating_sub(tag.captured);
        let before = self.sound.len() + self.picture.len();
        self.sound
            .retain(|tag| !tag.is_media() || age(tag) <= OLD_SOUND);
        let old = |tag: &Tag| tag.is_media() && age(tag) > OLD_PICTURE;
        if self.picture.iter().any(old) {
            let key = Packet::Media { key: true };
            let fresh_key = |tag: &Tag| tag.packet == key && age(tag) <= OLD_PICTURE;
            let keep_from = self.picture.iter().rposition(fresh_key);
            self.needs_key = keep_from.is_none();
            let keep_from = keep_from.unwrap_or(self.picture.len());
            let mut index = 0;
            self.picture.retain(|tag| {
                index += 1;
                index > keep_from || !tag.is_media()
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
        self.sound
            .iter()
            .chain(&self.picture)
            .map(|tag| tag.bytes.len() as u64)
            .sum()
    }

    /// Age of the oldest tag.
    pub(super) fn oldest(&self, now: Duration) -> Duration {
        let media = self
            .sound
            .iter()
            .chain(&self.picture)
            .filter(|tag| tag.is_media());
        media
            .map(|tag| now.saturating_sub(tag.captured))
            .max()
            .unwrap_or_default()
    }

    /// Age of the oldest picture.
    pub(super) fn oldest_picture(&self, now: Duration) -> Duration {
        let media = self.picture.iter().find(|tag| tag.is_media());
        media.map_or(Duration::ZERO, |tag| now.saturating_sub(tag.captured))
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

    fn queue(tags: impl IntoIterator<Item = Tag>) -> SendQueue {
        let mut queue = SendQueue::default();
        for tag in tags {
            queue.push(tag);
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
        all.push(picture(433));
        all.push(config());
        assert_eq!(all.dropped(), 4);
        all.push(key(466));
        all.push(picture(500));
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
}
