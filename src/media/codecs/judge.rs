//! Judges an element by the facts of its trial. Pure.

use std::time::Duration;

use super::report::{Kind, Outcome, Shape};

/// Facts of the trial of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// GStreamer does not know it. Plugins of hardware announce only what the board has.
    Missing {
        hardware: bool,
    },
    /// Failure: it reported an error, or cannot be built or linked.
    Broken(String),
    /// Too little came out within this time.
    Hung(Duration),
    Ran(Run),
}

/// Facts of a trial that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    pub(super) put_in: usize,
    pub(super) came_out: usize,
    /// Whether an H.264 encoder gave its parameter sets, and a picture that needs no other.
    pub(super) parameters: bool,
    pub(super) idr: bool,
    pub(super) took: Duration,
}

pub(super) fn judge(kind: Kind, finding: &Finding, package: &str, shape: Shape) -> Outcome {
    let run = match finding {
        Finding::Missing { hardware: true } => {
            return Outcome::Refused(format!("no such hardware, or {package} is missing"));
        }
        Finding::Missing { hardware: false } => {
            return Outcome::Refused(format!("{package} is missing"));
        }
        Finding::Broken(reason) => return Outcome::Refused(reason.clone()),
        Finding::Hung(deadline) => {
            return Outcome::Refused(format!(
                "nothing to use within {:.0} s",
                deadline.as_secs_f64()
            ));
        }
        Finding::Ran(run) => run,
    };
    let (put_in, came_out) = (run.put_in, run.came_out);
    let what = match kind {
        Kind::H264Encoder | Kind::H264Decoder => "pictures",
        Kind::AacEncoder | Kind::AacDecoder => "pieces of sound",
    };
    // Codecs of sound may begin late and end early, and rate control may leave a picture out.
    if came_out * 2 < put_in {
        return Outcome::Refused(format!("only {came_out} of {put_in} {what} came out"));
    }
    match (kind, run.parameters, run.idr) {
        (Kind::H264Encoder, false, _) => {
            return Outcome::Refused("its stream has no parameter sets (SPS, PPS)".to_owned());
        }
        (Kind::H264Encoder, true, false) => {
            return Outcome::Refused("its stream has no IDR picture".to_owned());
        }
        _ => {}
    }
    let millis = run.took.as_secs_f64() * 1000.0;
    Outcome::Works(match kind {
        Kind::H264Encoder | Kind::H264Decoder => {
            let Shape { width, height, .. } = shape;
            format!("{came_out} {what} of {width}x{height} in {millis:.0} ms")
        }
        Kind::AacEncoder | Kind::AacDecoder => format!("{came_out} {what} in {millis:.0} ms"),
    })
}
