//! The findings of the trials of encoders and decoders: how each did, and the best of those that
//! work.

use serde::Serialize;

use crate::media::elements::{self, Element};
use crate::media::error::MediaError;

/// Size, rate and bitrate of the pictures in the trials.
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

    /// Elements in the order of preference.
    pub(super) fn elements(self) -> &'static [Element] {
        match self {
            Self::H264Encoder => elements::H264_ENCODERS,
            Self::H264Decoder => elements::H264_DECODERS,
            Self::AacEncoder => elements::AAC_ENCODERS,
            Self::AacDecoder => elements::AAC_DECODERS,
        }
    }
}

/// Outcome of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "detail", rename_all = "lowercase")]
pub enum Outcome {
    Untried,
    /// Fit for a call, with what it did.
    Works(String),
    /// Failure, with the reason.
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodecTrial {
    pub kind: Kind,
    /// GStreamer's name.
    pub element: &'static str,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All that is known so far, every kind in the order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodecReport {
    pub shape: Shape,
    /// Nothing more will be found out.
    pub done: bool,
    pub trials: Vec<CodecTrial>,
}

impl CodecReport {
    pub(super) fn new(shape: Shape) -> Self {
        let trials = Kind::ALL.into_iter().flat_map(|kind| {
            kind.elements().iter().map(move |&(element, _)| CodecTrial {
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

    pub(super) fn set(&mut self, element: &str, outcome: Outcome) {
        let trial = self.trials.iter_mut().find(|t| t.element == element);
        if let Some(trial) = trial {
            trial.outcome = outcome;
        }
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &CodecTrial> {
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
        let untried =
            |trial: &CodecTrial| trial.outcome == Outcome::Untried && wanted(trial.element);
        if !self.done && self.of(kind).any(untried) {
            return None;
        }
        Some(Err(MediaError::NoCodec {
            kind: kind.name(),
            tried: self.refused(kind, wanted),
        }))
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
    pub(super) fn is_enough(&self) -> bool {
        let works = |kind| self.working(kind).next().is_some();
        Kind::ALL.into_iter().all(works)
    }
}
