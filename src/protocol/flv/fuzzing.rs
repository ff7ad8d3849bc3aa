//! The demuxer fed by fuzz targets and property tests. It asserts what holds whatever is sent.

use bytes::{Buf, Bytes};

use super::codec::Codec;
use super::demuxer::{Demuxer, FlvEvent};
use super::tag;
use crate::protocol::rtmp::kind;

/// A size like that of the configuration's default.
const LARGEST: (u32, u32) = (1920, 1088);
/// Sound's header: AAC, 44.1 kHz, two channels.
const HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];
const SOUND: &[u8] = &[0xaf, 1, 0x21, 0x10];

/// Tags as in an FLV file, with or without its head; after each, the demuxer still takes good sound
/// unless the stream has said that its sound is something else.
pub fn tags(mut input: &[u8]) {
    let mut demuxer = Demuxer::new(LARGEST);
    let (mut now, mut out) = (0, Vec::new());
    while let Some(head) = input.first_chunk::<11>() {
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        let stamp = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
        let message_kind = head[0];
        input.advance(11);
        let (payload, rest) = input.split_at(length.min(input.len()));
        input = &rest[rest.len().min(4)..];
        now += 1000;
        let payload = Bytes::copy_from_slice(payload);
        demuxer.take(message_kind, stamp, payload.clone(), now, &mut out);
        check(&out, payload.len());
        out.clear();
    }
    demuxer.take(kind::AUDIO, 0, Bytes::from_static(HEADER), now, &mut out);
    demuxer.take(kind::AUDIO, 5, Bytes::from_static(SOUND), now, &mut out);
    let heard = out.iter().any(|event| matches!(event, FlvEvent::Packet(_)));
    assert!(heard, "good sound after bad is played");
}

fn check(out: &[FlvEvent], length: usize) {
    let mut bytes = 0;
    for event in out {
        match event {
            FlvEvent::Packet(packet) => {
                assert!(packet.decode >= 0 && packet.show >= 0);
                assert!(!packet.config.is_empty() && packet.data.len() <= length);
                bytes += packet.data.len();
            }
            FlvEvent::Passed(_, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                assert!(reason.len() < 100 && !reason.contains(char::is_control));
            }
        }
    }
    assert!(bytes <= length, "nothing is made up");
}

/// The headers of single messages: a codec's name is short and plain.
pub fn headers(input: &[u8]) {
    let input = Bytes::copy_from_slice(input);
    for tag in [tag::video(input.clone()), tag::audio(input)] {
        if let Some(Codec::Other(name)) = tag.map(|tag| tag.codec) {
            assert!(name.len() < 40 && !name.contains(char::is_control));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VIDEO_LATE: &[u8] = include_bytes!("../../../tests/wire/flv/video-9s-late.flv");

    fn tag() -> impl Strategy<Value = Vec<u8>> {
        let head = prop_oneof![
            Just(&b"\x17\0\0\0\0\x01\x42\0\x1e\xff\xe1\0\x09\x67\x42\xc0\x1e\xd9\x00\xa0\x47\xfe\x01\0\x02\x68\xce"[..]),
            Just(&b"\x17\x01\0\0\0\0\0\0\x02\x65\x88"[..]),
            Just(&b"\x27\x01\0\0\0\0\0\0\x02\x41\x88"[..]),
            Just(HEADER),
            Just(SOUND),
            Just(&b"\x91hvc1\0\0\0"[..]),
            Just(&b"\x96\x13avc1"[..]),
        ];
        let message_kind = prop_oneof![Just(8u8), Just(9), Just(18), Just(22), any::<u8>()];
        let body = prop::collection::vec(any::<u8>(), 0..30);
        let stamp = prop_oneof![0u32..1000, any::<u32>()];
        (message_kind, head, body, stamp).prop_map(|(message_kind, head, body, stamp)| {
            let payload = [head, &body].concat();
            let [t3, t2, t1, t0] = stamp.to_be_bytes();
            let head = [
                message_kind,
                0,
                0,
                payload.len() as u8,
                t2,
                t1,
                t0,
                t3,
                0,
                0,
                0,
            ];
            [&head[..], &payload, &[0; 4]].concat()
        })
    }

    proptest! {
        #[test]
        fn random_tags(all in prop::collection::vec(tag(), 0..40)) {
            tags(&all.concat());
        }

        #[test]
        fn mutated_tags(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..50)) {
            let mut file = VIDEO_LATE[13..].to_vec();
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            tags(&file);
        }

        #[test]
        fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            tags(&bytes);
            headers(&bytes);
        }
    }
}
