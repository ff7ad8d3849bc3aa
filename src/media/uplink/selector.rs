//! Decides whether the camera's own pictures are sent or those of our encoder. Pure.
//!
//! The camera is taken over at a key frame of its own; until that comes our encoder goes on. Our
//! encoder takes over at once: the camera's last picture is followed by the next captured one,
//! which we encode as a key frame, so that nothing is lost and a mute acts immediately. Times on
//! the wire only grow.

use std::time::Duration;

/// Time at the start of a connection, while nobody sends, in which our encoder is not bothered.
const PATIENCE: Duration = Duration::from_millis(300);

/// A maker of encoded pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    Camera,
    Ours,
}

/// The fate of a captured picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {
    /// Our encoder is not given it.
    Leave,
    Encode,
    /// Our encoder is asked for a key frame first.
    EncodeAsKey,
}

#[derive(Debug)]
pub(super) struct Selector {
    feeds: Option<Branch>,
    /// The branch of which a key frame is waited for.
    waits: Option<Branch>,
    /// The time at which the wait for the camera began while nobody sends.
    waits_since: Option<Duration>,
    /// Whether our encoder begins, or was asked to begin, with a key frame.
    primed: bool,
    /// The time of the newest picture that was sent.
    last: Option<Duration>,
}

impl Default for Selector {
    fn default() -> Self {
        Self {
            feeds: None,
            waits: None,
            waits_since: None,
            // A new encoder does so by itself.
            primed: true,
            last: None,
        }
    }
}

impl Selector {
    /// The branch that sends now.
    pub(super) fn feeds(&self) -> Option<Branch> {
        self.feeds
    }

    /// The branch that is to make a key frame, so that it can take over.
    pub(super) fn waits(&self) -> Option<Branch> {
        self.waits
    }

    /// Takes a captured picture that our encoder could have; `wanted` should send now.
    pub(super) fn raw(&mut self, time: Duration, wanted: Branch) -> Raw {
        self.want(wanted);
        if self.feeds == Some(Branch::Camera) || !self.is_new(time) {
            return Raw::Leave;
        }
        if self.feeds.is_none() && wanted == Branch::Camera {
            let since = *self.waits_since.get_or_insert(time);
            if time.saturating_sub(since) < PATIENCE {
                return Raw::Leave;
            }
        }
        match std::mem::replace(&mut self.primed, true) {
            true => Raw::Encode,
            false => Raw::EncodeAsKey,
        }
    }

    /// Takes a picture from the camera; returns whether it is sent.
    pub(super) fn camera(&mut self, time: Duration, key: bool, wanted: Branch) -> bool {
        self.want(wanted);
        let goes_on = self.feeds == Some(Branch::Camera);
        let sent = wanted == Branch::Camera && (goes_on || key) && self.is_new(time);
        if sent {
            self.feeds = Some(Branch::Camera);
            self.waits = None;
            self.waits_since = None;
            self.primed = false;
            self.last = Some(time);
        }
        sent
    }

    /// Takes a picture from our encoder; returns whether it is sent.
    pub(super) fn ours(&mut self, time: Duration, key: bool) -> bool {
        let fits = match self.feeds {
            Some(Branch::Ours) => true,
            Some(Branch::Camera) => false,
            None => key,
        };
        let sent = fits && self.is_new(time);
        if sent {
            self.feeds = Some(Branch::Ours);
            self.last = Some(time);
            if self.waits == Some(Branch::Ours) {
                self.waits = None;
            }
        }
        sent
    }

    fn want(&mut self, wanted: Branch) {
        if wanted == Branch::Ours && self.feeds == Some(Branch::Camera) {
            self.feeds = None;
        }
        if wanted == Branch::Ours {
            self.waits_since = None;
        }
        self.waits = (self.feeds != Some(wanted)).then_some(wanted);
    }

    fn is_new(&self, time: Duration) -> bool {
        self.last.is_none_or(|last| time > last)
    }
}

#[cfg(test)]
mod tests {
    use super::Branch::{Camera, Ours};
    use super::*;

    /// An event at a time in ms.
    enum Event {
        /// A picture was captured, and the camera or we should send.
        Raw(u64, Branch),
        /// A picture or a key frame came from the camera.
        Own(u64, Branch),
        OwnKey(u64, Branch),
        /// The same from our encoder.
        Coded(u64),
        CodedKey(u64),
    }
    use Event::{Coded, CodedKey, Own, OwnKey, Raw as Shot};

