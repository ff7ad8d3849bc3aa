//! The formats in which pictures and sound travel inside the kiosk, as numbers and as caps.

use gstreamer as gst;
use gstreamer_audio as gst_audio;
use gstreamer_video as gst_video;

/// Samples per second of all sound in the kiosk, mono, signed 16 bit (Tencent's PC default).
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in 10 ms: what the loudspeaker gets at a time, and the only length that `webrtcdsp`
/// works on.
pub const BLOCK: usize = SAMPLE_RATE as usize / 100;
/// Ten milliseconds of sound.
pub type Block = [i16; BLOCK];

/// Caps of all sound.
pub(super) fn sound_caps() -> gst::Caps {
    gst_audio::AudioCapsBuilder::new_interleaved()
        .format(gst_audio::AUDIO_FORMAT_S16)
        .rate(SAMPLE_RATE.cast_signed())
        .channels(1)
        .build()
}

/// The samples in the bytes of a buffer of sound.
pub(super) fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
}

/// Caps of captured pictures of this size.
pub(super) fn picture_caps(size: (u32, u32)) -> gst::Caps {
    unturned_caps(size, size)
}

/// Caps of frames of this `size`, which will be pictures of the size `sent` once they are turned.
pub(super) fn unturned_caps(size: (u32, u32), sent: (u32, u32)) -> gst::Caps {
    // What a decoder assumes when the stream does not say.
    let colorimetry = if sent.1 > 576 { "bt709" } else { "bt601" };
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .width(side(size.0))
        .height(side(size.1))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("colorimetry", colorimetry)
        .build()
}

/// A number of pixels as caps carry it.
pub(super) fn side(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

/// Caps of H.264 as FLV carries it.
pub(super) fn avc_caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .build()
}

/// Caps of AAC as FLV carries it.
pub(super) fn aac_caps() -> gst::Caps {
    gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4i32)
        .field("stream-format", "raw")
        .build()
}
