//! The beginning of a foreign text, for errors and logs: one line, however long and whatever
//! it holds.

/// Longest excerpt, in characters.
const CHARS: usize = 120;

/// At most 120 characters of `text`; control characters become spaces.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(CHARS).map(plain).collect()
}

/// The same of bytes, whose first broken character ends it or is replaced.
#[must_use]
pub fn excerpt_of_bytes(bytes: &[u8]) -> String {
    // Four bytes are the longest character.
    let head = &bytes[..bytes.len().min(4 * CHARS)];
    excerpt(&String::from_utf8_lossy(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_short_and_one_line() {
        assert_eq!(excerpt("a\r\nb\u{1b}c"), "a  b c");
        assert_eq!(excerpt(&"ä".repeat(500)), "ä".repeat(CHARS));
        assert_eq!(excerpt_of_bytes(b"a\n\xff"), "a \u{fffd}");
        assert_eq!(excerpt_of_bytes(&[b'x'; 1000]).len(), CHARS);
    }
}
