//! The headers of a picture's and a sound's message: codec, kind of packet, composition time; in the
//! old format (FLV specification, E.4) and in that of enhanced RTMP, version 2.

use bytes::{Buf, Bytes};

use super::codec::Codec;

/// Bit of a picture's first byte that announces a FourCC, and a sound's format that does.
const ENHANCED_VIDEO: u8 = 0x80;
const ENHANCED_AUDIO: u8 = 9;
/// Kinds of packets with a FourCC.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;
const MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const MOD_EX: u8 = 7;
/// Extensions before one packet; more than are defined.
const MAX_EXTENSIONS: usize = 8;
/// The track that is played of several.
const PLAYED: u8 = 0;

/// The content of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// The decoder's configuration.
    Config(Bytes),
    Frame {
        key: bool,
        /// Time in ms from decoding to showing.
        composition: i32,
        data: Bytes,
    },
    /// The end of a sequence, a command, or words about the stream.
    Nothing,
}

/// One message, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) codec: Codec,
    pub(super) body: Body,
}

/// Takes a picture's message apart; `None` when it is too short, or of a track that is not played.
pub(super) fn video(mut payload: Bytes) -> Option<Tag> {
    let first = payload.try_get_u8().ok()?;
    let frame = first >> 4 & 7;
    if first & ENHANCED_VIDEO != 0 {
        let kind = first & 0xf;
        return enhanced(payload, kind, MULTITRACK, Some(frame));
    }
    let codec = Codec::of_video(first & 0xf);
    // Of the codecs with a number, H.264 alone and those that came after it have a header.
    if !matches!(first & 0xf, 7 | 12..=14) {
        let body = frame_body(frame, 0, payload);
        return Some(Tag { codec, body });
    }
    let kind = payload.try_get_u8().ok()?;
    let composition = composition(&mut payload)?;
    let body = match kind {
        0 => Body::Config(payload),
        1 => frame_body(frame, composition, payload),
        _ => Body::Nothing,
    };
    Some(Tag { codec, body })
}

/// Takes a sound's message apart; `None` when it is too short, or of a track that is not played.
pub(super) fn audio(mut payload: Bytes) -> Option<Tag> {
    let first = payload.try_get_u8().ok()?;
    let format = first >> 4;
    if format == ENHANCED_AUDIO {
        return enhanced(payload, first & 0xf, AUDIO_MULTITRACK, None);
    }
    let codec = Codec::of_audio(format);
    if codec != Codec::Aac {
        let body = sound(payload);
        return Some(Tag { codec, body });
    }
    let body = match payload.try_get_u8().ok()? {
        0 => Body::Config(payload),
        1 => sound(payload),
        _ => Body::Nothing,
    };
    Some(Tag { codec, body })
}

fn sound(data: Bytes) -> Body {
    Body::Frame {
        key: true,
        composition: 0,
        data,
    }
}

fn frame_body(frame: u8, composition: i32, data: Bytes) -> Body {
    match frame {
        1..=4 => Body::Frame {
            key: matches!(frame, 1 | 4),
            composition,
            data,
        },
        // A command of the player's.
        _ => Body::Nothing,
    }
}

/// Reads on behind the first byte; `frame` is that of a picture.
fn enhanced(mut payload: Bytes, mut kind: u8, multitrack: u8, frame: Option<u8>) -> Option<Tag> {
    for _ in 0..MAX_EXTENSIONS {
        if kind != MOD_EX {
            break;
        }
        kind = extension(&mut payload)?;
    }
    let several = kind == multitrack;
    let mut form = 0;
    if several {
        let next = payload.try_get_u8().ok()?;
        (form, kind) = (next >> 4, next & 0xf);
    }
    // Without a FourCC there is nothing but words about the stream.
    if several && form == 2 {
        return several_tracks(payload, None, kind, frame);
    }
    let codec = Codec::of_four_cc(four_cc(&mut payload)?);
    match (several, form) {
        (false, _) => Some(packet(codec, kind, frame, payload)?),
        (true, 0) if payload.try_get_u8().ok()? == PLAYED => packet(codec, kind, frame, payload),
        (true, 1) => several_tracks(payload, Some(&codec), kind, frame),
        _ => None,
    }
}

/// Passes over an extension; the kind of what follows.
fn extension(payload: &mut Bytes) -> Option<u8> {
    let mut length = usize::from(payload.try_get_u8().ok()?) + 1;
    if length == 256 {
        length = usize::from(payload.try_get_u16().ok()?) + 1;
    }
    if payload.len() < length {
        return None;
    }
    payload.advance(length);
    Some(payload.try_get_u8().ok()? & 0xf)
}

/// Finds the track that is played among several in one message, of one codec or of their own.
fn several_tracks(
    mut payload: Bytes,
    codec: Option<&Codec>,
    kind: u8,
    frame: Option<u8>,
) -> Option<Tag> {
    loop {
        let codec = match codec {
            Some(codec) => codec.clone(),
            None => Codec::of_four_cc(four_cc(&mut payload)?),
        };
        let track = payload.try_get_u8().ok()?;
        let length = usize::try_from(payload.try_get_uint(3).ok()?).ok()?;
        if payload.len() < length {
            return None;
        }
        let data = payload.split_to(length);
        if track == PLAYED {
            return packet(codec, kind, frame, data);
        }
    }
}

