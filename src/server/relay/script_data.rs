//! Bounds of script data (AMF0), which a publisher's `onMetaData` is. Players hand it to parsers
//! that recurse: one of them, flvdemux, dies of deep nesting.

use bytes::Buf;

/// Longest script data that is relayed, in bytes; those of known encoders have below 2 KiB.
const MAX_LENGTH: usize = 8 * 1024;
/// Deepest nesting that is relayed; known encoders nest twice (lists of key frames).
const MAX_DEPTH: usize = 16;

/// Something that values are inside of.
enum Inside {
    /// Pairs of a name and a value, until the end marker.
    Object,
    /// As many values as are left.
    Array(u32),
}

/// Whether script data is short and flat enough for any player's parser. Data that is cut off or
/// has a marker of no meaning is judged by the part before that.
pub(super) fn is_harmless(data: &[u8]) -> bool {
    data.len() <= MAX_LENGTH && depth_stays_below(data, MAX_DEPTH)
}

fn depth_stays_below(mut data: &[u8], limit: usize) -> bool {
    let mut inside = Vec::new();
    while !data.is_empty() {
        match next(&mut data, &mut inside) {
            Some(()) if inside.len() > limit => return false,
            Some(()) => {}
            None => return true,
        }
    }
    true
}

/// Reads one marker with what belongs to it; `None` where reading cannot go on.
fn next(data: &mut &[u8], inside: &mut Vec<Inside>) -> Option<()> {
    match inside.last_mut() {
        Some(Inside::Object) => skip_text(data)?,
        Some(Inside::Array(0)) => {
            inside.pop();
            return Some(());
        }
        Some(Inside::Array(left)) => *left -= 1,
        None => {}
    }
    match data.try_get_u8().ok()? {
        0 => skip(data, 8)?,
        1 => skip(data, 1)?,
        2 => skip_text(data)?,
        3 => inside.push(Inside::Object),
        5 | 6 | 13 => {}
        7 => skip(data, 2)?,
        8 => {
            skip(data, 4)?;
            inside.push(Inside::Object);
        }
        9 => {
            inside.pop()?;
        }
        10 => inside.push(Inside::Array(data.try_get_u32().ok()?)),
        11 => skip(data, 10)?,
        12 | 15 => {
            let length = data.try_get_u32().ok()?;
            skip(data, usize::try_from(length).ok()?)?;
        }
        16 => {
            skip_text(data)?;
            inside.push(Inside::Object);
        }
        _ => return None,
    }
    Some(())
}

/// Skips a text, or the name of a value or a class.
fn skip_text(data: &mut &[u8]) -> Option<()> {
    let length = data.try_get_u16().ok()?;
    skip(data, length.into())
}

fn skip(data: &mut &[u8], bytes: usize) -> Option<()> {
    *data = data.get(bytes..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object in an object, `depth` times, with a number inside.
    fn nested(depth: usize, marker: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        for _ in 0..depth {
            data.extend_from_slice(marker);
            data.extend_from_slice(b"\x00\x01a");
        }
        data.extend_from_slice(b"\x00\0\0\0\0\0\0\0\0");
        for _ in 0..depth {
            data.extend_from_slice(b"\x00\x00\x09");
        }
        data
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let array = |depth| b"\x0a\0\0\0\x01".repeat(depth);
        let long = [b"\x0c\0\0\x20\0".as_slice(), &[b'x'; 8192]].concat();
        for (name, data, harmless) in [
            ("nothing", vec![], true),
            ("a name alone", b"\x02\x00\x0aonMetaData".to_vec(), true),
            ("16 objects", nested(16, b"\x03"), true),
            ("17 objects", nested(17, b"\x03"), false),
            ("17 maps", nested(17, b"\x08\0\0\0\x01"), false),
            ("17 typed objects", nested(17, b"\x10\x00\x01c"), false),
            ("100,000 objects", nested(100_000, b"\x03"), false),
            ("16 arrays", array(16), true),
            ("17 arrays", array(17), false),
            ("one after the other", nested(10, b"\x03").repeat(5), true),
            ("a long text", long, false),
            (
                "an array longer than the data",
                b"\x0a\xff\xff\xff\xff\x05".to_vec(),
                true,
            ),
            ("cut off", nested(16, b"\x03")[..20].to_vec(), true),
            ("a marker of no meaning", b"\xee\x03\x03".to_vec(), true),
            ("an end without a beginning", b"\x09\x05".to_vec(), true),
        ] {
            assert_eq!(is_harmless(&data), harmless, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged(data in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            is_harmless(&data);
        }
    }
}
