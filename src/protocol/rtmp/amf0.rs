//! AMF0 as far as commands need it, on both sides: composes them, and reads those of others with a
//! bound on depth. What others send need not be right: texts that are no UTF-8 are repaired, numbers
//! and texts stand for each other, and an object that breaks off keeps what came before.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Deepest nesting that is read; commands of known programs nest twice.
const DEPTH: u32 = 8;

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    /// Of an object, a map or a typed object.
    Properties(Vec<(String, Value)>),
    /// Anything by which nothing is judged: null, a flag, a list, a date.
    Other,
}

impl Value {
    /// A number, also one in a text.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite())
    }

    /// A text, also a number in words.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) if number.is_finite() => Some(number.to_string()),
            _ => None,
        }
    }

    /// The text of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<String> {
        let Self::Properties(all) = self else {
            return None;
        };
        all.iter()
            .find(|(key, _)| key == name)
            .and_then(|(_, value)| value.text())
    }
}

/// The values up to the end, or up to the first that cannot be read.
#[must_use]
pub fn read_all(data: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    let mut reader = Reader {
        data,
        broken: false,
    };
    while !reader.broken
        && let Some(value) = reader.value(DEPTH)
    {
        values.push(value);
    }
    values
}

struct Reader<'a> {
    data: &'a [u8],
    /// Something could not be read, so nothing after it can be.
    broken: bool,
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Option<Value> {
        Some(match self.data.try_get_u8().ok()? {
            0 => Value::Number(self.data.try_get_f64().ok()?),
            1 => self.skip(1)?,
            2 => Value::Text(self.name()?),
            3 => self.properties(depth)?,
            5 | 6 | 13 => Value::Other,
            7 => self.skip(2)?,
            8 => {
                self.skip(4)?;
                self.properties(depth)?
            }
            10 => {
                let count = self.data.try_get_u32().ok()?;
                let depth = depth.checked_sub(1)?;
                for _ in 0..count {
                    self.value(depth).filter(|_| !self.broken)?;
                }
                Value::Other
            }
            11 => self.skip(10)?,
            12 => {
                let length = self.data.try_get_u32().ok()?;
                Value::Text(self.text(usize::try_from(length).ok()?)?)
            }
            15 => {
                let length = self.data.try_get_u32().ok()?;
                self.skip(usize::try_from(length).ok()?)?
            }
            16 => {
                self.name()?;
                self.properties(depth)?
            }
            _ => return None,
        })
    }

    /// The properties up to the end of the object, or up to the first that cannot be read.
    fn properties(&mut self, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let mut all = Vec::new();
        while !self.broken {
            let Some(name) = self.name() else {
                self.broken = true;
                break;
            };
            if name.is_empty() && self.data.first() == Some(&9) {
                self.data.advance(1);
                break;
            }
            match self.value(depth) {
                Some(value) => all.push((name, value)),
                None => self.broken = true,
            }
        }
        Some(Value::Properties(all))
    }

    /// A text of at most 64 KiB, or a name.
    fn name(&mut self) -> Option<String> {
        let length = self.data.try_get_u16().ok()?;
        self.text(length.into())
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let (text, rest) = self.data.split_at_checked(length)?;
        self.data = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn skip(&mut self, bytes: usize) -> Option<Value> {
        self.data = self.data.get(bytes..)?;
        Some(Value::Other)
    }
}

/// Composes values one after the other.
#[derive(Debug, Default)]
pub struct Writer(BytesMut);

impl Writer {
    #[must_use]
    pub fn number(mut self, value: f64) -> Self {
        self.0.put_u8(0);
        self.0.put_f64(value);
        self
    }

    #[must_use]
    pub fn boolean(mut self, value: bool) -> Self {
        self.0.put_slice(&[1, u8::from(value)]);
        self
    }

    /// A text; what is longer than the 65,535 bytes of AMF0 is cut off.
    #[must_use]
    pub fn text(mut self, value: &str) -> Self {
        self.0.put_u8(2);
        self.name(value)
    }

    #[must_use]
    pub fn null(mut self) -> Self {
        self.0.put_u8(5);
        self
    }

    #[must_use]
    pub fn undefined(mut self) -> Self {
        self.0.put_u8(6);
        self
    }

