//! Which encoders and decoders work on this machine: each is tried once in the life of the
//! process, in the background, with a few frames of the size and rate that calls will have.
//!
//! Software is tried first, so that a call that begins at once finds something; hardware is
//! preferred by the choice as soon as it has passed.

mod judge;
mod probe;
#[cfg(test)]
mod tests;
mod trial;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::MediaError;
use super::elements::{self, Element};
use super::encoder::H264;
use crate::config::kiosk::EncoderChoice;

/// A probe that found too little is made again at the next call, but not sooner than this.
const AGAIN: Duration = Duration::from_secs(30);

/// What the trials encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub kbps: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            width: 640,
            height: 480,
            fps: 30,
            kbps: 800,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    #[serde(rename = "H.264 encoder")]
    H264Encoder,
    #[serde(rename = "H.264 decoder")]
    H264Decoder,
    #[serde(rename = "AAC encoder")]
    AacEncoder,
    #[serde(rename = "AAC decoder")]
    AacDecoder,
}

impl Kind {
    pub const ALL: [Self; 4] = [
        Self::H264Encoder,
        Self::H264Decoder,
        Self::AacEncoder,
        Self::AacDecoder,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264Encoder => "H.264 encoder",
            Self::H264Decoder => "H.264 decoder",
            Self::AacEncoder => "AAC encoder",
            Self::AacDecoder => "AAC decoder",
        }
    }

    /// In the order of preference.
    fn elements(self) -> &'static [Element] {
        match self {
            Self::H264Encoder => elements::H264_ENCODERS,
            Self::H264Decoder => elements::H264_DECODERS,
            Self::AacEncoder => elements::AAC_ENCODERS,
            Self::AacDecoder => elements::AAC_DECODERS,
        }
    }
}

/// How a trial went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "detail", rename_all = "lowercase")]
pub enum Outcome {
    Untried,
    /// With what it did.
    Works(String),
    /// With the reason.
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    pub kind: Kind,
    /// GStreamer's name.
    pub element: &'static str,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What is known so far, every kind in the order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub shape: Shape,
    /// Nothing more will be found out.
    pub done: bool,
    pub trials: Vec<Trial>,
}

impl Report {
    fn new(shape: Shape) -> Self {
        let trials = Kind::ALL.into_iter().flat_map(|kind| {
            kind.elements().iter().map(move |&(element, _)| Trial {
                kind,
                element,
                outcome: Outcome::Untried,
            })
        });
        Self {
            shape,
            done: false,
            trials: trials.collect(),
        }
    }

