//! Reads what has arrived and says what it means: Tencent's play events, freezes, and faults of
//! a connection that pretends to be alive. Pure: facts and time come from the caller.

use std::time::Duration;

use tokio::time::Instant;

use super::facts::Facts;
use super::fault::Fault;
use crate::protocol::events::PlayCode;

/// Time for the connection and the answer to `play`.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(6);
/// Time for which a server that accepted us may stay silent before the first media.
pub(super) const STREAM_DEADLINE: Duration = Duration::from_secs(6);
/// Media that flowed and stopped for this long will not come back over this connection.
pub(super) const SILENCE_DEADLINE: Duration = Duration::from_secs(3);
/// Time of video without pictures that is a fault: the longest usual distance of key frames,
/// doubled.
const PICTURE_DEADLINE: Duration = Duration::from_secs(10);
/// Key frames among it after which a decoder that works has no excuse.
const PICTURE_KEYS: u64 = 2;
/// Time after which a picture that stands still is reported as loading.
const LOADING_AFTER: Duration = Duration::from_millis(500);
/// Time of a visible stall, by the default of Tencent's player.
const LAG_AFTER: Duration = Duration::from_millis(800);
/// Time without a picture, or without sound, after which that track has stopped: so that a call
/// knows within 3 s.
const TRACK_STOPPED: Duration = Duration::from_secs(2);
/// Time of sound before any video after which the stream has none.
const AUDIO_ONLY_AFTER: Duration = Duration::from_secs(1);

/// An event to report, with its parameters.
pub(super) type Notice = (PlayCode, [Option<i64>; 2]);

/// A counter, and since when it has not moved.
#[derive(Debug, Clone, Copy)]
struct Mark {
    value: u64,
    since: Instant,
}

impl Mark {
    fn new(now: Instant) -> Self {
        Self {
            value: 0,
            since: now,
        }
    }

    fn moved(&mut self, value: u64, now: Instant) {
        if value != self.value {
            *self = Self { value, since: now };
        }
    }

