//! The queue of one player: bounded in bytes and time, and cut at whole GOPs.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::media::{Media, Part};

/// Bounds of one player's queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    pub(super) bytes: usize,
    /// Longest wait of the oldest message.
    pub(super) time: Duration,
}

/// Messages for one player, oldest first.
#[derive(Debug)]
pub(super) struct PlayerQueue {
    limits: QueueLimits,
    items: VecDeque<(Instant, Media)>,
    cost: usize,
    /// Part of the cost that is the burst a late player starts with: not held against it.
    burst: usize,
    /// The player has had its burst and all that came meanwhile. Before that, waiting costs it
    /// nothing but what it could have instead.
    caught_up: bool,
    /// Pictures are useless until the next key frame.
    wait_for_key: bool,
    dropped_gops: u64,
}

impl PlayerQueue {
    /// Starts with the burst that the player needs first, however long it is.
    pub(super) fn new<'a>(
        limits: QueueLimits,
        burst: impl Iterator<Item = &'a Media>,
        now: Instant,
    ) -> Self {
        let items: VecDeque<_> = burst.map(|media| (now, media.clone())).collect();
        let cost = items.iter().map(|(_, media)| media.cost()).sum();
        Self {
            limits,
            wait_for_key: !items.iter().any(|(_, media)| media.part == Part::KeyFrame),
            caught_up: items.is_empty(),
            items,
            cost,
            burst: cost,
            dropped_gops: 0,
        }
    }

    /// Adds a message, dropping whole GOPs when the player is too slow for it.
    pub(super) fn push(&mut self, media: Media, now: Instant) {
        match media.part {
            Part::KeyFrame => self.wait_for_key = false,
            Part::InterFrame if self.wait_for_key => return,
            _ => {}
        }
        self.cost += media.cost();
        self.items.push_back((now, media));
        if self.overdue(now) {
            self.drop_gops(now);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Media> {
        let (_, media) = self.items.pop_front()?;
        self.cost -= media.cost();
        self.burst = self.burst.saturating_sub(media.cost());
        self.caught_up |= self.items.is_empty();
        Some(media)
    }

    /// A new publisher starts: the player needs a key frame of it.
    pub(super) fn restart(&mut self) {
        self.wait_for_key = true;
    }

    /// Keeps only the newest whole group of pictures.
    pub(super) fn give_up(&mut self, now: Instant) {
        self.drop_gops(now);
    }

    pub(super) fn bytes(&self) -> usize {
        self.cost
    }

    pub(super) fn dropped_gops(&self) -> u64 {
        self.dropped_gops
    }

    fn overdue(&self, now: Instant) -> bool {
        let mut media = self
            .items
            .iter()
            .filter(|(_, media)| !media.part.is_header());
        let waited = media.next().map(|(queued, _)| now.duration_since(*queued));
        // A single message is never too much: some pictures are larger than a small limit.
        let too_much = self.cost - self.burst > self.limits.bytes && self.items.len() > 1;
        let too_late = waited.is_some_and(|time| time > self.limits.time);
        too_much || (too_late && (self.caught_up || self.newest_key().is_some()))
    }

    /// The place of the newest key frame that waits, if pictures before it wait as well.
    fn newest_key(&self) -> Option<usize> {
        let is_picture = |(_, media): &(Instant, Media)| media.part.is_picture();
        let first = self.items.iter().position(is_picture)?;
        let newest = self.items.iter().rposition(is_key)?;
        (newest != first).then_some(newest)
    }

    /// Jumps to the newest key frame waiting, or to the next one to come. Of what is passed
    /// over only the last header of each kind is kept: decoding needs them.
    fn drop_gops(&mut self, now: Instant) {
        let is_picture = |(_, media): &(Instant, Media)| media.part.is_picture();
        let had_pictures = self.items.iter().any(is_picture);
        let newest = self.newest_key();
        let kept = newest.map_or_else(VecDeque::new, |at| self.items.split_off(at));
        let passed = std::mem::replace(&mut self.items, kept);
        self.wait_for_key |= newest.is_none();
        if had_pictures {
            let later_keys = passed.iter().skip_while(|item| !is_picture(item)).skip(1);
            self.dropped_gops += 1 + later_keys.filter(|item| is_key(item)).count() as u64;
        }
        for part in [Part::AudioHeader, Part::VideoHeader, Part::Metadata] {
            if let Some((_, header)) = passed.iter().rfind(|(_, media)| media.part == part) {
                self.items.push_front((now, header.clone()));
            }
        }
        self.cost = self.items.iter().map(|(_, media)| media.cost()).sum();
        self.burst = 0;
        self.caught_up = true;
    }
}

fn is_key((_, media): &(Instant, Media)) -> bool {
    media.part == Part::KeyFrame
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Part::{Audio, AudioHeader, InterFrame, KeyFrame, Metadata, VideoHeader};
    use super::*;

    const LIMITS: QueueLimits = QueueLimits {
        bytes: 10_000,
        time: Duration::from_secs(3),
    };

    /// Pushes (part, payload length, seconds) and gives what is left, GOPs dropped, cost.
    fn after(pushes: &[(Part, usize, f64)]) -> (Vec<(Part, u32)>, u64, usize) {
        let (mut queue, start) = (
            PlayerQueue::new(LIMITS, [].iter(), Instant::now()),
            Instant::now(),
        );
        for (index, (part, length, seconds)) in (0..).zip(pushes) {
            let media = Media {
                part: *part,
                kind: 0,
                timestamp: index,
                payload: Bytes::from(vec![0; *length]),
            };
            queue.push(media, start + Duration::from_secs_f64(*seconds));
        }
        let (dropped, cost) = (queue.dropped_gops(), queue.bytes());
        let left = std::iter::from_fn(|| queue.pop());
        let left = left.map(|media| (media.part, media.timestamp)).collect();
        assert_eq!(queue.bytes(), 0);
        (left, dropped, cost)
    }

    #[test]
    fn pictures_wait_for_a_key_frame_and_sound_does_not() {
        let pushes = [
            (Audio, 1, 0.),
            (InterFrame, 1, 0.),
            (KeyFrame, 1, 0.),
            (InterFrame, 1, 0.),
        ];
        let (left, dropped, _) = after(&pushes);
        assert_eq!(left, [(Audio, 0), (KeyFrame, 2), (InterFrame, 3)]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn too_many_bytes_drop_whole_gops_and_keep_headers() {
        let pushes = [
            (Metadata, 1, 0.),
            (VideoHeader, 1, 0.),
            (AudioHeader, 1, 0.),
            (KeyFrame, 3000, 0.),
            (InterFrame, 3000, 0.),
            (KeyFrame, 1000, 0.),
            (Audio, 10, 0.),
            (VideoHeader, 1, 0.),
            (KeyFrame, 1000, 0.),
            (InterFrame, 3000, 0.),
        ];
        let (left, dropped, cost) = after(&pushes);
        let headers = [(Metadata, 0), (VideoHeader, 7), (AudioHeader, 2)];
        assert_eq!(
            left,
            [&headers[..], &[(KeyFrame, 8), (InterFrame, 9)]].concat()
        );
        assert_eq!(dropped, 2);
        assert!(cost < LIMITS.bytes);
    }

    #[test]
    fn too_late_pictures_are_dropped_up_to_the_next_key_frame() {
        let late = [
            (KeyFrame, 1, 0.),
            (InterFrame, 1, 2.),
            (Audio, 1, 2.),
            (InterFrame, 1, 3.1),
        ];
        assert_eq!(after(&late).0, []);
        let more = [
            &late[..],
            &[(InterFrame, 1, 3.2), (Audio, 1, 3.2), (KeyFrame, 1, 4.)],
        ]
        .concat();
        let (left, dropped, _) = after(&more);
        assert_eq!(left, [(Audio, 5), (KeyFrame, 6)]);
        assert_eq!(dropped, 1);
    }

    #[test]
    fn sound_alone_is_bounded_too() {
        let pushes = [
            (AudioHeader, 1, 0.),
            (Audio, 9000, 0.),
            (Audio, 9000, 1.),
            (Audio, 1, 1.),
        ];
        let (left, dropped, _) = after(&pushes);
        assert_eq!(left, [(AudioHeader, 0), (Audio, 3)]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn the_burst_of_a_late_player_is_not_held_against_it() {
        let media = |part, length| Media {
            part,
            kind: 0,
            timestamp: 0,
            payload: Bytes::from(vec![0; length]),
        };
        let burst = [
            media(VideoHeader, 1),
            media(KeyFrame, 20_000),
            media(InterFrame, 100),
        ];
        let now = Instant::now();
        let mut queue = PlayerQueue::new(LIMITS, burst.iter(), now);
        queue.push(media(InterFrame, 9000), now);
        assert_eq!((queue.items.len(), queue.dropped_gops()), (4, 0));
        queue.push(media(InterFrame, 9000), now);
        assert_eq!((queue.items.len(), queue.dropped_gops()), (1, 1));
        queue.push(media(KeyFrame, 20_000), now);
        assert_eq!(queue.pop().map(|m| m.part), Some(VideoHeader));
    }

    /// A key frame a minute: what a slow player has got of the burst must not be thrown away, as
    /// nothing that it could decode would come instead.
    #[test]
    fn a_long_burst_may_take_its_time_until_there_is_something_newer() {
        let media = |part, length| Media {
            part,
            kind: 0,
            timestamp: 0,
            payload: Bytes::from(vec![0; length]),
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let burst = [
            media(VideoHeader, 1),
            media(KeyFrame, 20_000),
            media(InterFrame, 20_000),
        ];
        let late = || {
            let mut queue = PlayerQueue::new(LIMITS, burst.iter(), start);
            (0..10).for_each(|second| queue.push(media(InterFrame, 100), at(second)));
            assert_eq!((queue.items.len(), queue.dropped_gops()), (13, 0));
            queue
        };
        // There is a newer group.
        let mut newer = late();
        newer.push(media(KeyFrame, 100), at(10));
        assert_eq!((newer.items.len(), newer.dropped_gops()), (2, 1));
        // It has taken all, and is slow again.
        let mut later = late();
        while later.pop().is_some() {}
        later.push(media(InterFrame, 100), at(10));
        later.push(media(InterFrame, 100), at(14));
        assert_eq!((later.items.len(), later.dropped_gops()), (0, 1));
        // It takes nothing at all.
        let mut never = late();
        (10..200).for_each(|second| never.push(media(InterFrame, 100), at(second)));
        assert_eq!((never.items.len(), never.dropped_gops()), (1, 1));
    }
}
