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

/// Longest word of a language, in characters, that is taken for one.
const WORD: usize = 16;

/// Takes the words at the beginning of a text that should have been something else, such as the
/// title of an error page: up to the first thing that might be a secret. Tokens, signatures and
/// URLs have digits, signs, or more than 16 letters.
#[must_use]
pub(super) fn harmless(bytes: &[u8]) -> String {
    // A character has at most four bytes.
    let head = &bytes[..bytes.len().min(16 * CHARS)];
    let text = String::from_utf8_lossy(head);
    let text = title(&text).unwrap_or(&text);
    let is_word = |word: &&str| {
        let plain = word.trim_end_matches(['.', ',', ':', ';', '!', '?']);
        plain.chars().count() <= WORD && plain.chars().all(char::is_alphabetic)
            || word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words = text.split_whitespace().take_while(is_word);
    excerpt(&words.collect::<Vec<_>>().join(" "))
}

/// The title of a page of HTML.
fn title(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let length = lower[start..].find('<')?;
    text.get(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_short_and_one_line() {
        assert_eq!(excerpt("a\r\nb\u{1b}c"), "a  b c");
        assert_eq!(excerpt(&"ä".repeat(500)), "ä".repeat(CHARS));
    }

    #[test]
    fn words_are_shown_and_secrets_are_not() {
        for (body, shown) in [
            (
                "<html>\n<head><title>502 Bad Gateway</title></head>",
                "502 Bad Gateway",
            ),
            (
                "upstream connect error or reset.",
                "upstream connect error or reset.",
            ),
            ("<br />\n<b>Notice</b>: {\"token\":\"abc\"}", ""),
            ("\u{feff}{\"token\":\"abc\"}", ""),
            ("cb({\"userSig\":\"eJx\"})", ""),
            ("token abcdefghijklmnopqrstuv", "token"),
            ("token=abc", ""),
            ("<title>rtmp://h/live/s?txSecret=1</title>", ""),
        ] {
            assert_eq!(harmless(body.as_bytes()), shown, "{body}");
        }
        assert_eq!(harmless(b"\xff\xfe"), "");
    }
}
