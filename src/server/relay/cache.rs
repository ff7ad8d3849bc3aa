//! The things that a late player needs first: headers, the pictures since the last key frame, and the
//! newest sound between them.

use std::collections::VecDeque;
use std::fmt;

use super::media::{Media, Part};

/// Age in ms of media time up to which sound is kept: what is older helps nobody to start, while a
/// picture needs all before it up to the key frame.
const SOUND: i32 = 10_000;

/// Bounds of the GOP cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct CacheLimits {
    /// `false`: a late player waits for the next key frame.
    pub(super) gop: bool,
    /// Largest group, with its sound.
    pub(super) bytes: usize,
}

/// The reason for which a late player waits for the next key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    NoKeyFrame,
    Off,
    /// The group is larger than so many bytes.
    TooLarge(usize),
    NoMemory,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeyFrame => f.write_str("no key frame has come"),
            Self::Off => f.write_str("gop_cache is off"),
            Self::TooLarge(bytes) => {
                let kib = bytes >> 10;
                write!(
                    f,
                    "its group of pictures is larger than {kib} KiB (gop_cache_kib)"
                )
            }
            Self::NoMemory => f.write_str("there is no memory left for its group of pictures"),
        }
    }
}

/// Headers and current group of pictures of one stream.
#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    metadata: Option<Media>,
    video_header: Option<Media>,
    audio_header: Option<Media>,
    /// Numbered in the order in which they came.
    pictures: VecDeque<(u64, Media)>,
    sound: VecDeque<(u64, Media)>,
    count: u64,
    gop_cost: usize,
    lack: Option<Lack>,
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            metadata: None,
            video_header: None,
            audio_header: None,
            pictures: VecDeque::new(),
            sound: VecDeque::new(),
            count: 0,
            gop_cost: 0,
            lack: Some(match limits.gop {
                true => Lack::NoKeyFrame,
                false => Lack::Off,
            }),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Keeps a message; tells when the group has become too large to be kept.
    pub(super) fn add(&mut self, media: &Media) -> Option<Lack> {
        match media.part {
            Part::Metadata => self.metadata = Some(media.clone()),
            Part::AudioHeader => self.audio_header = Some(media.clone()),
            Part::VideoHeader => {
                let same = |old: &Media| old.payload == media.payload;
                if !self.video_header.as_ref().is_some_and(same) {
                    // What is cached was coded with another configuration.
                    self.forget(Lack::NoKeyFrame);
                }
                self.video_header = Some(media.clone());
            }
            Part::KeyFrame if self.limits.gop => {
                self.forget(Lack::NoKeyFrame);
                self.lack = None;
                return self.add_to_gop(media);
            }
            Part::InterFrame | Part::Audio if self.lack.is_none() => {
                return self.add_to_gop(media);
            }
            Part::KeyFrame | Part::InterFrame | Part::Audio => {}
        }
        None
    }

    /// Everything that a player which starts now gets at once, in order.
    pub(super) fn burst(&self) -> impl Iterator<Item = &Media> {
        let headers = [&self.metadata, &self.video_header, &self.audio_header];
        let mut pictures = self.pictures.iter().peekable();
        let mut sound = self.sound.iter().peekable();
        let in_order = std::iter::from_fn(move || {
            let picture_first = match (pictures.peek(), sound.peek()) {
                (Some((picture, _)), Some((sound, _))) => picture < sound,
                (picture, _) => picture.is_some(),
            };
            let next = match picture_first {
                true => pictures.next(),
                false => sound.next(),
            };
            next.map(|(_, media)| media)
        });
        headers.into_iter().flatten().chain(in_order)
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

    /// The reason for which a late player waits for the next key frame, if it must.
    pub(super) fn lack(&self) -> Option<Lack> {
        self.lack
    }

    /// Lets the pictures go: late players wait for the next key frame.
    pub(super) fn give_up(&mut self) {
        if self.lack.is_none() {
            self.forget(Lack::NoMemory);
        }
    }

    fn add_to_gop(&mut self, media: &Media) -> Option<Lack> {
        let too_old = |(_, sound): &(u64, Media)| {
            // Stamps wrap.
            media.timestamp.wrapping_sub(sound.timestamp).cast_signed() > SOUND
        };
        while let Some((_, old)) = self.sound.pop_front_if(|sound| too_old(sound)) {
            self.gop_cost -= old.cost();
        }
        if self.gop_cost + media.cost() > self.limits.bytes {
            self.forget(Lack::TooLarge(self.limits.bytes));
            return self.lack;
        }
        self.gop_cost += media.cost();
        self.count += 1;
        let kept = match media.part {
            Part::Audio => &mut self.sound,
            _ => &mut self.pictures,
        };
        kept.push_back((self.count, media.clone()));
        None
    }

    fn forget(&mut self, lack: Lack) {
        self.pictures = VecDeque::new();
        self.sound = VecDeque::new();
        self.gop_cost = 0;
        if self.limits.gop {
            self.lack = Some(lack);
        }
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
        for media in parts {
            cache.add(media);
        }
        let kept = cache.burst().filter(|media| !media.part.is_header());
        assert_eq!(cache.bytes(), kept.map(Media::cost).sum::<usize>());
        cache.burst().map(|m| (m.part, m.timestamp)).collect()
    }

    const LIMITS: CacheLimits = CacheLimits {
        gop: true,
        bytes: 1000,
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
    fn a_group_that_is_too_large_is_forgotten_until_the_next_key_frame_and_named() {
        static BIG: [u8; 500] = [0; 500];
        let mut cache = Cache::new(LIMITS);
        assert_eq!(cache.lack(), Some(Lack::NoKeyFrame));
        let too_large = Some(Lack::TooLarge(1000));
        for (part, told, lack) in [
            (KeyFrame, None, None),
            (Audio, None, None),
            (InterFrame, too_large, too_large),
            (InterFrame, None, too_large),
            (Audio, None, too_large),
            (KeyFrame, None, None),
        ] {
            let payload: &[u8] = if part == KeyFrame { b"x" } else { &BIG };
            assert_eq!(cache.add(&media(part, 0, payload)), told);
            assert_eq!(cache.lack(), lack);
            assert_eq!(cache.burst().count() > 0, lack.is_none());
        }
        cache.give_up();
        assert_eq!(cache.lack(), Some(Lack::NoMemory));
        cache.clear();
        cache.give_up();
        assert_eq!(cache.lack(), Some(Lack::NoKeyFrame));
        let words = Lack::TooLarge(4 << 20).to_string();
        let expected = "its group of pictures is larger than 4096 KiB (gop_cache_kib)";
        assert_eq!(words, expected);
    }

    /// A key frame a minute, a picture and a sound a second.
    #[test]
    fn a_long_group_is_kept_with_its_newest_sound() {
        let large = CacheLimits {
            bytes: 100_000,
            ..LIMITS
        };
        let start = u32::MAX - 20_000;
        let stamp = |second: u32| start.wrapping_add(second * 1000);
        let parts: Vec<_> = (0..60)
            .flat_map(|second| {
                let part = if second == 0 { KeyFrame } else { InterFrame };
                [(part, 0), (Audio, 5)]
                    .map(|(part, later)| media(part, stamp(second).wrapping_add(later), b"x"))
            })
            .collect();
        let burst = burst(large, &parts);
        assert_eq!(burst[..2], [(KeyFrame, stamp(0)), (InterFrame, stamp(1))]);
        let sound = burst.iter().filter(|(part, _)| *part == Audio).count();
        assert_eq!((burst.len() - sound, sound), (60, 11));
        let end = [(InterFrame, stamp(59)), (Audio, stamp(59).wrapping_add(5))];
        assert_eq!(burst[burst.len() - 2..], end);
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