    /// Each event's answer: "-" left or not sent, "e" encoded, "K" encoded as key, "s" sent.
    fn answers(events: &[Event]) -> String {
        let mut selector = Selector::default();
        let ms = Duration::from_millis;
        let sent = |sent: bool| if sent { 's' } else { '-' };
        let answer = |event: &Event| match *event {
            Shot(at, wanted) => match selector.raw(ms(at), wanted) {
                Raw::Leave => '-',
                Raw::Encode => 'e',
                Raw::EncodeAsKey => 'K',
            },
            Own(at, wanted) => sent(selector.camera(ms(at), false, wanted)),
            OwnKey(at, wanted) => sent(selector.camera(ms(at), true, wanted)),
            Coded(at) => sent(selector.ours(ms(at), false)),
            CodedKey(at) => sent(selector.ours(ms(at), true)),
        };
        events.iter().map(answer).collect()
    }

    #[test]
    fn one_feeds_and_the_other_takes_over() {
        for (story, events, expected) in [
            (
                "no camera of that kind",
                &[Shot(0, Ours), CodedKey(0), Shot(33, Ours), Coded(33)][..],
                "eses",
            ),
            (
                "the camera from the start",
                &[
                    Shot(0, Camera),
                    Own(33, Camera),
                    Shot(33, Camera),
                    OwnKey(66, Camera),
                    Shot(66, Camera),
                    Own(100, Camera),
                ],
                "---s-s",
            ),
            (
                "its key frame does not come: ours until it does",
                &[
                    Shot(0, Camera),
                    Shot(299, Camera),
                    Shot(333, Camera),
                    CodedKey(333),
                    Shot(366, Camera),
                    Own(400, Camera),
                    Shot(400, Camera),
                    OwnKey(433, Camera),
                    // What our encoder still had.
                    Coded(366),
                    Coded(400),
                    Shot(433, Camera),
                    Own(466, Camera),
                ],
                "--ese-es---s",
            ),
            (
                "muted and back: nothing of the camera after it, black from the next picture on",
                &[
                    OwnKey(0, Camera),
                    Shot(0, Camera),
                    Own(33, Camera),
                    // Muted before the picture that was sent is decoded.
                    Shot(33, Ours),
                    Own(66, Ours),
                    Shot(66, Ours),
                    Own(100, Ours),
                    CodedKey(66),
                    Shot(100, Ours),
                    Coded(100),
                    // Unmuted.
                    Own(133, Camera),
                    Shot(133, Camera),
                    Coded(133),
                    OwnKey(166, Camera),
                    Shot(166, Camera),
                ],
                "s-s--K-ses-ess-",
            ),
            (
                "muted for a moment: the camera goes on with a key frame only",
                &[
                    OwnKey(0, Camera),
                    Own(33, Ours),
                    Own(66, Camera),
                    Shot(66, Camera),
                    OwnKey(100, Camera),
                ],
                "s---s",
            ),
            (
                "a deltas of ours that was asked for as a key frame is not sent",
                &[
                    OwnKey(0, Camera),
                    Shot(33, Ours),
                    Coded(33),
                    Shot(66, Ours),
                    CodedKey(66),
                    Coded(100),
                ],
                "sK-ess",
            ),
            (
                "times only grow",
                &[
                    Shot(100, Ours),
                    CodedKey(100),
                    OwnKey(90, Camera),
                    OwnKey(110, Camera),
                    Own(110, Camera),
                    Shot(110, Ours),
                    Shot(120, Ours),
                    CodedKey(110),
                    CodedKey(120),
                ],
                "es-s--K-s",
            ),
        ] {
            assert_eq!(answers(events), expected, "{story}");
        }
    }

    #[test]
    fn who_is_to_make_a_key_frame_is_known_until_it_came() {
        let mut selector = Selector::default();
        let ms = Duration::from_millis;
        assert_eq!(selector.waits(), None);
        selector.raw(ms(0), Camera);
        assert_eq!(selector.waits(), Some(Camera));
        selector.camera(ms(33), true, Camera);
        assert_eq!((selector.feeds(), selector.waits()), (Some(Camera), None));
        selector.raw(ms(66), Ours);
        assert_eq!((selector.feeds(), selector.waits()), (None, Some(Ours)));
        selector.ours(ms(66), true);
        assert_eq!((selector.feeds(), selector.waits()), (Some(Ours), None));
        selector.raw(ms(100), Camera);
        assert_eq!(
            (selector.feeds(), selector.waits()),
            (Some(Ours), Some(Camera))
        );
        selector.raw(ms(133), Ours);
        assert_eq!(selector.waits(), None);
    }
}