    fn set(&mut self, element: &str, outcome: Outcome) {
        let trial = self.trials.iter_mut().find(|t| t.element == element);
        if let Some(trial) = trial {
            trial.outcome = outcome;
        }
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| trial.kind == kind)
    }

    /// Those that work, best first.
    pub fn working(&self, kind: Kind) -> impl Iterator<Item = &'static str> {
        self.of(kind)
            .filter(|trial| matches!(trial.outcome, Outcome::Works(_)))
            .map(|trial| trial.element)
    }

    /// The best of those that work and are `wanted`; `None` while that is not known yet.
    ///
    /// # Errors
    /// `NoCodec` with the reasons.
    pub(crate) fn choose(
        &self,
        kind: Kind,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<Result<&'static str, MediaError>> {
        if let Some(found) = self.working(kind).find(|element| wanted(element)) {
            return Some(Ok(found));
        }
        let untried = |trial: &Trial| trial.outcome == Outcome::Untried && wanted(trial.element);
        if !self.done && self.of(kind).any(untried) {
            return None;
        }
        Some(Err(MediaError::NoCodec {
            kind: kind.name(),
            tried: self.refused(kind, wanted),
        }))
    }

    /// What of this kind a call takes, how it did, and why better ones are not taken.
    ///
    /// # Errors
    /// Why a call has none.
    pub fn verdict(&self, kind: Kind, choice: &EncoderChoice) -> Result<String, String> {
        let chosen = match kind {
            Kind::H264Encoder => {
                H264::choose(choice, &[], self).map(|h264| h264.map(|h264| h264.element))
            }
            Kind::H264Decoder | Kind::AacEncoder | Kind::AacDecoder => self.choose(kind, |_| true),
        };
        let chosen = chosen.unwrap_or_else(|| {
            Err(MediaError::Build(format!(
                "no {} was tried yet",
                kind.name()
            )))
        });
        let chosen = chosen.map_err(|error| error.to_string())?;
        let works = self.of(kind).find_map(|trial| match &trial.outcome {
            Outcome::Works(detail) if trial.element == chosen => Some(detail.as_str()),
            _ => None,
        });
        let better = |element: &str| self.is_before(kind, element, chosen);
        let refused = self.refused(kind, better);
        let refused = if refused.is_empty() {
            refused
        } else {
            format!("; refused: {refused}")
        };
        Ok(format!("{chosen}: {}{refused}", works.unwrap_or_default()))
    }

    /// Whether `one` is preferred to `other`.
    fn is_before(&self, kind: Kind, one: &str, other: &str) -> bool {
        let mut order = self.of(kind).map(|trial| trial.element);
        order.find(|element| *element == one || *element == other) == Some(one) && one != other
    }

    /// "v4l2h264enc: not there; x264enc: no IDR came out"
    pub(crate) fn refused(&self, kind: Kind, wanted: impl Fn(&str) -> bool) -> String {
        let refused = self.of(kind).filter(|trial| wanted(trial.element));
        let reasons = refused.filter_map(|trial| match &trial.outcome {
            Outcome::Refused(reason) => Some(format!("{}: {reason}", trial.element)),
            Outcome::Untried | Outcome::Works(_) => None,
        });
        reasons.collect::<Vec<_>>().join("; ")
    }

    /// One of each kind works.
    fn is_enough(&self) -> bool {
        let works = |kind| self.working(kind).next().is_some();
        Kind::ALL.into_iter().all(works)
    }
}

struct Running {
    report: watch::Receiver<Report>,
    since: Instant,
}

static PROBE: Mutex<Option<Running>> = Mutex::new(None);

/// Starts the trials, unless they were made already or are being made, and never waits. Whoever is
/// first says with which shape.
pub(crate) fn start(shape: Shape) -> watch::Receiver<Report> {
    let mut running = PROBE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = running.as_ref().filter(|probe| {
        let report = probe.report.borrow();
        !report.done || report.is_enough() || probe.since.elapsed() < AGAIN
    });
    if let Some(known) = known {
        return known.report.clone();
    }
    let report = probe::in_background(shape);
    *running = Some(Running {
        report: report.clone(),
        since: Instant::now(),
    });
    report
}

/// What is known now; `None` before the first trials.
#[must_use]
pub fn known() -> Option<Report> {
    let running = PROBE.lock().unwrap_or_else(PoisonError::into_inner);
    running.as_ref().map(|probe| probe.report.borrow().clone())
}

/// Waits until `decide` can tell from what is known; in a process that has started its trials
/// before, that is at once.
pub(crate) async fn settle<T>(shape: Shape, decide: impl Fn(&Report) -> Option<T>) -> Option<T> {
    let mut report = start(shape);
    loop {
        let found = decide(&report.borrow_and_update());
        if found.is_some() || report.changed().await.is_err() {
            return found.or_else(|| decide(&report.borrow()));
        }
    }
}

/// Waits until everything was tried.
pub async fn finished(shape: Shape) -> Report {
    let whole = settle(shape, |report| report.done.then(|| report.clone())).await;
    whole.unwrap_or_else(|| Report::new(shape))
}

/// Tries everything now. Blocks for some hundred milliseconds, and at most some seconds for each
/// that hangs.
pub(crate) fn now(shape: Shape) -> Report {
    probe::run(shape, |_| {})
}
