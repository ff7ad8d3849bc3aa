//! Decides, from one picture to the next, whether the H.264 that a camera makes can be sent as it
//! is. Pure.

use gstreamer as gst;

/// The facts of one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Width and height, as its parameter sets say.
    pub(super) size: Option<(i32, i32)>,
    /// Whether it needs no other picture: an IDR.
    pub(super) key: bool,
    pub(super) captured: gst::ClockTime,
}

/// Progress of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Wait for the first picture.
    Waits,
    /// Pictures come; a key frame is to be asked for.
    Flows,
    /// Wait for a key frame that was asked for.
    Asked,
    Passed,
    /// Failure, with the reason.
    Failed(String),
}

/// Goes on for as long as pictures come: a camera that passed may fail later.
#[derive(Debug)]
pub(super) struct H264Trial {
    /// Size that the pictures must have.
    size: (i32, i32),
    /// Whether the camera has passed before: its first key frame is enough.
    known: bool,
    stage: Stage,
    last: Option<gst::ClockTime>,
}

impl H264Trial {
    pub(super) fn new(size: (i32, i32), known: bool) -> Self {
        Self {
            size,
            known,
            stage: Stage::Waits,
            last: None,
        }
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Notes that the camera was asked for a key frame.
    pub(super) fn asked(&mut self) {
        if self.stage == Stage::Flows {
            self.stage = Stage::Asked;
        }
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.stage = Stage::Failed(reason);
    }

    /// Whether it passed with this picture, or failed.
    pub(super) fn see(&mut self, seen: Seen) -> bool {
        if matches!(self.stage, Stage::Failed(_)) {
            return false;
        }
        if let Some(reason) = self.fault(seen) {
            self.fail(reason);
            return true;
        }
        self.last = Some(seen.captured);
        match self.stage {
            Stage::Waits | Stage::Flows if seen.key && self.known => self.stage = Stage::Passed,
            Stage::Asked if seen.key => self.stage = Stage::Passed,
            Stage::Waits => {
                self.stage = Stage::Flows;
                return false;
            }
            Stage::Flows | Stage::Asked | Stage::Passed | Stage::Failed(_) => return false,
        }
        true
    }

    fn fault(&self, seen: Seen) -> Option<String> {
        if self.last.is_some_and(|last| seen.captured <= last) {
            let order = "its pictures do not come in the order of their times (B-frames?)";
            return Some(order.to_owned());
        }
        let (wide, high) = self.size;
        match seen.size {
            Some(size) if size == self.size => None,
            Some((width, height)) => Some(format!(
                "its pictures are {width}x{height}, not {wide}x{high}"
            )),
            None => Some("its parameter sets tell no size".to_owned()),
        }
    }
}

/// Whether an access unit, each NAL unit with its length in four bytes before it, has an IDR
/// slice. A flag of GStreamer would also be set for other intra pictures, which do not tell a
/// decoder to forget what was before.
pub(super) fn is_idr(mut unit: &[u8]) -> bool {
    while let Some((length, rest)) = unit.split_first_chunk::<4>() {
        if rest.first().is_some_and(|header| header & 0x1f == 5) {
            return true;
        }
        let length = u32::from_be_bytes(*length) as usize;
        unit = rest.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Option<(i32, i32)> = Some((640, 480));

    enum Step {
        /// A picture: its time in ms, whether it is a key frame, its size.
        See(u64, bool, Option<(i32, i32)>),
        Ask,
    }
    use Step::{Ask, See};

    fn stage(known: bool, steps: &[Step]) -> Stage {
        let mut trial = H264Trial::new((640, 480), known);
        for step in steps {
            match step {
                See(ms, key, size) => {
                    let before = trial.stage().clone();
                    let news = trial.see(Seen {
                        size: *size,
                        key: *key,
                        captured: gst::ClockTime::from_mseconds(*ms),
                    });
                    let over = matches!(trial.stage(), Stage::Passed | Stage::Failed(_));
                    assert_eq!(news, over && *trial.stage() != before);
                }
                Ask => trial.asked(),
            }
        }
        trial.stage().clone()
    }

    #[test]
    fn passes_with_a_key_frame_that_was_asked_for() {
        let failed = |reason: &str| Stage::Failed(reason.to_owned());
        let order = "its pictures do not come in the order of their times (B-frames?)";
        for (known, steps, expected) in [
            (false, &[][..], Stage::Waits),
            // Every stream begins with a key frame: that proves nothing.
            (false, &[See(0, true, SIZE)], Stage::Flows),
            (
                false,
                &[See(0, true, SIZE), See(33, true, SIZE)],
                Stage::Flows,
            ),
            (
                false,
                &[See(0, true, SIZE), Ask, See(33, false, SIZE)],
                Stage::Asked,
            ),
            (
                false,
                &[
                    See(0, true, SIZE),
                    Ask,
                    See(33, false, SIZE),
                    See(66, true, SIZE),
                ],
                Stage::Passed,
            ),
            // Nobody can be asked before pictures come.
            (false, &[Ask, See(0, true, SIZE)], Stage::Flows),
            (true, &[See(0, true, SIZE)], Stage::Passed),
            (true, &[See(0, false, SIZE)], Stage::Flows),
            (
                true,
                &[See(0, false, SIZE), See(33, true, SIZE)],
                Stage::Passed,
            ),
            (
                false,
                &[See(0, true, Some((1280, 720)))],
                failed("its pictures are 1280x720, not 640x480"),
            ),
            (
                false,
                &[See(0, true, None)],
                failed("its parameter sets tell no size"),
            ),
            (
                false,
                &[
                    See(0, true, SIZE),
                    Ask,
                    See(66, false, SIZE),
                    See(33, true, SIZE),
                ],
                failed(order),
            ),
            // It changes after it passed.
            (
                true,
                &[See(0, true, SIZE), See(33, true, Some((320, 240)))],
                failed("its pictures are 320x240, not 640x480"),
            ),
            (
                true,
                &[
                    See(33, true, SIZE),
                    See(33, false, SIZE),
                    See(66, true, SIZE),
                ],
                failed(order),
            ),
        ] {
            assert_eq!(stage(known, steps), expected);
        }
    }

    #[test]
    fn a_key_frame_has_an_idr_slice() {
        let unit = |nals: &[&[u8]]| {
            let with_length = |nal: &&[u8]| [&(nal.len() as u32).to_be_bytes()[..], nal].concat();
            nals.iter().flat_map(with_length).collect::<Vec<_>>()
        };
        let (delimiter, sps, pps) = (&[9u8, 16][..], &[0x67u8, 1, 2][..], &[0x68u8][..]);
        for (nals, key) in [
            (&[][..], false),
            (&[delimiter, &[0x41, 5, 5]], false),
            (&[delimiter, sps, pps, &[0x65, 1]], true),
            (&[sps, pps, &[0x41, 1]], false),
        ] {
            assert_eq!(is_idr(&unit(nals)), key, "{nals:?}");
        }
        assert!(!is_idr(&[0, 0, 1]) && !is_idr(&[255, 255, 255, 255, 1]));
    }
}
