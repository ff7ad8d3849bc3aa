//! The way of pictures and sound through one connection of the player: where each is held up,
//! when it is due, and what came too late. Written by GStreamer's threads.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::catch_up::{CatchUp, Coded, Verdict};
use super::play_stats::{PictureDelay, PlayDelay, SoundDelay};
use super::playout::{Due, Playout};
use crate::media::lock::lock;
use crate::media::smooth::{Smooth, tenths};
use crate::media::speaker::{Played, Timing};

/// Maximum of pictures on their way: more than the queue before the decoder holds.
const MOST: usize = 4096;
/// Maximum in µs that a picture waits, whatever the clock says: its thread must be free to stop. More
/// than the play-out clock ever asks for.
const LONGEST_WAIT: i64 = 1_300_000;

/// A picture between its arrival and its decoding; times in µs.
#[derive(Debug)]
struct OnItsWay {
    media: i64,
    arrived: i64,
    /// The end of its time, by the clock before it came: one that is late moves the clock.
    until: Option<i64>,
    /// The time at which the decoder took it.
    taken: Option<i64>,
    show: bool,
}

/// A picture that is decoded and to be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    media: i64,
    arrived: i64,
    taken: i64,
    decoded: i64,
    due: Option<Due>,
    until: Option<i64>,
}

impl Ready {
    /// Time that it must still wait.
    pub(super) fn wait(&self) -> Duration {
        let wait = self.due.map_or(0, |due| due.from - self.decoded);
        Duration::from_micros(wait.clamp(0, LONGEST_WAIT).unsigned_abs())
    }
}

/// Pictures that were not shown in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) late: u64,
    pub(super) skipped: u64,
}

#[derive(Debug)]
struct State {
    playout: Playout,
    catch_up: CatchUp,
    pictures: VecDeque<OnItsWay>,
    shows: bool,
    tally: Tally,
    queue: Smooth,
    decode: Smooth,
    hold: Smooth,
}

#[derive(Debug)]
pub(super) struct Passage(Mutex<State>);

fn time(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}

fn millis(micros: i64) -> f64 {
    tenths(micros as f64 / 1e3)
}

impl Default for Passage {
    fn default() -> Self {
        Self(Mutex::new(State {
            playout: Playout::new(),
            catch_up: CatchUp::new(),
            pictures: VecDeque::new(),
            shows: false,
            tally: Tally::default(),
            queue: Smooth::default(),
            decode: Smooth::default(),
            hold: Smooth::default(),
        }))
    }
}

impl Passage {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Does not count what is late because a decoder is being made.
    pub(super) fn excuse(&self, now: i64) {
        self.state().playout.excuse(now);
    }

    /// Notes a coded picture that came; the network sends in the order of `sent`.
    pub(super) fn picture_arrived(&self, now: i64, sent: i64, media: i64) {
        let mut state = self.state();
        let until = state.playout.due(media).map(|due| due.until);
        state.playout.picture.note(now, sent);
        if state.pictures.len() == MOST {
            state.pictures.pop_front();
        }
        state.pictures.push_back(OnItsWay {
            media,
            arrived: now,
            until,
            taken: None,
            show: false,
        });
    }

    /// Decides what the decoder does with the coded picture that reaches it. `backlog` is how much
    /// newer the newest one is that has come.
    pub(super) fn picture_taken(
        &self,
        now: i64,
        media: i64,
        (key, gap): (bool, bool),
        backlog: Duration,
    ) -> Verdict {
        let mut state = self.state();
        let due = state.playout.due(media);
        let late = due.map_or(Duration::ZERO, |due| time(now - due.from));
        let coded = Coded {
            key,
            gap,
            behind: late.min(backlog),
        };
        let verdict = state.catch_up.judge(coded, Instant::now());
        if verdict != Verdict::Show && state.shows {
            state.tally.skipped += 1;
        }
        let on_its_way = |picture: &OnItsWay| picture.media == media && picture.taken.is_none();
        let Some(at) = state.pictures.iter().position(on_its_way) else {
            return verdict;
        };
        if verdict == Verdict::Drop {
            state.pictures.remove(at);
        } else {
            let picture = &mut state.pictures[at];
            picture.taken = Some(now);
            picture.show = verdict == Verdict::Show;
        }
        verdict
    }

    /// Decides what to do with a decoded picture: `None` hides it.
    pub(super) fn picture_decoded(&self, now: i64, media: i64) -> Option<Ready> {
        let mut state = self.state();
        let taken = |picture: &OnItsWay| picture.media == media && picture.taken.is_some();
        let at = state.pictures.iter().position(taken);
        let found = at.and_then(|at| state.pictures.remove(at));
        let unknown = OnItsWay {
            media,
            arrived: now,
            until: None,
            taken: Some(now),
            show: true,
        };
        let picture = found.unwrap_or(unknown);
        let taken = picture.taken.unwrap_or(now);
        state.playout.decoded(now, taken);
        picture.show.then(|| Ready {
            media,
            arrived: picture.arrived,
            taken,
            decoded: now,
            due: state.playout.due(media),
            until: picture.until,
        })
    }

    pub(super) fn picture_shown(&self, now: i64, picture: Ready) {
        let mut state = self.state();
        state.shows = true;
        state.playout.shown(now, picture.media);
        state.tally.late += u64::from(picture.until.is_some_and(|until| now > until));
        state.queue.note(time(picture.taken - picture.arrived));
        state.decode.note(time(picture.decoded - picture.taken));
        state.hold.note(time(now - picture.decoded));
    }