fn packet(codec: Codec, kind: u8, frame: Option<u8>, mut data: Bytes) -> Option<Tag> {
    let body = match (kind, frame) {
        (SEQUENCE_START, _) => Body::Config(data),
        (CODED_FRAMES, None) => sound(data),
        (CODED_FRAMES, Some(frame)) => {
            let timed = codec == Codec::H264;
            // H.265 has a composition time too, but is not played.
            let composition = if timed { composition(&mut data)? } else { 0 };
            frame_body(frame, composition, data)
        }
        (CODED_FRAMES_X, Some(frame)) => frame_body(frame, 0, data),
        _ => Body::Nothing,
    };
    Some(Tag { codec, body })
}

fn four_cc(payload: &mut Bytes) -> Option<[u8; 4]> {
    Some(payload.try_get_u32().ok()?.to_be_bytes())
}

/// A time of 24 bits with a sign.
fn composition(payload: &mut Bytes) -> Option<i32> {
    let value = payload.try_get_uint(3).ok()? as u32;
    Some((value << 8).cast_signed() >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(read: fn(Bytes) -> Option<Tag>, payload: &[u8]) -> String {
        match read(Bytes::copy_from_slice(payload)) {
            None => "nothing".to_owned(),
            Some(Tag { codec, body }) => {
                let codec = match codec {
                    Codec::Other(name) => name.into_owned(),
                    codec => format!("{codec:?}"),
                };
                match body {
                    Body::Config(data) => format!("{codec} config {}", hex::encode(data)),
                    Body::Frame {
                        key,
                        composition,
                        data,
                    } => format!("{codec} {key} {composition} {}", hex::encode(data)),
                    Body::Nothing => codec,
                }
            }
        }
    }

    #[test]
    fn pictures() {
        for (payload, expected) in [
            (&[0x17, 0, 0, 0, 0, 0xab][..], "H264 config ab"),
            (&[0x17, 1, 0, 0, 40, 0xab], "H264 true 40 ab"),
            (&[0x27, 1, 255, 255, 255, 0xab], "H264 false -1 ab"),
            (&[0x17, 2, 0, 0, 0], "H264"),
            (&[0x57, 1, 0, 0, 0, 1], "H264"),
            (&[0x12, 0xab], "Sorenson H.263 true 0 ab"),
            (&[0x1c, 0, 0, 0, 0, 1], "H.265 config 01"),
            (&[0x1f, 1], "video codec 15 true 0 01"),
            (b"\x90avc1\x01", "H264 config 01"),
            (b"\x91avc1\0\0\x05\x01", "H264 true 5 01"),
            (b"\xa3avc1\x01", "H264 false 0 01"),
            (b"\x92avc1", "H264"),
            (b"\x94avc1\x02\0\x09colorInfo", "H264"),
            (b"\x93hvc1\x01", "H.265 true 0 01"),
            (b"\x90????", "codec \"????\" config "),
            // An extension of four bytes before coded frames.
            (b"\x97\x03abcd\x03avc1\x01", "H264 true 0 01"),
            (b"\x96\x03avc1\0\x01", "H264 true 0 01"),
            (b"\x96\x03avc1\x01\x01", "nothing"),
            (b"\x96\x13avc1\x01\0\0\x01a\0\0\0\x01b", "H264 true 0 62"),
            (b"\x96\x20vp09\x01\0\0\0avc1\0\0\0\x01b", "H264 config 62"),
            (b"\x96\x20vp09\0\xff\xff\xff", "nothing"),
            (&[0x97; 100], "nothing"),
            (&[0x17, 1, 0, 0], "nothing"),
            (&[0x17], "nothing"),
            (b"\x90hv", "nothing"),
            (&[], "nothing"),
        ] {
            assert_eq!(taken(video, payload), expected, "{payload:x?}");
        }
    }

    #[test]
    fn sounds() {
        for (payload, expected) in [
            (&[0xaf, 0, 0x12, 0x10][..], "Aac config 1210"),
            (&[0xaf, 1, 0xab], "Aac true 0 ab"),
            (&[0x2f, 0xab], "MP3 true 0 ab"),
            (&[0xb6, 0xab], "Speex true 0 ab"),
            (&[0xf0], "audio codec 15 true 0 "),
            (b"\x90Opus\x01", "Opus config 01"),
            (b"\x91mp4a\x01", "Aac true 0 01"),
            (b"\x92mp4a", "Aac"),
            (b"\x95\x01mp4a\0\x01", "Aac true 0 01"),
            (&[0xaf], "nothing"),
            (&[], "nothing"),
        ] {
            assert_eq!(taken(audio, payload), expected, "{payload:x?}");
        }
    }
}
