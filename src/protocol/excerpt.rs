//! The beginning of a foreign text, for errors and logs: short and on one line, whatever the
//! text is.

/// Maximum length of an excerpt, in characters: about a line of a log.
const CHARS: usize = 120;

/// Takes at most 120 characters of `text`; control characters become spaces.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(CHARS).map(plain).collect()
}

/// Takes the same of bytes; what is not UTF-8 is replaced.
#[must_use]
pub fn excerpt_of_bytes(bytes: &[u8]) -> String {
    // A character has at most four bytes.
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
