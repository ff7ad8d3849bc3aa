//! Which H.264 decoder plays a stream.

use gstreamer as gst;
use gstreamer::prelude::*;

/// An H.264 decoder that the code knows how to set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoder {
    /// The board's own decoder.
    V4l2,
    Libav,
    OpenH264,
}

impl Decoder {
    /// Hardware first, then the quicker of the two in software.
    const PREFERENCE: [Self; 3] = [Self::V4l2, Self::Libav, Self::OpenH264];

    pub(super) const fn element(self) -> &'static str {
        match self {
            Self::V4l2 => "v4l2h264dec",
            Self::Libav => "avdec_h264",
            Self::OpenH264 => "openh264dec",
        }
    }

    pub(super) const fn is_hardware(self) -> bool {
        matches!(self, Self::V4l2)
    }

    /// The element, set up to give each picture as soon as its last byte is there.
    pub(super) fn make(self, name: &str) -> Result<gst::Element, gst::glib::BoolError> {
        let builder = gst::ElementFactory::make(self.element()).name(name);
        match self {
            Self::V4l2 => builder.build(),
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

/// The best decoder that `works`; no hardware once it has failed in this stream.
pub(super) fn choose(software_only: bool, works: impl Fn(Decoder) -> bool) -> Option<Decoder> {
    Decoder::PREFERENCE
        .into_iter()
        .filter(|decoder| !(software_only && decoder.is_hardware()))
        .find(|&decoder| works(decoder))
}

/// Whether this machine has the decoder and can open it.
pub(super) fn probe(decoder: Decoder) -> bool {
    if gst::ElementFactory::find(decoder.element()).is_none() {
        return false;
    }
    if !decoder.is_hardware() {
        return true;
    }
    let Ok(element) = decoder.make("probe") else {
        return false;
    };
    let opens = element.set_state(gst::State::Ready).is_ok();
    // Closing a device that did not open changes nothing.
    let _ = element.set_state(gst::State::Null);
    opens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefers_what_works() {
        use Decoder::{Libav, OpenH264, V4l2};
        let cases: [(bool, &[Decoder], Option<Decoder>); 6] = [
            (false, &[V4l2, Libav, OpenH264], Some(V4l2)),
            (true, &[V4l2, Libav, OpenH264], Some(Libav)),
            (false, &[Libav, OpenH264], Some(Libav)),
            (false, &[OpenH264], Some(OpenH264)),
            (true, &[V4l2], None),
            (false, &[], None),
        ];
        for (software_only, works, expected) in cases {
            let chosen = choose(software_only, |decoder| works.contains(&decoder));
            assert_eq!(chosen, expected, "{works:?}");
        }
    }

    #[test]
    fn every_software_decoder_can_be_made() {
        gst::init().unwrap();
        for decoder in [Decoder::Libav, Decoder::OpenH264] {
            assert!(probe(decoder), "{decoder:?}");
            decoder.make("video-decoder").unwrap();
        }
    }
}
