//! Reads JSON that may have any shape: a value that does not fit counts as empty.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A type that can be made from any JSON.
pub(super) trait Lenient: Sized {
    fn of(value: Value) -> Self;
}

/// Reads a field, for `#[serde(deserialize_with)]`.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: Lenient>(json: D) -> Result<T, D::Error> {
    Value::deserialize(json).map(T::of)
}

impl Lenient for String {
    fn of(value: Value) -> Self {
        match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => Self::new(),
        }
    }
}

impl Lenient for u64 {
    fn of(value: Value) -> Self {
        integer(&value)
            .and_then(|number| Self::try_from(number).ok())
            .unwrap_or(0)
    }
}

impl Lenient for Value {
    fn of(value: Value) -> Self {
        value
    }
}

impl<T: Lenient> Lenient for Vec<T> {
    fn of(value: Value) -> Self {
        match value {
            Value::Array(items) => items.into_iter().map(T::of).collect(),
            _ => vec![],
        }
    }
}

/// Reads a whole number, also in quotes or as a float without a fraction.
pub(super) fn integer(value: &Value) -> Option<i64> {
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

/// Reads a field's number, 0 without one.
pub(super) fn number(field: Option<&Value>) -> u64 {
    field
        .and_then(integer)
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or(0)
}

/// Reads a field's text, empty without one.
pub(super) fn text(field: Option<&Value>) -> String {
    field.cloned().map(String::of).unwrap_or_default()
}
