//! Reads JSON that may have any shape: a value that does not fit counts as absent, and an entry of
//! a list that makes no sense costs itself alone.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::bounded::{ANSWER_WEIGHT, parse};

/// A type that can be read from any JSON.
pub(in crate::protocol) trait Lenient: Sized + Default {
    /// Reads a value; `None` if it makes no sense.
    fn read(value: Value) -> Option<Self>;
}

/// Reads a field, for `#[serde(deserialize_with)]`.
pub(in crate::protocol) fn lenient<'de, D: Deserializer<'de>, T: Lenient>(
    json: D,
) -> Result<T, D::Error> {
    Value::deserialize(json).map(|value| T::read(value).unwrap_or_default())
}

impl Lenient for String {
    /// A text; a number or a flag in words, an object or a list as the JSON that it would be in a
    /// text.
    fn read(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }
}

impl Lenient for u64 {
    fn read(value: Value) -> Option<Self> {
        Self::try_from(integer(&value)?).ok()
    }
}

impl Lenient for u32 {
    fn read(value: Value) -> Option<Self> {
        Self::try_from(integer(&value)?).ok()
    }
}

impl Lenient for Value {
    fn read(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl<T: Lenient> Lenient for Option<T> {
    fn read(value: Value) -> Option<Self> {
        (!value.is_null()).then(|| T::read(value))
    }
}

impl<T: Lenient> Lenient for Vec<T> {
    fn read(value: Value) -> Option<Self> {
        Some(items(value)?.into_iter().filter_map(T::read).collect())
    }
}

/// The entries of a list: also of one in a text, and of one that PHP numbered into an object. Any
/// other object is one entry.
pub(in crate::protocol) fn items(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        Value::String(text) => match parse(text.as_bytes(), ANSWER_WEIGHT) {
            Ok(Value::Array(items)) => Some(items),
            _ => None,
        },
        Value::Object(fields) => {
            let number = |key: &String| key.parse::<u32>().ok();
            let mut numbered: Vec<_> = fields.keys().filter_map(number).collect();
            if numbered.len() < fields.len() {
                return Some(vec![Value::Object(fields)]);
            }
            numbered.sort_unstable();
            let mut fields = fields;
            let entries = numbered
                .iter()
                .filter_map(|key| fields.remove(&key.to_string()));
            Some(entries.collect())
        }
        _ => None,
    }
}

/// The fields of an object: also of one in a text.
pub(in crate::protocol) fn object(value: Value) -> Option<Value> {
    match value {
        Value::Object(_) => Some(value),
        Value::String(text) => parse(text.as_bytes(), ANSWER_WEIGHT)
            .ok()
            .filter(Value::is_object),
        _ => None,
    }
}

/// Reads a whole number, also in quotes or as a float without a fraction.
pub(in crate::protocol) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0)?;
            // 2^53: up to there a float is exact.
            #[expect(clippy::cast_possible_truncation, reason = "checked")]
            (whole.abs() <= 9_007_199_254_740_992.0).then_some(whole as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => None,
    }
}

/// Names the kind of a value, which itself may be a secret.
pub(in crate::protocol) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads a field's number, 0 without one.
pub(in crate::protocol) fn number(field: Option<&Value>) -> u64 {
    field.cloned().and_then(u64::read).unwrap_or(0)
}

/// Reads a field's list, empty without one.
pub(in crate::protocol) fn list<T: Lenient>(field: Option<&Value>) -> Vec<T> {
    field.cloned().and_then(Vec::read).unwrap_or_default()
}

/// Reads a field's text, empty without one.
pub(in crate::protocol) fn text(field: Option<&Value>) -> String {
    field.cloned().and_then(String::read).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_come_in_several_shapes() {
        let read = |value| Vec::<String>::read(value);
        let both = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(read(json!(["a", null, "b"])), both);
        assert_eq!(read(json!(r#"["a","b"]"#)), both);
        assert_eq!(read(json!({"1": "b", "0": "a"})), both);
        assert_eq!(read(json!({})), Some(vec![]));
        assert_eq!(read(json!(7)), None);
        assert_eq!(read(json!("a")), None);
    }

    #[test]
    fn texts_and_numbers_stand_for_each_other() {
        assert_eq!(String::read(json!(10086)).as_deref(), Some("10086"));
        assert_eq!(
            String::read(json!({"a": [1]})).as_deref(),
            Some(r#"{"a":[1]}"#)
        );
        assert_eq!(String::read(json!(null)), None);
        assert_eq!(u64::read(json!("7")), Some(7));
        assert_eq!(u64::read(json!(7.0)), Some(7));
        assert_eq!(u64::read(json!(-7)), None);
        assert_eq!(u32::read(json!(1_u64 << 32)), None);
    }
}
