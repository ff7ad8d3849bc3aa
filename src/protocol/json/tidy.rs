//! Text that is not quite JSON, made into JSON: what programs in the field are known to send.
//!
//! Half an emoji, a raw line feed in a text, a number out of all range or a value nested without
//! end cost themselves and nothing around them. What is no JSON at all stays so.

use std::borrow::Cow;

use encoding_rs::GBK;

/// Containers within each other; what is deeper becomes null. Documented ones have five.
const MAX_DEPTH: usize = 64;

/// Reads bytes as the texts that they may be, the likeliest first: UTF-8 with or without a mark in
/// front; if it is none, GBK or UTF-8 with what is wrong replaced.
pub(super) fn texts(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lossy = String::from_utf8_lossy(bytes);
    let chinese = matches!(lossy, Cow::Owned(_)) && is_rather_gbk(&lossy);
    let chinese = chinese.then(|| GBK.decode_without_bom_handling(bytes));
    let chinese = chinese.and_then(|(text, damaged)| (!damaged).then_some(text));
    chinese.into_iter().chain([lossy])
}

/// Whether a text that was read as UTF-8 has more damage than characters that are longer than a
/// byte: those of another encoding seldom look like UTF-8, and one odd field makes no encoding.
fn is_rather_gbk(lossy: &str) -> bool {
    let long = |c: &char| !c.is_ascii() && *c != '\u{fffd}';
    lossy.matches('\u{fffd}').count() > lossy.chars().filter(long).count()
}

/// Writes a text anew with what no reader of JSON takes repaired.
pub(super) fn tidy(text: &str) -> String {
    let mut tidy = Tidy {
        rest: text.trim_end_matches('\0'),
        out: String::with_capacity(text.len()),
        depth: 0,
    };
    while tidy.value() {}
    tidy.out
}

struct Tidy<'a> {
    rest: &'a str,
    out: String,
    depth: usize,
}

impl Tidy<'_> {
    /// Copies the next mark, text or word; `false` at the end.
    fn value(&mut self) -> bool {
        let Some(next) = self.rest.chars().next() else {
            return false;
        };
        match next {
            '"' => self.text(),
            '{' | '[' if self.depth == MAX_DEPTH => self.too_deep(),
            '{' | '[' => {
                self.depth += 1;
                self.copy(next);
            }
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                self.copy(next);
            }
            _ if is_of_a_word(next) => self.word(),
            // Between values they mean nothing.
            _ if next.is_control() => {
                self.skip(next);
                self.out.push(' ');
            }
            _ => self.copy(next),
        }
        true
    }

    fn skip(&mut self, character: char) {
        self.rest = &self.rest[character.len_utf8()..];
    }

    fn copy(&mut self, character: char) {
        self.out.push(character);
        self.skip(character);
    }

    /// Copies a number or a name. A number that JSON does not know becomes a text, so that whoever
    /// wants one of either kind may take it.
    fn word(&mut self) {
        let end = self.rest.find(|c| !is_of_a_word(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let numeric = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
        match word {
            "true" | "false" | "null" => self.out.push_str(word),
            _ if serde_json::from_str::<f64>(word).is_ok() => self.out.push_str(word),
            _ if word.starts_with(numeric) => {
                self.out.push('"');
                self.out.push_str(word);
                self.out.push('"');
            }
            _ => self.out.push_str("null"),
        }
    }

    /// Copies a text up to its end.
    fn text(&mut self) {
        self.copy('"');
        while let Some(next) = self.rest.chars().next() {
            match next {
                '"' => return self.copy('"'),
                '\\' => self.escape(),
                '\0'..='\x1f' => {
                    self.skip(next);
                    self.out.push_str(&format!("\\u{:04x}", u32::from(next)));
                }
                _ => self.copy(next),
            }
        }
    }

    fn escape(&mut self) {
        self.skip('\\');
        let Some(next) = self.rest.chars().next() else {
            return;
        };
        match next {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
                self.out.push('\\');
                self.copy(next);
            }
            'u' => {
                self.skip('u');
                self.code_point();
            }
            // A stroke without meaning, as JavaScript reads it.
            _ => {}
        }
    }

    /// Copies what follows `\u`; half a character becomes the sign for a damaged one.
    fn code_point(&mut self) {
        let Some(unit) = self.hex() else {
            return self.out.push('\u{fffd}');
        };
        if !(0xd800..0xe000).contains(&unit) {
            self.rest = &self.rest[4..];
            return self.out.push_str(&format!("\\u{unit:04x}"));
        }
        self.rest = &self.rest[4..];
        let second = self.rest.strip_prefix("\\u").and_then(hex);
        match second {
            Some(low) if unit < 0xdc00 && (0xdc00..0xe000).contains(&low) => {
                self.rest = &self.rest[6..];
                self.out.push_str(&format!("\\u{unit:04x}\\u{low:04x}"));
            }
            _ => self.out.push('\u{fffd}'),
        }
    }

    fn hex(&self) -> Option<u32> {
        hex(self.rest)
    }

    /// Leaves out a container with all that is in it.
    fn too_deep(&mut self) {
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        let mut end = self.rest.len();
        for (at, byte) in self.rest.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = at + 1;
                break;
            }
        }
        self.rest = &self.rest[end..];
        self.out.push_str("null");
    }
}

fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '+' | '.' | '_')
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all.then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(&tidy(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_the_field_sends_is_read() {
        for (text, meant) in [
            (r#"{"a":"Anna \ud83d"}"#, json!({"a": "Anna \u{fffd}"})),
            (
                r#"{"a":"\udc00x\ud83d\ude00"}"#,
                json!({"a": "\u{fffd}x😀"}),
            ),
            (
                r#"["\ud83d\u0041","\u12"]"#,
                json!(["\u{fffd}A", "\u{fffd}12"]),
            ),
            ("{\"a\":\"x\ty\n\u{1b}\"}", json!({"a": "x\ty\n\u{1b}"})),
            (r#"{"a":"it\'s \x"}"#, json!({"a": "it's x"})),
            (
                r#"{"a":1e999,"b":-01,"c":.5,"d":+7}"#,
                json!({"a": "1e999", "b": "-01", "c": ".5", "d": "+7"}),
            ),
            (
                r#"{"a":NaN,"b":undefined,"c":true}"#,
                json!({"a": null, "b": null, "c": true}),
            ),
            ("{\"a\":1}\0\0", json!({"a": 1})),
            ("{\u{0}\"a\":1}", json!({"a": 1})),
        ] {
            assert_eq!(read(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_nested_without_end_is_left_out_alone() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let value = read(&format!(r#"{{"a":{deep},"b":2}}"#));
        assert_eq!(value["b"], 2);
        let tricky = format!(
            r#"{{"a":{}"]}}\\\"[" {},"b":2}}"#,
            "[".repeat(200),
            "]".repeat(200)
        );
        assert_eq!(read(&tricky)["b"], 2);
    }

    #[test]
    fn encodings_are_told_apart() {
        let first = |bytes: &[u8]| texts(bytes).next().map(Cow::into_owned);
        assert_eq!(first(b"\xef\xbb\xbf{}").as_deref(), Some("{}"));
        assert_eq!(first("柜员".as_bytes()).as_deref(), Some("柜员"));
        assert_eq!(first(&GBK.encode("柜员").0).as_deref(), Some("柜员"));
        assert_eq!(first(b"caf\xe9\"").as_deref(), Some("caf\u{fffd}\""));
        let mixed = [b"\xe9tudiant ", "柜员".as_bytes()].concat();
        assert_eq!(first(&mixed).as_deref(), Some("\u{fffd}tudiant 柜员"));
    }

    proptest! {
        #[test]
        fn what_is_right_stays_as_it_is(
            value in prop_oneof![
                prop::collection::hash_map("\\PC{0,6}", any::<i64>(), 0..5).prop_map(|m| json!(m)),
                prop::collection::vec(any::<f64>(), 0..5).prop_map(|v| json!(v)),
                prop::collection::vec(".{0,9}", 0..5).prop_map(|v| json!([v, true, null])),
            ],
        ) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let strict: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read(&text), strict);
            }
        }

        #[test]
        fn no_text_does_harm(text in r#"[{}\[\]":,\\u0-9a-f\x00-\x20é😀]{0,60}"#, noise in ".{0,40}") {
            for text in [text, noise] {
                let once = tidy(&text);
                prop_assert_eq!(tidy(&once), once);
            }
        }
    }
}
