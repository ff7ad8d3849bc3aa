//! FLV tags, one per RTMP message.
//!
//! Written here rather than by `flvmux`: that waits for the slower of its inputs, or else bends
//! the sound's times to the picture's. On RTMP each stream has its own times, so nothing waits.

/// FLV's codec id of H.264.
const AVC: u8 = 7;
/// FLV's codec id of AAC.
const AAC: u8 = 10;

/// FLV's type of a tag of sound.
const AUDIO_TAG: u8 = 8;
/// FLV's type of a tag of the picture.
const VIDEO_TAG: u8 = 9;
/// FLV's type of a tag of data.
const SCRIPT_TAG: u8 = 18;
/// Bytes of a tag before its body.
const HEADER_BYTES: usize = 11;

/// "AAC, 44 kHz, 16 bit, stereo": FLV wants these bits for all AAC; the truth is in its header.
const AAC_FLAGS: u8 = AAC << 4 | 0x0f;

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet {
    /// Decoder configuration: `avcC` or `AudioSpecificConfig`.
    Config,
    /// An access unit, with lengths before its NAL units, or a raw AAC frame.
    Media { key: bool },
}

/// A tag of H.264; decoding and presentation times are the same, because nothing is reordered.
pub(super) fn video(millis: u32, packet: Packet, data: &[u8]) -> Vec<u8> {
    let (frame_type, kind) = match packet {
        Packet::Config => (1, 0),
        Packet::Media { key: true } => (1, 1),
        Packet::Media { key: false } => (2, 1),
    };
    tag(
        VIDEO_TAG,
        millis,
        &[frame_type << 4 | AVC, kind, 0, 0, 0],
        data,
    )
}

/// A tag of AAC.
pub(super) fn audio(millis: u32, packet: Packet, data: &[u8]) -> Vec<u8> {
    let kind = u8::from(packet != Packet::Config);
    tag(AUDIO_TAG, millis, &[AAC_FLAGS, kind], data)
}

/// Description of the stream before it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Metadata {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
    pub(super) video_kbps: u32,
    pub(super) audio_kbps: u32,
    pub(super) audio_hz: u32,
}

/// The `onMetaData` tag.
pub(super) fn metadata(of: Metadata) -> Vec<u8> {
    let numbers = [
        ("width", of.width),
        ("height", of.height),
        ("framerate", of.fps),
        ("videodatarate", of.video_kbps),
        ("videocodecid", u32::from(AVC)),
        ("audiodatarate", of.audio_kbps),
        ("audiosamplerate", of.audio_hz),
        ("audiosamplesize", 16),
        ("audiocodecid", u32::from(AAC)),
    ];
    // AMF 0: 2 is a string, 8 an array of so many named values, 0 a number, 0 0 9 the end.
    let mut body = vec![2];
    name(&mut body, "onMetaData");
    body.push(8);
    body.extend((numbers.len() as u32).to_be_bytes());
    for (key, value) in numbers {
        name(&mut body, key);
        body.push(0);
        body.extend(f64::from(value).to_be_bytes());
    }
    body.extend([0, 0, 9]);
    tag(SCRIPT_TAG, 0, &[], &body)
}

/// An AMF 0 string without its marker; ours are short.
fn name(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text.as_bytes());
}

fn tag(kind: u8, millis: u32, prefix: &[u8], data: &[u8]) -> Vec<u8> {
    let size = (prefix.len() + data.len()) as u32;
    let [_, size_bytes @ ..] = size.to_be_bytes();
    let [high, low @ ..] = millis.to_be_bytes();
    let mut tag = Vec::with_capacity(HEADER_BYTES + size as usize + 4);
    tag.push(kind);
    tag.extend(size_bytes);
    tag.extend(low);
    tag.push(high);
    // The stream id, always 0.
    tag.extend([0; 3]);
    tag.extend(prefix);
    tag.extend(data);
    tag.extend((HEADER_BYTES as u32 + size).to_be_bytes());
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_as_the_format_says() {
        let key = video(0x0102_0304, Packet::Media { key: true }, b"ab");
        let header = [9, 0, 0, 7, 2, 3, 4, 1, 0, 0, 0];
        assert_eq!(key[..11], header);
        assert_eq!(key[11..], [0x17, 1, 0, 0, 0, b'a', b'b', 0, 0, 0, 18]);
        assert_eq!(
            video(0, Packet::Media { key: false }, b"")[11..13],
            [0x27, 1]
        );
        assert_eq!(video(0, Packet::Config, b"")[11..13], [0x17, 0]);
        assert_eq!(audio(40, Packet::Config, &[0x11])[11..14], [0xaf, 0, 0x11]);
        assert_eq!(
            audio(40, Packet::Media { key: true }, &[1])[4..13],
            [0, 0, 40, 0, 0, 0, 0, 0xaf, 1]
        );
    }

    #[test]
    fn metadata_names_the_streams() {
        let of = Metadata {
            width: 640,
            height: 360,
            fps: 30,
            video_kbps: 800,
            audio_kbps: 64,
            audio_hz: 48_000,
        };
        let tag = metadata(of);
        assert_eq!(tag[0], SCRIPT_TAG);
        let width = b"\0\x05width\0\x40\x84\0\0\0\0\0\0";
        assert!(tag.windows(width.len()).any(|bytes| bytes == width));
        let size = u32::from_be_bytes([0, tag[1], tag[2], tag[3]]) as usize;
        assert_eq!(tag.len(), HEADER_BYTES + size + 4);
    }
}
