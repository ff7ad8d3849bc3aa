//! The demuxer with the tags of real encoders, and with tracks that come, go and change.

use bytes::Bytes;

use super::demuxer::{Demuxer, FlvEvent, Packet, Track};

const VIDEO_LATE: &[u8] = include_bytes!("../../../tests/wire/flv/video-9s-late.flv");
const SOUND_LATE: &[u8] = include_bytes!("../../../tests/wire/flv/sound-9s-late.flv");
const HEVC: &[u8] = include_bytes!("../../../tests/wire/flv/hevc-enhanced.flv");
const AV1: &[u8] = include_bytes!("../../../tests/wire/flv/av1-enhanced.flv");
/// The size of the pictures in these files.
const SIZE: (u32, u32) = (160, 120);
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;

/// The tags of a file: kind, time stamp, payload.
fn tags(file: &'static [u8]) -> Vec<(u8, u32, Bytes)> {
    let mut rest = &file[13..];
    let mut tags = Vec::new();
    while let Some(&[kind, l2, l1, l0, t2, t1, t0, t3, ..]) = rest.first_chunk::<11>() {
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        let payload = Bytes::from_static(&rest[11..11 + length]);
        tags.push((kind, u32::from_be_bytes([t3, t2, t1, t0]), payload));
        rest = &rest[15 + length..];
    }
    tags
}

/// Everything that comes out when each tag arrives at its time.
fn demuxed(demuxer: &mut Demuxer, tags: &[(u8, u32, Bytes)]) -> Vec<FlvEvent> {
    let mut out = Vec::new();
    for (kind, stamp, payload) in tags {
        demuxer.take(
            *kind,
            *stamp,
            payload.clone(),
            i64::from(*stamp) * 1000,
            &mut out,
        );
    }
    out
}

fn packets(events: &[FlvEvent], track: Track) -> Vec<&Packet> {
    let packets = events.iter().filter_map(|event| match event {
        FlvEvent::Packet(packet) if packet.track == track => Some(packet),
        _ => None,
    });
    packets.collect()
}

