//! The names of what FLV can carry, by the numbers of the old format and by FourCC of enhanced RTMP.

use std::borrow::Cow;

/// A codec as the stream names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    H264,
    Aac,
    /// One that is not played.
    Other(Cow<'static, str>),
}

const fn other(name: &'static str) -> Codec {
    Codec::Other(Cow::Borrowed(name))
}

impl Codec {
    /// A picture's codec by its number (FLV specification, E.4.3.1; 12 to 14 are in use without it).
    pub(super) fn of_video(id: u8) -> Self {
        match id {
            1 => other("JPEG"),
            2 => other("Sorenson H.263"),
            3 | 6 => other("Screen video"),
            4 | 5 => other("VP6"),
            7 => Self::H264,
            8 => other("H.263"),
            9 => other("MPEG-4 part 2"),
            12 => other("H.265"),
            13 => other("AV1"),
            14 => other("VP9"),
            id => Self::Other(format!("video codec {id}").into()),
        }
    }

    /// A sound's codec by its number (FLV specification, E.4.2.1; 13 is in use without it).
    pub(super) fn of_audio(id: u8) -> Self {
        match id {
            0 | 3 => other("PCM"),
            1 => other("ADPCM"),
            2 | 14 => other("MP3"),
            4..=6 => other("Nellymoser"),
            7 => other("G.711 A-law"),
            8 => other("G.711 mu-law"),
            10 => Self::Aac,
            11 => other("Speex"),
            13 => other("Opus"),
            id => Self::Other(format!("audio codec {id}").into()),
        }
    }

    /// A codec by its FourCC (enhanced RTMP, version 2).
    pub(super) fn of_four_cc(four_cc: [u8; 4]) -> Self {
        match &four_cc {
            b"avc1" => Self::H264,
            b"mp4a" => Self::Aac,
            b"hvc1" => other("H.265"),
            b"vvc1" => other("H.266"),
            b"av01" => other("AV1"),
            b"vp08" => other("VP8"),
            b"vp09" => other("VP9"),
            b"Opus" => other("Opus"),
            b"fLaC" => other("FLAC"),
            b".mp3" => other("MP3"),
            b"ac-3" => other("AC-3"),
            b"ec-3" => other("E-AC-3"),
            _ => Self::Other(format!("codec {:?}", four_cc.escape_ascii().to_string()).into()),
        }
    }
}
