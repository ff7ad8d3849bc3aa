//! The demuxer fed by fuzz targets and property tests. It asserts what holds whatever is sent.

use bytes::{Buf, Bytes};

use super::codec::Codec;
use super::demuxer::{Demuxer, FlvEvent};
use super::tag;
use crate::protocol::rtmp::{PlayAddress, PlayConversation, PlayEvent, kind};

/// A size like that of the configuration's default.
const LARGEST: (u32, u32) = (1920, 1088);
/// Sound's header: AAC, 44.1 kHz, two channels.
const HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];
const SOUND: &[u8] = &[0xaf, 1, 0x21, 0x10];

/// More than waits for a server that does not read.
const UNREAD: usize = 20 << 10;
/// Answers of a server by which `play` is accepted: to `connect` and `createStream`, and a status.
const ACCEPTED: &[u8] =
    b"\x03\0\0\0\0\0\x14\x14\0\0\0\0\x02\0\x07_result\0\x3f\xf0\0\0\0\0\0\0\x05\
    \x03\0\0\0\0\0\x1d\x14\0\0\0\0\x02\0\x07_result\0\x40\0\0\0\0\0\0\0\x05\0\x3f\xf0\0\0\0\0\0\0\
    \x03\0\0\0\0\0\x15\x14\0\0\0\0\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0\x05";

/// A relay's bytes behind the handshake, in pieces: the first byte says how long they are, and whether
/// the relay has accepted the player.
pub fn relay(input: &[u8]) {
    let Some((&how, input)) = input.split_first() else {
        return;
    };
    let address = PlayAddress::of("rtmp://h/live/x?k=1").expect("a URL");
    let mut player = PlayConversation::new(address, &[7; 1528]);
    player.input.extend_from_slice(&[3]);
    player.input.extend_from_slice(&[9; 2 * 1536]);
    if how & 1 != 0 {
        player.input.extend_from_slice(ACCEPTED);
        assert_eq!(player.next_event(), Ok(Some(PlayEvent::Accepted)));
    }
    let (mut demuxer, mut out) = (Demuxer::new(LARGEST), Vec::new());
    for (n, piece) in input.chunks(usize::from(how >> 1) + 1).enumerate() {
        player.input.extend_from_slice(piece);
        loop {
            let message = match player.next_event() {
                Ok(Some(PlayEvent::Media(message))) => message,
                Ok(Some(_)) => continue,
                Ok(None) => break,
                Err(_) => return,
            };
            let (length, now) = (message.payload.len(), n as i64 * 1000);
            let stamp = message.timestamp;
            demuxer.take(message.kind, stamp, message.payload, now, &mut out);
            check(&out, length);
            out.clear();
        }
        assert!(player.output.len() < UNREAD, "answers are bounded");
    }
}

/// Tags as in an FLV file behind its head. Good sound after them is still played.
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

    const SEEDS: &[&[u8]] = &[
        include_bytes!("../../../tests/fuzz/seeds/player/media"),
        include_bytes!("../../../tests/fuzz/seeds/player/refused"),
    ];

    #[test]
    fn seeds_are_understood() {
        for seed in SEEDS {
            relay(seed);
            relay(&[&[0x21], &seed[1..]].concat());
        }
        tags(include_bytes!("../../../tests/fuzz/seeds/flv/h264-aac"));
        tags(include_bytes!("../../../tests/fuzz/seeds/flv/h265"));
        tags(include_bytes!("../../../tests/fuzz/seeds/flv/av1"));
    }

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
            relay(&bytes);
        }
    }
}
