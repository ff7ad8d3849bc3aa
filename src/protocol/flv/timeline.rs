//! One line of time for both tracks of a stream, whatever its stamps do: they wrap, jump, differ
//! between tracks, and begin anew with each publisher. Pure; the time of arrival comes from the caller.

/// Beginning of the line in ms, so that a track may lag behind the first one.
const START: i64 = 10_000;
/// Time in ms by which stamps of one track may go back: pictures out of their order.
const BACK: i64 = 1_000;
/// Time in ms by which they may be ahead of the time that has passed: what a relay replays.
const AHEAD: i64 = 5_000;
/// Distance in ms of two tracks that share a clock.
const APART: i64 = 5_000;

/// The newest packet of a track.
#[derive(Debug, Clone, Copy)]
struct Last {
    stamp: u32,
    /// Its place, in ms.
    media: i64,
    /// The time at which it came, in ms.
    came: i64,
}

impl Last {
    /// Time in ms from this packet to one with `stamp`; stamps wrap.
    fn until(self, stamp: u32) -> i64 {
        i64::from(stamp.wrapping_sub(self.stamp).cast_signed())
    }
}

/// Gives packets their places.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    tracks: [Option<Last>; 2],
}

impl Timeline {
    /// The place in ms of a packet of `track` (0 or 1) with `stamp`, which came at `now`, in ms.
    pub(super) fn place(&mut self, track: usize, stamp: u32, now: i64) -> i64 {
        let [own, other] = [self.tracks[track], self.tracks[1 - track]];
        let by_own = own.and_then(|last| {
            let step = last.until(stamp);
            let passed = (now - last.came).max(0);
            (-BACK..=passed + AHEAD)
                .contains(&step)
                .then_some(last.media + step)
        });
        let by_other = || {
            let step = other?.until(stamp);
            // One that jumped has joined the other only if it is close to it: a jump may be short.
            let apart = if own.is_some() { BACK } else { APART };
            let passed = (now - other?.came).max(0);
            (-apart..=passed + apart)
                .contains(&step)
                .then_some(other?.media + step)
        };
        let place = by_own.or_else(by_other).filter(|place| *place >= 0);
        let media = place.unwrap_or_else(|| self.anew(now));
        self.tracks[track] = Some(Last {
            stamp,
            media,
            came: now,
        });
        media
    }

    /// The place of a packet whose stamp says nothing: as if the clock had gone on.
    fn anew(&self, now: i64) -> i64 {
        let newest = self.tracks.iter().flatten().max_by_key(|last| last.media);
        newest.map_or(START, |last| last.media + (now - last.came).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: usize = 0;
    const SOUND: usize = 1;

    /// Places of packets (track, stamp, time of arrival).
    fn places(packets: &[(usize, u32, i64)]) -> Vec<i64> {
        let mut line = Timeline::default();
        let place = |&(track, stamp, now): &(usize, u32, i64)| line.place(track, stamp, now);
        packets.iter().map(place).collect()
    }

    #[test]
    fn both_tracks_keep_their_distance() {
        let lagging = [
            (SOUND, 5000, 0),
            (PICTURE, 4400, 0),
            (SOUND, 5020, 20),
            (PICTURE, 4440, 40),
        ];
        assert_eq!(places(&lagging), [10_000, 9_400, 10_020, 9_440]);
    }

    #[test]
    fn a_track_may_begin_or_return_after_any_time() {
        let late = [
            (SOUND, 0, 0),
            (SOUND, 9000, 9000),
            (PICTURE, 9010, 9010),
            (SOUND, 100_000, 100_000),
            (PICTURE, 100_010, 100_010),
        ];
        assert_eq!(places(&late), [10_000, 19_000, 19_010, 110_000, 110_010]);
    }

    #[test]
    fn stamps_wrap() {
        let wrapping = [
            (PICTURE, u32::MAX - 19, 0),
            (PICTURE, 20, 40),
            (SOUND, 25, 45),
        ];
        assert_eq!(places(&wrapping), [10_000, 10_040, 10_045]);
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on() {
        for restart in [0, 3_000_000, 58_000] {
            let anew = [
                (PICTURE, 60_000, 1000),
                (SOUND, 60_010, 1010),
                (PICTURE, restart, 1500),
                (SOUND, restart + 20, 1515),
                (PICTURE, restart + 40, 1540),
            ];
            let expected = [10_000, 10_010, 10_500, 10_520, 10_540];
            assert_eq!(places(&anew), expected, "{restart}");
        }
    }

    #[test]
    fn tracks_with_clocks_of_their_own_meet_by_arrival() {
        let apart = [
            (PICTURE, 7_000_000, 0),
            (SOUND, 0, 3),
            (PICTURE, 7_000_040, 40),
            (SOUND, 23, 43),
        ];
        assert_eq!(places(&apart), [10_000, 10_003, 10_040, 10_026]);
    }

    #[test]
    fn what_is_replayed_keeps_its_distances() {
        let burst: Vec<_> = (0..60).map(|n| (PICTURE, n * 33, 7)).collect();
        let expected: Vec<_> = (0..60).map(|n| 10_000 + n * 33).collect();
        assert_eq!(places(&burst), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_stamp_leads_before_the_beginning(
            packets in proptest::collection::vec((0usize..2, proptest::num::u32::ANY, 0i64..100), 0..300),
        ) {
            let mut now = 0;
            let mut line = Timeline::default();
            for (track, stamp, passed) in packets {
                now += passed;
                proptest::prop_assert!(line.place(track, stamp, now) >= 0);
            }
        }
    }
}
