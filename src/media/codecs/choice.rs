//! Chooses the encoder of a call from those that work, and says why it takes no better one.

use super::h264::unknown;
use super::report::{CodecReport, Kind, Outcome};
use super::table::H264;
use crate::config::kiosk::EncoderChoice;
use crate::media::error::MediaError;

impl H264 {
    /// The encoder to use, from what works and has not `failed` since; `None` while that is not
    /// known yet.
    ///
    /// # Errors
    /// `NoCodec` with what was tried, or with what may be named.
    pub(crate) fn choose(
        choice: &EncoderChoice,
        failed: &[&str],
        report: &CodecReport,
    ) -> Option<Result<&'static Self, MediaError>> {
        if let EncoderChoice::Named(name) = choice
            && Self::named(name).is_none()
        {
            return Some(Err(unknown(name)));
        }
        let wanted = |element: &str| {
            let named = match choice {
                EncoderChoice::Auto | EncoderChoice::Camera => true,
                EncoderChoice::Named(name) => element == name,
            };
            named && !failed.contains(&element)
        };
        let found = report.choose(Kind::H264Encoder, wanted)?;
        Some(found.and_then(|element| Self::named(element).ok_or_else(|| unknown(element))))
    }
}

impl CodecReport {
    /// The element of this kind that a call takes, how it did, and why better ones are not taken.
    ///
    /// # Errors
    /// The reason why a call has none.
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
}
