//! The decoders that play a stream: one of H.264 and one of AAC.

use gstreamer as gst;

use super::report::{CodecReport, Kind};
use crate::media::error::MediaError;

/// An H.264 decoder that the code knows how to set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// A board's own decoder, with or without a state of its own.
    V4l2,
    V4l2Stateless,
    Va,
    Nvidia,
    Libav,
    OpenH264,
}

impl Decoder {
    const ALL: [Self; 6] = [
        Self::V4l2,
        Self::V4l2Stateless,
        Self::Va,
        Self::Nvidia,
        Self::Libav,
        Self::OpenH264,
    ];

    pub(crate) const fn element(self) -> &'static str {
        match self {
            Self::V4l2 => "v4l2h264dec",
            Self::V4l2Stateless => "v4l2slh264dec",
            Self::Va => "vah264dec",
            Self::Nvidia => "nvh264dec",
            Self::Libav => "avdec_h264",
            Self::OpenH264 => "openh264dec",
        }
    }

    pub(crate) fn named(element: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|decoder| decoder.element() == element)
    }

    pub(crate) const fn is_hardware(self) -> bool {
        !matches!(self, Self::Libav | Self::OpenH264)
    }

    /// The element, set up to give each picture as soon as its last byte is there.
    pub(crate) fn make(self, name: &str) -> Result<gst::Element, gst::glib::BoolError> {
        let builder = gst::ElementFactory::make(self.element()).name(name);
        match self {
            Self::V4l2 | Self::V4l2Stateless | Self::Va | Self::Nvidia => builder.build(),
            // Threads by frame, libav's default, hold back one frame for each thread.
            Self::Libav => builder
                .property_from_str("thread-type", "slice")
                .property("output-corrupt", false)
                .property("max-errors", -1)
                .build(),
            Self::OpenH264 => builder.property("max-errors", -1).build(),
        }
    }
}

/// The decoders of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoders {
    pub(crate) h264: Decoder,
    pub(crate) aac: &'static str,
}

/// The best decoders that work; no hardware once it has failed in this stream. `None` while it is
/// not known which work.
///
/// # Errors
/// `NoCodec` with the reasons.
pub(crate) fn choose_decoders(
    software_only: bool,
    report: &CodecReport,
) -> Option<Result<Decoders, MediaError>> {
    let fits = |decoder: &Decoder| !(software_only && decoder.is_hardware());
    let wanted = |element: &str| Decoder::named(element).as_ref().is_some_and(fits);
    let found = report.choose(Kind::H264Decoder, wanted)?;
    let aac = report.choose(Kind::AacDecoder, |_| true)?;
    let known = |name: &str| {
        let unknown = || MediaError::Build(format!("{name} is not a decoder that is known"));
        Decoder::named(name).ok_or_else(unknown)
    };
    let h264 = found.and_then(known);
    Some(h264.and_then(|h264| Ok(Decoders { h264, aac: aac? })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::elements;

    #[test]
    fn every_decoder_is_known() {
        let known = Decoder::ALL.map(Decoder::element);
        let listed: Vec<_> = elements::H264_DECODERS
            .iter()
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(known.as_slice(), listed);
    }

    #[test]
    fn every_software_decoder_can_be_made() {
        gst::init().unwrap();
        for decoder in Decoder::ALL.into_iter().filter(|d| !d.is_hardware()) {
            decoder.make("video-decoder").unwrap();
        }
    }
}