    pub(super) fn sound_arrived(&self, now: i64, media: i64) {
        self.state().playout.sound.note(now, media);
    }

    /// The time at which decoded sound is to be played. `played` is how that before it is.
    pub(super) fn sound_decoded(&self, now: i64, media: i64, played: Played) -> Timing {
        let mut state = self.state();
        if let Some(lag) = played.lag {
            state.playout.heard(lag, played.device);
        }
        Timing {
            media,
            lag: state.playout.sound_lag().unwrap_or(now - media),
        }
    }

    /// Pictures that have come and are neither shown nor given up.
    pub(super) fn on_the_way(&self) -> u64 {
        self.state().pictures.len() as u64
    }

    pub(super) fn tally(&self) -> Tally {
        self.state().tally
    }

    /// Parts of the delay. `heard`: sound is being played.
    pub(super) fn delay(&self, heard: bool) -> PlayDelay {
        let state = self.state();
        let stages = [state.queue.ms(), state.decode.ms(), state.hold.ms()];
        let picture = match stages {
            [Some(queue), Some(decode), Some(hold)] => Some(PictureDelay {
                queue,
                decode,
                hold,
                total: tenths(queue + decode + hold),
            }),
            _ => None,
        };
        let sound = state.playout.sound_delay().filter(|_| heard);
        let after = state.playout.sound_after_picture().filter(|_| heard);
        PlayDelay {
            picture_jitter: millis(state.playout.picture.spread()),
            sound_jitter: millis(state.playout.sound.spread()),
            picture,
            sound: sound.map(|(buffer, device)| SoundDelay {
                buffer: millis(buffer),
                device: millis(device),
                total: millis(buffer + device),
            }),
            sound_after_picture: after.map(millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1000;

    /// A picture that arrives at `now` and is decoded in 3 ms.
    fn pass(passage: &Passage, now: i64, media: i64, backlog: Duration) -> Option<Ready> {
        passage.picture_arrived(now, media, media);
        let key = media == 0;
        passage.picture_taken(now + MS, media, (key, key), backlog);
        passage.picture_decoded(now + 4 * MS, media)
    }

    #[test]
    fn a_calm_stream_is_shown_at_once_and_its_stages_are_known() {
        let passage = Passage::default();
        for n in 0..60 {
            let (now, media) = (n * 33 * MS + 700 * MS, n * 33 * MS);
            let picture = pass(&passage, now, media, Duration::ZERO).expect("to be shown");
            assert_eq!(picture.wait(), Duration::ZERO);
            passage.picture_shown(now + 4 * MS, picture);
        }
        assert_eq!(passage.tally(), Tally::default());
        let delay = passage.delay(false);
        let picture = delay.picture.expect("pictures");
        assert_eq!(
            (picture.queue, picture.decode, picture.hold),
            (1.0, 3.0, 0.0)
        );
        assert_eq!((picture.total, delay.picture_jitter), (4.0, 0.0));
        assert_eq!((delay.sound, delay.sound_after_picture), (None, None));
    }

    #[test]
    fn early_pictures_wait_and_late_ones_are_counted() {
        let passage = Passage::default();
        let mut waited = 0;
        for n in 0..300 {
            let late = if n % 3 == 1 { 90 * MS } else { 0 };
            let (now, media) = (n * 100 * MS + 700 * MS + late, n * 100 * MS);
            let picture = pass(&passage, now, media, Duration::ZERO).expect("to be shown");
            let wait = i64::try_from(picture.wait().as_micros()).unwrap();
            waited += i64::from(wait > 60 * MS);
            passage.picture_shown(now + 4 * MS + wait, picture);
        }
        assert!(waited > 190, "{waited}");
        assert!(
            (1..=3).contains(&passage.tally().late),
            "the first ones only"
        );
    }

    #[test]
    fn with_a_jitter_of_100_ms_less_than_one_in_a_hundred_is_late() {
        let (passage, mut last, mut random) = (Passage::default(), 0, 7u64);
        for n in 0..1200 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let delay = (random >> 40) as i64 % (100 * MS);
            let media = n * 33_333;
            last = (media + 700 * MS + delay).max(last);
            let picture = pass(&passage, last, media, Duration::ZERO).expect("to be shown");
            let wait = i64::try_from(picture.wait().as_micros()).unwrap();
            passage.picture_shown(last + 4 * MS + wait, picture);
        }
        assert!(passage.tally().late <= 12, "{:?}", passage.tally());
    }

    #[test]
    fn a_picture_behind_a_newer_one_is_hidden_and_counted() {
        let passage = Passage::default();
        let first = pass(&passage, 0, 0, Duration::ZERO).expect("to be shown");
        passage.picture_shown(4 * MS, first);
        let hidden = pass(&passage, 1000 * MS, 33 * MS, Duration::from_millis(900));
        assert!(hidden.is_none());
        assert_eq!(
            passage.tally(),
            Tally {
                late: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn sound_is_told_when_to_play() {
        let passage = Passage::default();
        let quiet = Played::default();
        assert_eq!(passage.sound_decoded(5000, 2000, quiet).lag, 3000);
        passage.sound_arrived(5000, 2000);
        let timing = passage.sound_decoded(6000, 2000, quiet);
        assert_eq!((timing.media, timing.lag), (2000, 23_000));
        let played = Played {
            lag: Some(33_000),
            device: 10_000,
            ..quiet
        };
        passage.sound_decoded(7000, 3000, played);
        let sound = passage.delay(true).sound.expect("heard");
        assert_eq!(
            (sound.buffer, sound.device, sound.total),
            (20.0, 10.0, 30.0)
        );
    }
}
