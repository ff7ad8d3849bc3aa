//! The play-out clock of one stream: when each picture is shown and each sound is heard.
//!
//! A clock is media time plus a lag. The lag of a track is that of its quickest arrival, plus
//! what nearly all others are later (see `jitter`), but never more than the budget: what comes
//! later than that is late, and skipped or cut. The budget grows only where stalls are a pattern. Within these bounds sound and picture are kept
//! together. Pure; times are in µs.

use super::jitter::{Jitter, Spread};

/// Maximum in µs that jitter may cost. Tencent's players for calls keep 100 to 300 ms.
const BUDGET: i64 = 250_000;
/// Divisor of the jitter seen, which gives the reserve for that not seen yet.
const RESERVE_PART: i64 = 8;
/// Minimum reserve of pictures, in µs.
const PICTURE_RESERVE: i64 = 5_000;
/// Minimum reserve of sound, in µs: it is pulled in blocks of 10 ms, and a gap in it is worse than a
/// late picture.
const SOUND_RESERVE: i64 = 20_000;
/// Time in µs by which a picture is shown before it is due if it can be: nobody sees it, and a
/// picture that waits is old. Less than the distance of two pictures.
const EARLY: i64 = 30_000;
/// Maximum in µs of sound before its picture. ITU-R BT.1359 says 45 ms; the rest is for the screen,
/// and for what cannot be held exactly.
const SOUND_BEFORE: i64 = 20_000;
/// Maximum in µs of sound after its picture; ITU-R BT.1359 says 125 ms.
const SOUND_AFTER: i64 = 95_000;
/// Distance in µs from which on tracks have clocks of their own.
const APART: i64 = 1_000_000;
/// Divisor by which what is seen and heard follows the newest figure.
const SMOOTHING: i64 = 8;

/// Time in µs after a decoder was made, and after its first picture, in which nothing counts as late:
/// our choice.
const EXCUSED: i64 = 300_000;

/// The span in which a picture is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) from: i64,
    pub(super) until: i64,
}

#[derive(Debug)]
pub(super) struct Playout {
    pub(super) picture: Jitter,
    pub(super) sound: Jitter,
    /// Time that pictures take to decode.
    decoding: Spread,
    /// Time from which on decoding counts: none before the first picture of a new decoder.
    decoding_from: i64,
    /// Lags at which pictures are shown and sound is heard.
    seen: Option<i64>,
    heard: Option<i64>,
    /// Time of sound in the device.
    device: i64,
}

impl Playout {
    pub(super) fn new() -> Self {
        Self {
            picture: Jitter::new(BUDGET),
            sound: Jitter::new(BUDGET),
            decoding: Spread::default(),
            decoding_from: i64::MIN,
            seen: None,
            heard: None,
            device: 0,
        }
    }

    /// A decoder is being made. Its elements are built where the connection is read, so what comes
    /// meanwhile is not late by the network; and its first pictures take longest.
    pub(super) fn excuse(&mut self, now: i64) {
        self.decoding_from = i64::MAX;
        self.picture.excuse(now + EXCUSED);
        self.sound.excuse(now + EXCUSED);
    }

    /// Notes how long a picture took to decode that was given to the decoder at `taken`.
    pub(super) fn decoded(&mut self, now: i64, taken: i64) {
        if self.decoding_from == i64::MAX {
            self.decoding_from = now + EXCUSED;
        }
        if taken >= self.decoding_from {
            self.decoding.note(now, now - taken);
        }
    }

    /// The time to show the picture of `media`; `None` before any has arrived.
    pub(super) fn due(&self, media: i64) -> Option<Due> {
        let base = media + self.picture.base()?;
        let needs = expected(&self.picture) + self.decoding.bound() + PICTURE_RESERVE;
        let until = base + needs.min(self.budget());
        let from = until - EARLY;
        let with_sound = self
            .together()
            .map(|(_, heard)| media + heard - SOUND_AFTER);
        let from = from.max(with_sound.unwrap_or(from).min(base + self.budget()));
        Some(Due {
            from,
            until: until.max(from + EARLY),
        })
    }

    /// The lag of the clock of sound up to the device; `None` before any sound has
    /// arrived.
    pub(super) fn sound_lag(&self) -> Option<i64> {
        let base = self.sound.base()?;
        let needs = (expected(&self.sound) + SOUND_RESERVE).min(self.budget());
        let with_picture = self
            .together()
            .map(|(seen, _)| seen - SOUND_BEFORE - self.device);
        let lag = base + needs;
        Some(lag.max(with_picture.unwrap_or(lag).min(base + self.budget())))
    }

    /// Time in µs that jitter may cost now. Both tracks come over one network.
    fn budget(&self) -> i64 {
        self.picture.budget().max(self.sound.budget())
    }

    /// Notes that a picture is shown.
    pub(super) fn shown(&mut self, now: i64, media: i64) {
        follow(&mut self.seen, now - media);
    }

    /// Notes how sound is heard now: its lag with the device's part, and that part.
    pub(super) fn heard(&mut self, lag: i64, device: i64) {
        self.device = device;
        follow(&mut self.heard, lag);
    }

    /// Time from a picture to the hearing of its sound; negative: the sound is first.
    pub(super) fn sound_after_picture(&self) -> Option<i64> {
        Some(self.heard? - self.seen?)
    }

    /// Time that sound waits beyond its quickest arrival, and then in the device.
    pub(super) fn sound_delay(&self) -> Option<(i64, i64)> {
        Some((self.heard? - self.device - self.sound.base()?, self.device))
    }

    fn together(&self) -> Option<(i64, i64)> {
        let lags = self.seen.zip(self.heard);
        lags.filter(|(seen, heard)| (heard - seen).abs() <= APART)
    }
}

