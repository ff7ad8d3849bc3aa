//! JSON from outside, which is read only if its size in memory is bounded.
//!
//! A byte of JSON may become a hundred bytes of values: each object of one empty key takes a
//! whole node of a tree. So the text is weighed first.

use serde::de::DeserializeOwned;

use super::tidy;

/// Maximum size of a request in memory, in bytes. Real ones stay below 32 KiB.
pub const REQUEST_WEIGHT: usize = 1 << 20;
/// Maximum size of an answer in memory, in bytes: four times a list of 4000 members.
pub const ANSWER_WEIGHT: usize = 16 << 20;

/// Bytes of a tree's node, which the first entry of an object allocates (11 keys and values).
const OBJECT: usize = 640;
/// Bytes of the four values for which the first one of an array reserves room.
const ARRAY: usize = 128;
/// Bytes of a further entry: its part of a node, and its key.
const ENTRY: usize = 160;

/// Reasons for which a text is not read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("{}", reason(.0))]
    Syntax(#[from] serde_json::Error),
    #[error("it has too many values: they would take {weight} bytes, {limit} are allowed")]
    TooHeavy { weight: usize, limit: usize },
}

/// Says what is wrong with a JSON text without the value that is: it may be a secret.
#[must_use]
pub fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() || text.starts_with("missing field") {
        return text;
    }
    let (found, expected) = match text.rsplit_once(", expected") {
        Some((found, expected)) => (found, format!(", expected{expected}")),
        None => ("a value that does not fit", String::new()),
    };
    let kind = found.split(['"', '`']).next().unwrap_or_default();
    format!("{}{expected}", kind.trim_end())
}

/// Reads a JSON text that takes at most `limit` bytes when read, also one that is not quite JSON.
///
/// # Errors
/// A text that is heavier, is not JSON, or is of another type.
pub fn parse<T: DeserializeOwned>(text: &[u8], limit: usize) -> Result<T, JsonError> {
    let strict = exactly(text, limit);
    let Err(JsonError::Syntax(error)) = &strict else {
        return strict;
    };
    if error.is_data() {
        return strict;
    }
    let mut tidied = tidy::texts(text).map(|text| exactly(tidy::tidy(&text).as_bytes(), limit));
    tidied.find(Result::is_ok).unwrap_or(strict)
}

fn exactly<T: DeserializeOwned>(text: &[u8], limit: usize) -> Result<T, JsonError> {
    let weight = weight(text);
    if weight > limit {
        return Err(JsonError::TooHeavy { weight, limit });
    }
    Ok(serde_json::from_slice(text)?)
}

/// Weighs a JSON text: the maximum of bytes that its values take in memory.
#[must_use]
pub fn weight(text: &[u8]) -> usize {
    let (mut weight, mut in_string, mut escaped) = (text.len(), false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => weight += OBJECT,
            b'[' => weight += ARRAY,
            b',' => weight += ENTRY,
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Bytes that a value takes beside itself, as its containers allocate them.
    fn heap(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => {
                items.capacity() * size_of::<Value>() + items.iter().map(heap).sum::<usize>()
            }
            Value::Object(fields) => {
                // Nodes have 11 places, of which a split leaves at least 5.
                let nodes = fields.len().div_ceil(5);
                let node = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
                let entries = fields.iter().map(|(key, value)| key.len() + heap(value));
                nodes * node + entries.sum::<usize>()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }

    #[test]
    fn what_is_small_on_the_wire_and_large_in_memory_is_refused() {
        for unit in [r#"{"":0}"#, "[[]]", "[0]", "0", r#"{"a":{"b":{}}}"#] {
            let text = format!("[{}]", vec![unit; (1 << 20) / unit.len()].join(","));
            let refused = parse::<Value>(text.as_bytes(), REQUEST_WEIGHT);
            assert!(matches!(refused, Err(JsonError::TooHeavy { .. })), "{unit}");
        }
    }

    #[test]
    fn no_reason_shows_a_value() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "read for its faults")]
        struct Read {
            number: u8,
            flag: Option<bool>,
        }
        for (text, said) in [
            (
                r#""s3cret, expected x""#,
                "invalid type: string, expected struct Read at line 1 column 20",
            ),
            (
                r#"{"number":"s3\"cret"}"#,
                "invalid type: string, expected u8 at line 1 column 20",
            ),
            (
                r#"{"number":4711}"#,
                "invalid value: integer, expected u8 at line 1 column 14",
            ),
            (
                r#"{"number":7,"flag":"s3cret"}"#,
                "invalid type: string, expected a boolean at line 1 column 27",
            ),
            ("{}", "missing field `number` at line 1 column 2"),
            (
                r#"{"number":"#,
                "EOF while parsing a value at line 1 column 10",
            ),
        ] {
            let error = parse::<Read>(text.as_bytes(), REQUEST_WEIGHT).unwrap_err();
            assert_eq!(error.to_string(), said, "{text}");
        }
    }

    #[test]
    fn long_texts_and_long_lists_of_members_are_read() {
        let text = json!({ "said": "{[,\\\"".repeat(20_000) }).to_string();
        assert!(parse::<Value>(text.as_bytes(), REQUEST_WEIGHT).is_ok());
        let member = json!({ "userID": "user_5a1b3c2d_0f1e", "userName": "Meier", "userAvatar": "",
            "accelerateURL": "rtmp://play.example.com/live/8525_x?bizid=8525&txSecret=0&txTime=1" });
        let list = json!({ "code": 0, "pushers": vec![member; 4000] }).to_string();
        assert!(parse::<Value>(list.as_bytes(), ANSWER_WEIGHT).is_ok());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<i32>().prop_map(Value::from),
            ".{0,9}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 200, 30, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..30).prop_map(Value::from),
                prop::collection::vec((".{0,5}", inner), 0..30)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_weighs_more_than_it_was_weighed(value in any_json()) {
            let text = value.to_string();
            let read: Value = parse(text.as_bytes(), usize::MAX).unwrap();
            prop_assert!(heap(&read) <= weight(text.as_bytes()));
        }
    }
}