fn reasons(events: &[FlvEvent]) -> Vec<(Track, &str)> {
    let reasons = events.iter().filter_map(|event| match event {
        FlvEvent::Passed(track, Some(reason)) => Some((*track, reason.as_str())),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn tracks_may_begin_late() {
    for (file, late, counts) in [
        (VIDEO_LATE, Track::Picture, (30, 518)),
        (SOUND_LATE, Track::Sound, (120, 131)),
    ] {
        let events = demuxed(&mut Demuxer::new(SIZE), &tags(file));
        let pictures = packets(&events, Track::Picture);
        let sounds = packets(&events, Track::Sound);
        assert_eq!((pictures.len(), sounds.len()), counts);
        let first = packets(&events, late)[0];
        assert!(first.key && first.gap);
        assert!((8_800_000..9_300_000).contains(&(first.decode - 10_000_000)));
        assert_eq!(reasons(&events), []);
    }
}

#[test]
fn what_cannot_be_played_is_named_once_and_the_sound_goes_on() {
    for (file, name, passed) in [
        (HEVC, "H.265 instead of H.264", 20),
        (AV1, "AV1 instead of H.264", 20),
    ] {
        let events = demuxed(&mut Demuxer::new(SIZE), &tags(file));
        assert_eq!(packets(&events, Track::Sound).len(), 88);
        assert_eq!(packets(&events, Track::Picture).len(), 0);
        assert_eq!(reasons(&events), [(Track::Picture, name)]);
        let pictures = |event: &&FlvEvent| matches!(event, FlvEvent::Passed(Track::Picture, _));
        assert!(events.iter().filter(pictures).count() >= passed);
    }
}

#[test]
fn a_picture_that_is_too_large_is_refused_before_a_decoder_sees_it() {
    let events = demuxed(&mut Demuxer::new((144, 128)), &tags(VIDEO_LATE));
    assert_eq!(packets(&events, Track::Picture).len(), 0);
    assert_eq!(packets(&events, Track::Sound).len(), 518);
    let reason = "a picture of 160x128, which is larger than the configuration allows";
    assert_eq!(reasons(&events), [(Track::Picture, reason)]);
    // The turned picture has as many pixels.
    let events = demuxed(&mut Demuxer::new((120, 160)), &tags(VIDEO_LATE));
    assert_eq!(packets(&events, Track::Picture).len(), 30);
}

/// A parameter set inside a picture says 7680x4320, whatever the header said.
#[test]
fn a_size_cannot_be_smuggled_in() {
    let mut tags = tags(VIDEO_LATE);
    let set = hex::decode("6764003cacd9401e000876c044000003000400000300083c20106580").unwrap();
    let keys = tags
        .iter_mut()
        .filter(|(kind, _, data)| *kind == VIDEO && data[..2] == [0x17, 1]);
    for (_, _, data) in keys.take(1) {
        let length = (set.len() as u32).to_be_bytes();
        *data = [&data[..5], &length, &set, &data[5..]].concat().into();
    }
    let events = demuxed(&mut Demuxer::new((1920, 1088)), &tags);
    let reason = "a picture of 7680x4320, which is larger than the configuration allows";
    assert_eq!(reasons(&events), [(Track::Picture, reason)]);
    let pictures = packets(&events, Track::Picture);
    // The pictures in between build on the one that is missing: the branch waits for a key frame.
    assert!(pictures[0].gap && !pictures[0].key);
    assert_eq!(pictures.len(), 29);
}

#[test]
fn codec_and_header_may_change_and_change_back() {
    let late = tags(VIDEO_LATE);
    let pictures: Vec<_> = late.iter().filter(|tag| tag.0 == VIDEO).cloned().collect();
    let mut demuxer = Demuxer::new(SIZE);
    assert_eq!(
        packets(&demuxed(&mut demuxer, &pictures), Track::Picture).len(),
        30
    );
    let other = [(VIDEO, 12_000, Bytes::from_static(b"\x93hvc1\x01"))];
    let events = demuxed(&mut demuxer, &other);
    assert_eq!(
        reasons(&events),
        [(Track::Picture, "H.265 instead of H.264")]
    );
    let events = demuxed(&mut demuxer, &pictures);
    assert_eq!(packets(&events, Track::Picture).len(), 30);
    assert!(packets(&events, Track::Picture)[0].gap);
    // The same header once more is no gap.
    let events = demuxed(&mut demuxer, &pictures);
    assert!(
        packets(&events, Track::Picture)
            .iter()
            .all(|packet| !packet.gap)
    );
    let events = demuxed(&mut demuxer, &other);
    assert_eq!(reasons(&events).len(), 1, "named anew after it was played");
}

#[test]
fn good_tags_after_bad_ones_are_played() {
    let good = tags(VIDEO_LATE);
    for bad in [
        &b"\x17\0\0\0\0\x01"[..],
        b"\x17\0\0\0\0\x01\x42\0\x1e\xff\xe1\xff\xff\x67",
        b"\x17\x01\0\0\0\xff\xff\xff\xff",
        b"\x96\x26\x96",
        b"",
    ] {
        let mut demuxer = Demuxer::new(SIZE);
        let mixed: Vec<_> = good
            .iter()
            .flat_map(|tag| [(VIDEO, tag.1, Bytes::from_static(bad)), tag.clone()])
            .collect();
        let events = demuxed(&mut demuxer, &mixed);
        assert_eq!(packets(&events, Track::Sound).len(), 518, "{bad:x?}");
        // A header that cannot be read takes the pictures with it, and no more.
        let pictures = packets(&events, Track::Picture).len();
        assert!(pictures == 30 || bad.starts_with(b"\x17\0"), "{bad:x?}");
        let events = demuxed(&mut demuxer, &good);
        assert_eq!(packets(&events, Track::Picture).len(), 30, "{bad:x?}");
    }
}

#[test]
fn script_data_goes_nowhere() {
    let bomb = b"\x03\0\x01a".repeat(100_000);
    let mut out = Vec::new();
    for kind in [15, 18] {
        Demuxer::new(SIZE).take(kind, 0, bomb.clone().into(), 0, &mut out);
    }
    assert_eq!(out, []);
}

#[test]
fn pictures_without_a_header_are_named_after_a_while() {
    let tag = (
        VIDEO,
        0,
        Bytes::from_static(b"\x27\x01\0\0\0\0\0\0\x01\x41"),
    );
    let events = demuxed(&mut Demuxer::new(SIZE), &vec![tag; 60]);
    let lack = [(Track::Picture, "H.264 without its header")];
    assert_eq!((events.len(), reasons(&events)), (60, lack.to_vec()));
}

#[test]
fn aggregates_are_taken_apart_once() {
    let inner = |kind: u8, stamp: u8, data: &[u8]| {
        let head = [kind, 0, 0, data.len() as u8, 0, 0, stamp, 0, 0, 0, 0];
        [&head, data, &[0; 4]].concat()
    };
    let sound = [
        inner(AUDIO, 10, &[0xaf, 0, 0x12, 0x10]),
        inner(AUDIO, 10, &[0xaf, 1, 7]),
        inner(AUDIO, 33, &[0xaf, 1, 8]),
    ];
    let sound = sound.concat();
    let nested = inner(22, 0, &sound);
    let mut out = Vec::new();
    let mut demuxer = Demuxer::new(SIZE);
    demuxer.take(22, 500, sound.into(), 0, &mut out);
    let times: Vec<_> = packets(&out, Track::Sound)
        .iter()
        .map(|p| p.decode)
        .collect();
    assert_eq!(times, [10_000_000, 10_023_000]);
    out.clear();
    demuxer.take(22, 600, nested.into(), 0, &mut out);
    assert_eq!(out, []);
}
