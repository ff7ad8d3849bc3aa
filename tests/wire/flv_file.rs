//! FLV files tag by tag, with their own time stamps: a program that muxes anew would put every header
//! first.

use bytes::Bytes;

pub(crate) const VIDEO_LATE: &[u8] = include_bytes!("flv/video-9s-late.flv");
pub(crate) const SOUND_LATE: &[u8] = include_bytes!("flv/sound-9s-late.flv");
pub(crate) const HEVC: &[u8] = include_bytes!("flv/hevc-enhanced.flv");
pub(crate) const AV1: &[u8] = include_bytes!("flv/av1-enhanced.flv");

/// A tag: 8 is sound, 9 a picture, 18 script data.
#[derive(Debug, Clone)]
pub(crate) struct FlvTag {
    pub(crate) kind: u8,
    /// In ms.
    pub(crate) stamp: u32,
    pub(crate) data: Bytes,
}

/// All tags of a file.
pub(crate) fn tags(file: &'static [u8]) -> Vec<FlvTag> {
    let mut rest = &file[13..];
    let mut tags = Vec::new();
    while let Some(&[kind, l2, l1, l0, t2, t1, t0, t3, ..]) = rest.first_chunk::<11>() {
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        tags.push(FlvTag {
            kind,
            stamp: u32::from_be_bytes([t3, t2, t1, t0]),
            data: Bytes::from_static(&rest[11..11 + length]),
        });
        rest = &rest[15 + length..];
    }
    tags
}

/// The same `times` one after the other, in one line of time.
pub(crate) fn repeated(tags: &[FlvTag], times: u32) -> Vec<FlvTag> {
    let length = tags.iter().map(|tag| tag.stamp).max().unwrap_or(0) + 40;
    let once = |n: u32| {
        tags.iter().cloned().map(move |mut tag| {
            tag.stamp += n * length;
            tag
        })
    };
    (0..times).flat_map(once).collect()
}

/// The tags with the FourCC of H.265 in the older form, as codec 12 of FLV.
pub(crate) fn as_codec_12(tags: &[FlvTag]) -> Vec<FlvTag> {
    let change = |tag: &FlvTag| {
        let (first, rest) = (tag.data[0], tag.data.get(5..).unwrap_or_default());
        let head = [first & 0x70 | 12];
        let data = match (tag.kind, first & 0x8f) {
            (9, 0x80) => [&head[..], &[0, 0, 0, 0], rest].concat(),
            (9, 0x81) => [&head[..], &[1], rest].concat(),
            (9, 0x83) => [&head[..], &[1, 0, 0, 0], rest].concat(),
            (9, _) => return None,
            _ => return Some(tag.clone()),
        };
        Some(FlvTag {
            data: data.into(),
            ..tag.clone()
        })
    };
    tags.iter().filter_map(change).collect()
}

/// Some seconds as ffmpeg makes them.
pub(crate) fn made(seconds: u32, how: &[&str]) -> Vec<FlvTag> {
    let seconds = seconds.to_string();
    let mut ffmpeg = std::process::Command::new("ffmpeg");
    ffmpeg.args([
        "-nostdin",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-t",
        &seconds,
    ]);
    ffmpeg.args(how);
    ffmpeg.args(["-f", "flv", "-flvflags", "no_duration_filesize", "-"]);
    let output = ffmpeg.output().expect("ffmpeg is missing: install ffmpeg");
    let made = tags(output.stdout.leak());
    assert!(made.len() > 25);
    made
}
