//! Media messages, looked into just far enough to relay them.

use bytes::{Buf, Bytes};

use super::script_data;
use crate::protocol::rtmp::{Message, kind};

/// The kinds of media message, for somebody that wants to start or stop in mid-stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `onMetaData`.
    Metadata,
    /// Decoder configuration: needed before anything else of its kind.
    VideoHeader,
    AudioHeader,
    /// A picture that decodes alone: a group of pictures starts.
    KeyFrame,
    /// A picture that needs the ones before it.
    InterFrame,
    Audio,
}

/// A media message on its way from a publisher to players; cloning shares the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    pub(super) part: Part,
    pub(super) kind: u8,
    /// Milliseconds; wraps.
    pub(super) timestamp: u32,
    pub(super) payload: Bytes,
}

/// Bytes of bookkeeping for one queued message, so that many tiny ones are bounded too.
const OVERHEAD: usize = 128;

impl Media {
    /// Sorts a message of a publisher; `None` for what is not relayed.
    pub(super) fn from_message(message: Message) -> Option<Self> {
        let payload = message.payload;
        let (part, kind, payload) = match message.kind {
            kind::VIDEO => (video_part(&payload)?, kind::VIDEO, payload),
            kind::AUDIO => (audio_part(&payload)?, kind::AUDIO, payload),
            kind::DATA_AMF0 => (Part::Metadata, kind::DATA_AMF0, metadata(payload)?),
            kind::DATA_AMF3 if payload.first() == Some(&0) => (
                Part::Metadata,
                kind::DATA_AMF0,
                metadata(payload.slice(1..))?,
            ),
            _ => return None,
        };
        Some(Self {
            part,
            kind,
            timestamp: message.timestamp,
            payload,
        })
    }

    /// The bytes that this message costs in a bounded queue.
    pub(super) fn cost(&self) -> usize {
        self.payload.len() + OVERHEAD
    }

    /// The message for a player whose message stream is `stream`.
    pub(super) fn to_message(&self, stream: u32) -> Message {
        Message {
            kind: self.kind,
            stream,
            timestamp: self.timestamp,
            payload: self.payload.clone(),
        }
    }
}

impl Part {
    pub(super) fn is_header(self) -> bool {
        matches!(self, Self::Metadata | Self::VideoHeader | Self::AudioHeader)
    }

    pub(super) fn is_picture(self) -> bool {
        matches!(self, Self::KeyFrame | Self::InterFrame)
    }
}

/// Sorts an FLV video tag (FLV specification, E.4.3.1; enhanced RTMP v1 for the high bit).
fn video_part(payload: &[u8]) -> Option<Part> {
    let first = *payload.first()?;
    let header = if first & 0x80 == 0 {
        let codec = first & 0x0f;
        matches!(codec, 7 | 12) && payload.get(1) == Some(&0)
    } else {
        first & 0x0f == 0
    };
    let frame_type = (first >> 4) & 0x07;
    match frame_type {
        _ if header => Some(Part::VideoHeader),
        1 | 4 => Some(Part::KeyFrame),
        // 5 is a command frame: neither picture nor header.
        2 | 3 => Some(Part::InterFrame),
        _ => None,
    }
}

/// Sorts an FLV audio tag (FLV specification, E.4.2.1): 10 is AAC, 9 the enhanced header.
fn audio_part(payload: &[u8]) -> Option<Part> {
    let first = *payload.first()?;
    let header = match first >> 4 {
        10 => payload.get(1) == Some(&0),
        9 => first & 0x0f == 0,
        _ => false,
    };
    Some(if header {
        Part::AudioHeader
    } else {
        Part::Audio
    })
}

/// Metadata for players: `@setDataFrame` is for the server, they get what follows it, within the
/// bounds of [`script_data`].
fn metadata(mut payload: Bytes) -> Option<Bytes> {
    const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";
    const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";
    if payload.starts_with(SET_DATA_FRAME) {
        payload.advance(SET_DATA_FRAME.len());
    }
    if !payload.starts_with(ON_META_DATA) {
        return None;
    }
    if !script_data::is_harmless(&payload) {
        log::debug!(bytes = payload.len(); "metadata too long or too deep, not relayed");
        return None;
    }
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(message_kind: u8, payload: &'static [u8]) -> Option<Part> {
        let message = Message::new(message_kind, 1, Bytes::from_static(payload));
        Media::from_message(message).map(|media| media.part)
    }

    #[test]
    fn sorts_flv_tags() {
        for (message_kind, payload, expected) in [
            (kind::VIDEO, &[0x17, 0, 0][..], Some(Part::VideoHeader)),
            (kind::VIDEO, &[0x17, 1, 0], Some(Part::KeyFrame)),
            (kind::VIDEO, &[0x27, 1, 0], Some(Part::InterFrame)),
            (kind::VIDEO, &[0x17], Some(Part::KeyFrame)),
            (kind::VIDEO, &[0x57, 0], Some(Part::VideoHeader)),
            (kind::VIDEO, &[0x52], None),
            (kind::VIDEO, &[0x90, b'h', b'v'], Some(Part::VideoHeader)),
            (kind::VIDEO, &[0x91, b'h', b'v'], Some(Part::KeyFrame)),
            (kind::VIDEO, &[0xa1, b'h', b'v'], Some(Part::InterFrame)),
            (kind::VIDEO, &[], None),
            (kind::AUDIO, &[0xaf, 0, 0x11], Some(Part::AudioHeader)),
            (kind::AUDIO, &[0xaf, 1, 0x11], Some(Part::Audio)),
            (kind::AUDIO, &[0x2f, 0], Some(Part::Audio)),
            (kind::AUDIO, &[], None),
            (kind::USER_CONTROL, &[0], None),
            (kind::DATA_AMF0, b"\x02\x00\x05other", None),
        ] {
            assert_eq!(part(message_kind, payload), expected, "{payload:?}");
        }
    }

    #[test]
    fn players_get_metadata_without_the_instruction() {
        for (message_kind, payload) in [
            (
                kind::DATA_AMF0,
                &b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x05"[..],
            ),
            (kind::DATA_AMF0, b"\x02\x00\x0aonMetaData\x05"),
            (kind::DATA_AMF3, b"\x00\x02\x00\x0aonMetaData\x05"),
        ] {
            let message = Message::new(message_kind, 1, Bytes::from_static(payload));
            let media = Media::from_message(message).expect("metadata");
            assert_eq!(media.payload[..], b"\x02\x00\x0aonMetaData\x05"[..]);
            assert_eq!(media.kind, kind::DATA_AMF0);
        }
    }
}