fn expected(track: &Jitter) -> i64 {
    track.spread() + track.spread() / RESERVE_PART
}

fn follow(smooth: &mut Option<i64>, value: i64) {
    let before = smooth.filter(|before| (value - before).abs() <= APART);
    *smooth = Some(before.map_or(value, |before| before + (value - before) / SMOOTHING));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1000;
    /// Ours less media time, of the quickest arrival.
    const BASE: i64 = 500_000 * MS;

    /// Two seconds of arrivals, each track up to `jitter` late.
    fn playout(picture_jitter: i64, sound_jitter: i64) -> Playout {
        let mut playout = Playout::new();
        for n in 0..60 {
            let media = n * 33_333;
            let late = |jitter: i64| if n % 10 == 5 { jitter } else { 0 };
            playout
                .picture
                .note(media + BASE + late(picture_jitter), media);
            playout.sound.note(media + BASE + late(sound_jitter), media);
            playout.decoding.note(media, 3 * MS);
        }
        playout
    }

    /// The lags of picture and sound, once each is what it is with the other.
    fn lags(playout: &mut Playout, device: i64, extra: i64) -> (i64, i64) {
        for n in 60..200 {
            let media = n * 33_333;
            let due = playout.due(media).unwrap();
            let ready = media + BASE + 3 * MS + extra;
            playout.shown(due.from.max(ready), media);
            let sound = playout.sound_lag().unwrap();
            playout.heard(sound + device, device);
        }
        let (seen, heard) = playout.together().unwrap();
        (seen - BASE, heard - BASE)
    }

    #[test]
    fn nothing_is_due_before_anything_has_come() {
        let playout = Playout::new();
        assert_eq!((playout.due(7), playout.sound_lag()), (None, None));
    }

    #[test]
    fn on_a_quiet_network_pictures_do_not_wait() {
        let due = playout(8 * MS, 5 * MS).due(0).unwrap();
        assert_eq!(due.from, BASE + (9 + 3 + 5 - 30) * MS);
        assert_eq!(due.until, BASE + (9 + 3 + 5) * MS);
        assert_eq!(playout(0, 8 * MS).sound_lag(), Some(BASE + 29 * MS));
    }

    #[test]
    fn jitter_costs_what_it_is_and_never_more_than_the_budget() {
        let due = playout(96 * MS, 0).due(0).unwrap();
        assert_eq!((due.from, due.until), (BASE + 86 * MS, BASE + 116 * MS));
        let due = playout(249 * MS, 0).due(0).unwrap();
        assert_eq!(due.until, BASE + BUDGET);
        assert_eq!(playout(0, 249 * MS).sound_lag(), Some(BASE + BUDGET));
    }

    #[test]
    fn a_pattern_of_stalls_may_cost_what_it_is() {
        let mut playout = playout(0, 0);
        let gathered = |now: i64| now.div_euclid(350 * MS) * 350 * MS + 350 * MS;
        for n in 60..240 {
            let media = n * 33_333;
            playout.picture.note(gathered(media) + BASE, media);
            playout.sound.note(gathered(media) + BASE, media);
        }
        let due = playout.due(0).unwrap();
        assert!(
            (350 * MS..450 * MS).contains(&(due.until - BASE)),
            "{due:?}"
        );
        let sound = playout.sound_lag().unwrap() - BASE;
        assert!((350 * MS..450 * MS).contains(&sound), "{sound}");
    }

    #[test]
    fn sound_and_picture_stay_together() {
        for (picture, sound, device, extra, why) in [
            (0, 0, 20 * MS, 0, "nothing to do"),
            (0, 0, 90 * MS, 0, "the device holds much: the picture waits"),
            (0, 100 * MS, 40 * MS, 0, "sound waits for the network"),
            (150 * MS, 0, 20 * MS, 0, "the picture waits: sound too"),
            (0, 0, 0, 150 * MS, "a slow decoder"),
            (0, 240 * MS, 90 * MS, 0, "both near the budget"),
        ] {
            let mut playout = playout(picture, sound);
            let (seen, heard) = lags(&mut playout, device, extra);
            let after = heard - seen;
            assert!((-45 * MS..=125 * MS).contains(&after), "{why}: {after}");
            assert!(seen <= BUDGET + 3 * MS, "{why}: {seen}");
            assert!(heard <= BUDGET + device, "{why}: {heard}");
            assert_eq!(playout.sound_after_picture(), Some(after));
        }
    }

    #[test]
    fn only_what_must_wait_waits() {
        let (seen, heard) = lags(&mut playout(0, 0), 20 * MS, 0);
        assert_eq!((seen, heard), (3 * MS, 40 * MS));
        let (seen, heard) = lags(&mut playout(0, 0), 90 * MS, 0);
        assert_eq!(((seen + 50) / MS, heard), (15, 110 * MS));
    }

    #[test]
    fn tracks_with_clocks_of_their_own_do_not_wait_for_each_other() {
        let mut playout = playout(0, 0);
        playout.shown(BASE, 0);
        assert_eq!(playout.sound_after_picture(), None);
        playout.heard(BASE + 5_000 * MS, 0);
        assert_eq!(playout.due(0).unwrap().from, BASE - 22 * MS);
    }

    #[test]
    fn the_first_pictures_of_a_decoder_say_nothing_of_the_rest() {
        let mut playout = Playout::new();
        playout.excuse(0);
        for (taken, took) in [(0, 900), (910, 80), (1150, 60)] {
            playout.decoded((taken + took) * MS, taken * MS);
        }
        assert_eq!(playout.decoding.bound(), 0);
        playout.decoded(1_303 * MS, 1_300 * MS);
        assert_eq!(playout.decoding.bound(), 3 * MS);
    }
}