    /// Begins an object; pairs of [`Writer::name`] and a value follow, and [`Writer::end`].
    #[must_use]
    pub fn object(mut self) -> Self {
        self.0.put_u8(3);
        self
    }

    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.0.put_u16(length);
        self.0.put_slice(&name.as_bytes()[..usize::from(length)]);
        self
    }

    #[must_use]
    pub fn end(mut self) -> Self {
        self.0.put_slice(&[0, 0, 9]);
        self
    }

    #[must_use]
    pub fn bytes(self) -> Bytes {
        self.0.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_composed_reads_the_same() {
        let composed = Writer::default().text("onStatus").number(2.5).null();
        let composed = composed.object().name("code").text("NetStream.Play.Start");
        let composed = composed.name("fpad").boolean(true).end().number(1.0);
        let values = read_all(&composed.bytes());
        assert_eq!(values[0].text().as_deref(), Some("onStatus"));
        assert_eq!(values[1].number(), Some(2.5));
        assert_eq!(values[2], Value::Other);
        let code = values[3].property("code");
        assert_eq!(code.as_deref(), Some("NetStream.Play.Start"));
        assert_eq!(values[3].property("fpad"), None);
        assert_eq!(values[4..], [Value::Number(1.0)]);
    }

    #[test]
    fn every_kind_of_value_is_passed_over() {
        let data = [
            &b"\x08\0\0\0\x01\0\x01a\x0a\0\0\0\x02\x05\x06\0\0\x09"[..],
            b"\x10\0\x01c\0\x04code\x02\0\x02\xff!\0\0\x09",
            b"\x0b\0\0\0\0\0\0\0\0\0\0\x07\0\0\x0c\0\0\0\x02ab\x0f\0\0\0\0\x0d\x01\x01",
            &[0, 0x40, 0, 0, 0, 0, 0, 0, 0],
        ];
        let values = read_all(&data.concat());
        assert_eq!(values.len(), 9);
        assert_eq!(values[1].property("code").as_deref(), Some("\u{fffd}!"));
        assert_eq!(values[4].text().as_deref(), Some("ab"));
        assert_eq!(values[8], Value::Number(2.0));
    }

    #[test]
    fn numbers_and_texts_stand_for_each_other() {
        let number = |text: &str| Value::Text(text.to_owned()).number();
        assert_eq!((number(" 3"), number("3.5")), (Some(3.0), Some(3.5)));
        assert_eq!(
            (number("x"), number("NaN"), number("inf")),
            (None, None, None)
        );
        let text = |number| Value::Number(number).text();
        assert_eq!(text(10086.0).as_deref(), Some("10086"));
        assert_eq!(text(f64::INFINITY), None);
        assert_eq!((Value::Other.text(), Value::Other.number()), (None, None));
    }

    #[test]
    fn what_comes_before_something_that_cannot_be_read_is_kept() {
        let whole = Writer::default().text("connect").number(1.0).object();
        let whole = whole.name("app").text("live").name("flashVer");
        let whole = whole.text("Flash").end().number(7.0).bytes();
        let app = |data: &[u8]| {
            read_all(data)
                .get(2)
                .and_then(|value| value.property("app"))
        };
        let behind = whole.iter().position(|&byte| byte == b'F').expect("Flash");
        for length in behind..whole.len() {
            assert_eq!(app(&whole[..length]).as_deref(), Some("live"), "{length}");
        }
        // A marker of no meaning, and nesting without end.
        for odd in [b"\xee".to_vec(), b"\x03\0\x01a".repeat(100_000)] {
            let odd = [&whole[..behind - 3], &odd[..], &whole[behind..]].concat();
            assert_eq!(app(&odd).as_deref(), Some("live"));
            assert_eq!(read_all(&odd).len(), 3, "nothing after it");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let depth = |value: &Value| {
            let inside = |value: &Value| match value {
                Value::Properties(all) => all.first().map(|(_, value)| value.clone()),
                _ => None,
            };
            std::iter::successors(Some(value.clone()), inside).count()
        };
        let nested = read_all(&b"\x03\0\x01a".repeat(100_000));
        assert_eq!(nested.iter().map(depth).sum::<usize>(), 8);
        assert_eq!(read_all(&b"\x0a\0\0\0\x01".repeat(100_000)), []);
        let many = b"\x0a\xff\xff\xff\xff".as_slice();
        assert_eq!(read_all(many), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(data in prop::collection::vec(prop_oneof![0u8..17, any::<u8>()], 0..300)) {
            let _ = read_all(&data);
        }
    }
}