    fn still_for(self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    connected: Option<Instant>,
    /// Any media.
    media: Mark,
    video: Mark,
    /// Time since which video arrives and no picture came out of it, and the key frames before.
    undecoded: Option<(Instant, u64)>,
    /// Pictures that are played, or sound in a stream without video.
    output: Mark,
    sound_since: Option<Instant>,
    pictures: Mark,
    sound: Mark,
    /// Whether picture and sound have stopped, as last told.
    stopped: [bool; 2],
    seen: Facts,
    playing: bool,
    loading: bool,
    lagging: bool,
    freezes: u32,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            connected: None,
            media: Mark::new(now),
            video: Mark::new(now),
            undecoded: None,
            output: Mark::new(now),
            sound_since: None,
            pictures: Mark::new(now),
            sound: Mark::new(now),
            stopped: [false; 2],
            seen: Facts::default(),
            playing: false,
            loading: false,
            lagging: false,
            freezes: 0,
        }
    }

    /// Whether pictures (or sound, without video) came out of this connection.
    pub(super) fn played(&self) -> bool {
        self.playing
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Times that what was playing stood still.
    pub(super) fn freezes(&self) -> u32 {
        self.freezes
    }

    /// Notes that the connection is lost: what was playing stands still.
    pub(super) fn lost(&mut self) -> Option<Notice> {
        (self.playing && !self.loading).then(|| self.freeze())
    }

    /// The events since the last call, in their order.
    ///
    /// # Errors
    /// The fault for which this connection must be given up.
    pub(super) fn step(&mut self, facts: Facts, now: Instant) -> Result<Vec<Notice>, Fault> {
        let mut notices = self.milestones(facts, now);
        let video = facts.frames > 0;
        self.output
            .moved(if video { facts.frames } else { facts.samples }, now);
        self.media.moved(facts.media(), now);
        self.video.moved(facts.video, now);
        if facts.frames != self.seen.frames {
            self.undecoded = None;
        } else if facts.video != self.seen.video {
            self.undecoded.get_or_insert((now, self.seen.keys));
        }
        self.check_play(facts, now, &mut notices);
        notices.extend(self.check_flow(facts, now));
        self.seen = facts;
        match self.fault(facts, now) {
            Some(fault) => Err(fault),
            None => Ok(notices),
        }
    }

    /// Events that come once, or when a value changes.
    fn milestones(&mut self, facts: Facts, now: Instant) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut once = |happened: bool, code| {
            if happened {
                notices.push((code, [None; 2]));
            }
        };
        if facts.connected && self.connected.is_none() {
            self.connected = Some(now);
            self.media = Mark::new(now);
            once(true, PlayCode::ConnectSucc);
        }
        let begins = facts.media() > 0 && self.seen.media() == 0;
        once(begins, PlayCode::RtmpStreamBegin);
        once(
            facts.decoder.is_some() && self.seen.decoder.is_none(),
            PlayCode::StartVideoDecoder,
        );
        once(
            facts.keys > 0 && self.seen.keys == 0,
            PlayCode::RcvFirstIFrame,
        );
        if let Some((width, height)) = facts.size.filter(|_| facts.size != self.seen.size) {
            let params = [Some(i64::from(width)), Some(i64::from(height))];
            notices.push((PlayCode::ChangeResolution, params));
        }
        notices
    }

    fn check_play(&mut self, facts: Facts, now: Instant, notices: &mut Vec<Notice>) {
        let audio_only = facts.video == 0 && facts.samples > 0 && {
            let since = *self.sound_since.get_or_insert(now);
            now.saturating_duration_since(since) >= AUDIO_ONLY_AFTER
        };
        if !self.playing && (facts.frames > 0 || audio_only) {
            self.playing = true;
            notices.push((PlayCode::PlayBegin, [None; 2]));
        }
        if !self.playing {
            return;
        }
        let still = self.output.still_for(now);
        if still <= LOADING_AFTER {
            if self.loading {
                (self.loading, self.lagging) = (false, false);
                notices.push((PlayCode::PlayBegin, [None; 2]));
            }
            return;
        }
        if !self.loading {
            notices.push(self.freeze());
        }
        if still > LAG_AFTER && !self.lagging {
            self.lagging = true;
            let millis = i64::try_from(still.as_millis()).ok();
            notices.push((PlayCode::VideoPlayLag, [millis, None]));
        }
    }

    /// Tells when a track stops, or flows again.
    fn check_flow(&mut self, facts: Facts, now: Instant) -> Option<Notice> {
        self.pictures.moved(facts.frames, now);
        self.sound.moved(facts.samples, now);
        let flows = |mark: Mark| (mark.value > 0).then(|| mark.still_for(now) < TRACK_STOPPED);
        let flow = [flows(self.pictures), flows(self.sound)];
        let stopped = flow.map(|flows| flows == Some(false));
        if !self.playing || stopped == self.stopped {
            return None;
        }
        self.stopped = stopped;
        Some((PlayCode::TrackFlow, flow.map(|flows| flows.map(i64::from))))
    }

    fn freeze(&mut self) -> Notice {
        self.loading = true;
        self.freezes += 1;
        (PlayCode::PlayLoading, [None; 2])
    }

    fn fault(&self, facts: Facts, now: Instant) -> Option<Fault> {
        let Some(connected) = self.connected else {
            return (now.saturating_duration_since(self.started) >= ANSWER_DEADLINE)
                .then_some(Fault::NoAnswer(ANSWER_DEADLINE));
        };
        if facts.media() == 0 {
            return (now.saturating_duration_since(connected) >= STREAM_DEADLINE)
                .then_some(Fault::NoStream(STREAM_DEADLINE));
        }
        if self.media.still_for(now) >= SILENCE_DEADLINE {
            return Some(Fault::Silence(SILENCE_DEADLINE));
        }
        let (since, keys) = self.undecoded?;
        let patience = match facts.keys >= keys + PICTURE_KEYS {
            true => SILENCE_DEADLINE,
            false => PICTURE_DEADLINE,
        };
        let undecoded = facts.decoder.is_some()
            && self.video.still_for(now) < SILENCE_DEADLINE
            && now.saturating_duration_since(since) >= patience;
        undecoded.then_some(Fault::NoPicture(patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codecs::Decoder;

    const TICK: u64 = 50;

    /// Time in ms and number of each event, the fault that ended it, and the rest.
    type Story = (Vec<(u64, i32)>, Option<(u64, Fault)>, Progress);

    /// Runs `facts(ms)` every 50 ms for `millis`; the events with their time, and the fault.
    fn run(millis: u64, facts: impl Fn(u64) -> Facts) -> Story {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        let mut events = Vec::new();
        for at in (0..=millis).step_by(TICK as usize) {
            match progress.step(facts(at), start + Duration::from_millis(at)) {
                Ok(notices) => events.extend(notices.iter().map(|(code, _)| (at, code.code()))),
                Err(fault) => return (events, Some((at, fault)), progress),
            }
        }
        (events, None, progress)
    }

    /// A stream at 20 frames per second that begins at 200 ms.
    fn healthy(at: u64) -> Facts {
        let count = at.saturating_sub(150) / TICK;
        Facts {
            connected: at >= 100,
            video: count,
            keys: count.min(1),
            audio: 2 * count,
            passed: 0,
            frames: count.saturating_sub(1),
            samples: 2048 * count,
            decoder: (count > 0).then_some(Decoder::Libav),
            size: (count > 1).then_some((640, 480)),
        }
    }

    #[test]
    fn a_healthy_stream_reports_each_milestone_once() {
        let (events, fault, progress) = run(20_000, healthy);
        let expected = [
            (100, 2001),
            (200, 2002),
            (200, 2008),
            (200, 2003),
            (250, 2009),
            (250, 2004),
        ];
        assert_eq!(events, expected);
        assert_eq!(fault, None);
        assert_eq!(progress.freezes(), 0);
        assert!(progress.played() && progress.is_connected());
    }

    #[test]
    fn a_pause_is_a_freeze_and_playing_goes_on() {
        let pause = |at: u64| healthy(if at < 3000 { at } else { 3000.max(at - 1000) });
        let (events, fault, progress) = run(6000, pause);
        assert_eq!(events[6..], [(3550, 2007), (3850, 2105), (4050, 2004)]);
        assert_eq!(fault, None);
        assert_eq!(progress.freezes(), 1);
    }

    #[test]
    fn silence_is_a_fault() {
        let (events, fault, mut progress) = run(60_000, |at| healthy(at.min(3000)));
        assert_eq!(events[6..], [(3550, 2007), (3850, 2105), (5000, 2190)]);
        assert_eq!(fault, Some((6000, Fault::Silence(SILENCE_DEADLINE))));
        assert_eq!(progress.lost(), None, "already loading");
    }

    #[test]
    fn losing_what_plays_is_a_freeze() {
        let (_, _, mut progress) = run(1000, healthy);
        assert_eq!(progress.lost(), Some((PlayCode::PlayLoading, [None; 2])));
        assert_eq!(progress.freezes(), 1);
        assert_eq!(Progress::new(Instant::now()).lost(), None, "never played");
    }

    #[test]
    fn a_camera_that_is_off_is_no_fault() {
        let no_video = |at: u64| Facts {
            audio: healthy(at).audio,
            samples: healthy(at).samples,
            ..healthy(at.min(3000))
        };
        let (events, fault, _) = run(60_000, no_video);
        assert_eq!(fault, None);
        assert_eq!(events[6..], [(3550, 2007), (3850, 2105), (5000, 2190)]);
    }

    #[test]
    fn video_without_pictures_is_a_fault() {
        let stuck = |at: u64| Facts {
            frames: healthy(at.min(3000)).frames,
            ..healthy(at)
        };
        let (_, fault, _) = run(60_000, stuck);
        assert_eq!(fault, Some((13_050, Fault::NoPicture(PICTURE_DEADLINE))));
        // A key frame each second leaves less room for excuses.
        let with_keys = |at: u64| Facts {
            keys: 1 + at / 1000,
            ..stuck(at)
        };
        let (_, fault, _) = run(60_000, with_keys);
        assert_eq!(fault, Some((6050, Fault::NoPicture(SILENCE_DEADLINE))));
    }

    #[test]
    fn deadlines_of_a_connection_that_gives_nothing() {
        let (events, fault, _) = run(60_000, |_| Facts::default());
        assert_eq!(
            (events.len(), fault),
            (0, Some((6000, Fault::NoAnswer(ANSWER_DEADLINE))))
        );
        let silent = |at: u64| Facts {
            connected: at >= 100,
            ..Facts::default()
        };
        let (events, fault, _) = run(60_000, silent);
        assert_eq!(events, [(100, 2001)]);
        assert_eq!(fault, Some((6100, Fault::NoStream(STREAM_DEADLINE))));
    }

    #[test]
    fn what_cannot_be_played_is_no_fault_and_the_sound_beside_it_plays() {
        let passed = |at: u64| Facts {
            connected: at >= 100,
            passed: at / TICK,
            ..Facts::default()
        };
        let (events, fault, _) = run(60_000, passed);
        assert_eq!(events.iter().map(|event| event.1).max(), Some(2002));
        assert_eq!(fault, None);
        let beside = |at: u64| Facts {
            audio: healthy(at).audio,
            samples: healthy(at).samples,
            ..passed(at)
        };
        let (events, fault, progress) = run(60_000, beside);
        assert_eq!((events.last(), fault), (Some(&(1200, 2004)), None));
        assert_eq!(progress.freezes(), 0);
    }

    #[test]
    fn sound_alone_plays() {
        let sound = |at: u64| Facts {
            connected: healthy(at).connected,
            audio: healthy(at).audio,
            samples: healthy(at).samples,
            ..Facts::default()
        };
        let (events, fault, progress) = run(20_000, sound);
        assert_eq!(events, [(100, 2001), (200, 2002), (1200, 2004)]);
        assert_eq!(fault, None);
        assert_eq!(progress.freezes(), 0);
    }
}
