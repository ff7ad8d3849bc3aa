//! The things that a late player needs first: headers, and the pictures since the last key frame.

use std::time::Duration;

use super::media::{Media, Part};

/// Bounds of the GOP cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct CacheLimits {
    /// `false`: a late player waits for the next key frame.
    pub(super) gop: bool,
    /// Largest group.
    pub(super) bytes: usize,
    /// Longest group in media time.
    pub(super) time: Duration,
}

/// Headers and current group of pictures of one stream.
#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    metadata: Option<Media>,
    video_header: Option<Media>,
    audio_header: Option<Media>,
    gop: Vec<Media>,
    gop_cost: usize,
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            metadata: None,
            video_header: None,
            audio_header: None,
            gop: Vec::new(),
            gop_cost: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    pub(super) fn add(&mut self, media: &Media) {
        match media.part {
            Part::Metadata => self.metadata = Some(media.clone()),
            Part::AudioHeader => self.audio_header = Some(media.clone()),
            Part::VideoHeader => {
                let same = |old: &Media| old.payload == media.payload;
                if !self.video_header.as_ref().is_some_and(same) {
                    // What is cached was coded with another configuration.
                    self.clear_gop();
                }
                self.video_header = Some(media.clone());
            }
            Part::KeyFrame => {
                self.clear_gop();
                self.add_to_gop(media);
            }
            Part::InterFrame | Part::Audio if !self.gop.is_empty() => self.add_to_gop(media),
            Part::InterFrame | Part::Audio => {}
        }
    }

    /// Everything that a player which starts now gets at once, in order.
    pub(super) fn burst(&self) -> impl Iterator<Item = &Media> {
        let headers = [&self.metadata, &self.video_header, &self.audio_header];
        headers.into_iter().flatten().chain(&self.gop)
    }

    pub(super) fn has_video(&self) -> bool {
        self.video_header.is_some()
    }

    pub(super) fn has_audio(&self) -> bool {
        self.audio_header.is_some()
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.gop_cost
    }

    /// Lets the pictures go: late players wait for the next key frame.
    pub(super) fn give_up(&mut self) {
        self.clear_gop();
    }

    fn add_to_gop(&mut self, media: &Media) {
        let start = self.gop.first().map_or(media.timestamp, |m| m.timestamp);
        // Interleaved sound may be a little older than the key frame.
        let age = media.timestamp.wrapping_sub(start).cast_signed();
        let too_long =
            i64::from(age) > i64::try_from(self.limits.time.as_millis()).unwrap_or(i64::MAX);
        if !self.limits.gop || too_long || self.gop_cost + media.cost() > self.limits.bytes {
            self.clear_gop();
            return;
        }
        self.gop_cost += media.cost();
        self.gop.push(media.clone());
    }

    fn clear_gop(&mut self) {
        self.gop = Vec::new();
        self.gop_cost = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Part::{Audio, AudioHeader, InterFrame, KeyFrame, Metadata, VideoHeader};
    use super::*;

    fn media(part: Part, timestamp: u32, payload: &'static [u8]) -> Media {
        Media {
            part,
            kind: 0,
            timestamp,
            payload: Bytes::from_static(payload),
        }
    }

    fn burst(limits: CacheLimits, parts: &[Media]) -> Vec<(Part, u32)> {
        let mut cache = Cache::new(limits);
        parts.iter().for_each(|media| cache.add(media));
        cache.burst().map(|m| (m.part, m.timestamp)).collect()
    }

    const LIMITS: CacheLimits = CacheLimits {
        gop: true,
        bytes: 1000,
        time: Duration::from_secs(10),
    };

    #[test]
    fn a_late_player_starts_with_the_last_key_frame() {
        let start = [
            media(VideoHeader, 0, b"h"),
            media(AudioHeader, 0, b"a"),
            media(Metadata, 0, b"m"),
            media(InterFrame, 5, b"x"),
            media(Audio, 6, b"x"),
            media(KeyFrame, 10, b"x"),
            media(InterFrame, 50, b"x"),
            media(KeyFrame, 90, b"x"),
            media(Audio, 80, b"x"),
            media(InterFrame, 130, b"x"),
        ];
        let headers = [(Metadata, 0), (VideoHeader, 0), (AudioHeader, 0)];
        let gop = [(KeyFrame, 90), (Audio, 80), (InterFrame, 130)];
        assert_eq!(burst(LIMITS, &start), [&headers[..], &gop].concat());
        let off = CacheLimits {
            gop: false,
            ..LIMITS
        };
        assert_eq!(burst(off, &start), headers);
    }

    #[test]
    fn a_group_that_is_too_long_is_forgotten_until_the_next_key_frame() {
        static BIG: [u8; 500] = [0; 500];
        let key = media(KeyFrame, 0, b"x");
        for breaks in [media(InterFrame, 10_001, b"x"), media(InterFrame, 1, &BIG)] {
            let more = [
                key.clone(),
                media(Audio, 1, &BIG),
                breaks,
                media(InterFrame, 2, b"x"),
            ];
            assert_eq!(burst(LIMITS, &more), []);
            let again = [&more[..], &[media(KeyFrame, 20_000, b"x")]].concat();
            assert_eq!(burst(LIMITS, &again), [(KeyFrame, 20_000)]);
        }
    }

    #[test]
    fn a_new_configuration_makes_the_cached_pictures_useless() {
        let same = [
            media(VideoHeader, 0, b"h"),
            media(KeyFrame, 1, b"x"),
            media(VideoHeader, 2, b"h"),
        ];
        assert_eq!(burst(LIMITS, &same), [(VideoHeader, 2), (KeyFrame, 1)]);
        let other = [
            media(VideoHeader, 0, b"h"),
            media(KeyFrame, 1, b"x"),
            media(VideoHeader, 2, b"i"),
        ];
        assert_eq!(burst(LIMITS, &other), [(VideoHeader, 2)]);
    }
}
