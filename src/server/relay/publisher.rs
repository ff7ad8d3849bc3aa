//! The publishing side of one stream: its counters and its time line.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cache::Cache;
use super::media::{Media, Part};
use super::status::{BitRate, PublisherStatus};
use super::user::User;

/// A publisher, counted.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) user: User,
    pub(super) cancel: CancellationToken,
    /// Unix seconds.
    since: u64,
    started: Instant,
    last_media: Option<Instant>,
    bytes: u64,
    frames: u64,
    rate: BitRate,
    clock: StreamClock,
    /// It has been said that its groups of pictures are too large.
    complained: bool,
}

impl Publisher {
    pub(super) fn new(
        user: User,
        since: u64,
        resume: Option<(u32, Instant)>,
        now: Instant,
    ) -> Self {
        Self {
            user,
            cancel: CancellationToken::new(),
            since,
            started: now,
            last_media: None,
            bytes: 0,
            frames: 0,
            rate: BitRate::new(now),
            clock: StreamClock {
                resume,
                offset: None,
            },
            complained: false,
        }
    }

    /// Whether to say now that its groups of pictures are too large: once is enough.
    pub(super) fn complain(&mut self) -> bool {
        !std::mem::replace(&mut self.complained, true)
    }

    /// Counts a message and gives it the time stamp that players see.
    pub(super) fn take(&mut self, media: &mut Media, now: Instant) {
        self.bytes += media.payload.len() as u64;
        self.rate.add(media.payload.len(), now);
        self.frames += u64::from(media.part.is_picture());
        self.clock.restamp(media, now);
        if !media.part.is_header() {
            self.last_media = Some(now);
        }
    }

    /// Time since the last picture or sound.
    pub(super) fn silent(&self, now: Instant) -> Duration {
        now.duration_since(self.last_media.unwrap_or(self.started))
    }

    pub(super) fn status(&self, cache: &Cache, now: Instant) -> PublisherStatus {
        let ms_ago = |at: Instant| u64::try_from(now.duration_since(at).as_millis());
        PublisherStatus {
            addr: self.user.addr,
            since: self.since,
            uptime_s: now.duration_since(self.started).as_secs_f64(),
            video: cache.has_video(),
            audio: cache.has_audio(),
            bytes_in: self.bytes,
            kbps_in: self.rate.kbps(now),
            frames: self.frames,
            late_players_wait: cache.lack().map(|lack| lack.to_string()),
            last_media_ms_ago: self.last_media.map(|at| ms_ago(at).unwrap_or(u64::MAX)),
        }
    }
}

/// Keeps time running forward for players that stay while the publisher is replaced: a new
/// one usually starts at zero again.
#[derive(Debug)]
struct StreamClock {
    /// Last time stamp of the publisher before, and when it was handed out.
    resume: Option<(u32, Instant)>,
    /// Added to every time stamp; unknown until the first picture or sound.
    offset: Option<u32>,
}

impl StreamClock {
    fn restamp(&mut self, media: &mut Media, now: Instant) {
        if media.part == Part::Metadata {
            // ffmpeg takes metadata with another time stamp for a text stream.
            media.timestamp = 0;
            return;
        }
        let Some((last, at)) = self.resume else {
            return;
        };
        let elapsed = u32::try_from(now.duration_since(at).as_millis()).unwrap_or(u32::MAX);
        let resume = last.wrapping_add(elapsed.max(1));
        // Headers do not set the offset: their time stamp is often zero whatever follows.
        if self.offset.is_none() && !media.part.is_header() {
            self.offset = Some(resume.wrapping_sub(media.timestamp));
        }
        media.timestamp = self
            .offset
            .map_or(resume, |offset| media.timestamp.wrapping_add(offset));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_returning_publisher_continues_where_the_last_one_stopped() {
        let start = Instant::now();
        let stamps = |resume| {
            let mut clock = StreamClock {
                resume,
                offset: None,
            };
            [
                (Part::VideoHeader, 0, 2000),
                (Part::KeyFrame, 7000, 2010),
                (Part::Metadata, 7020, 2030),
                (Part::InterFrame, 7040, 2050),
            ]
            .map(|(part, timestamp, ms)| {
                let mut media = Media {
                    part,
                    kind: 9,
                    timestamp,
                    payload: Bytes::new(),
                };
                clock.restamp(&mut media, start + Duration::from_millis(ms));
                media.timestamp
            })
        };
        assert_eq!(stamps(None), [0, 7000, 0, 7040]);
        let [header, key, metadata, inter] = stamps(Some((60_000, start)));
        assert_eq!([header, key, metadata, inter], [62_000, 62_010, 0, 62_050]);
        let [_, key, _, inter] = stamps(Some((u32::MAX, start)));
        assert_eq!([key, inter], [2009, 2049]);
    }
}
