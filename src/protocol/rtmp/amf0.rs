//! AMF0 as far as a player needs it: composes its commands, and reads a server's answers with a bound
//! on depth. Texts need not be UTF-8.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Deepest nesting that is read; answers of known servers nest twice.
const DEPTH: u32 = 8;

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    /// Of an object, a map or a typed object.
    Properties(Vec<(String, Value)>),
    /// Anything that no answer is judged by.
    Other,
}

impl Value {
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a property.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        let Self::Properties(all) = self else {
            return None;
        };
        all.iter()
            .find(|(key, _)| key == name)
            .and_then(|(_, value)| value.text())
    }
}

/// The values up to the end, or up to the first that cannot be read.
pub(super) fn read_all(mut data: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while let Some(value) = read(&mut data, DEPTH) {
        values.push(value);
    }
    values
}

fn read(data: &mut &[u8], depth: u32) -> Option<Value> {
    Some(match data.try_get_u8().ok()? {
        0 => Value::Number(data.try_get_f64().ok()?),
        1 => skip(data, 1)?,
        2 => Value::Text(text(data)?),
        3 => properties(data, depth)?,
        5 | 6 | 13 => Value::Other,
        7 => skip(data, 2)?,
        8 => {
            skip(data, 4)?;
            properties(data, depth)?
        }
        10 => {
            let count = data.try_get_u32().ok()?;
            let depth = depth.checked_sub(1)?;
            for _ in 0..count {
                read(data, depth)?;
            }
            Value::Other
        }
        11 => skip(data, 10)?,
        12 | 15 => {
            let length = data.try_get_u32().ok()?;
            skip(data, usize::try_from(length).ok()?)?
        }
        16 => {
            text(data)?;
            properties(data, depth)?
        }
        _ => return None,
    })
}

fn properties(data: &mut &[u8], depth: u32) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut all = Vec::new();
    loop {
        let name = text(data)?;
        if name.is_empty() && data.first() == Some(&9) {
            data.advance(1);
            return Some(Value::Properties(all));
        }
        all.push((name, read(data, depth)?));
    }
}

fn text(data: &mut &[u8]) -> Option<String> {
    let length = usize::from(data.try_get_u16().ok()?);
    let (text, rest) = data.split_at_checked(length)?;
    *data = rest;
    Some(String::from_utf8_lossy(text).into_owned())
}

fn skip(data: &mut &[u8], bytes: usize) -> Option<Value> {
    *data = data.get(bytes..)?;
    Some(Value::Other)
}

/// Composes values one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(BytesMut);

impl Writer {
    pub(super) fn number(mut self, value: f64) -> Self {
        self.0.put_u8(0);
        self.0.put_f64(value);
        self
    }

    pub(super) fn boolean(mut self, value: bool) -> Self {
        self.0.put_slice(&[1, u8::from(value)]);
        self
    }

    /// A text; what is longer than the 65,535 bytes of AMF0 is cut off.
    pub(super) fn text(mut self, value: &str) -> Self {
        self.0.put_u8(2);
        self.name(value)
    }

    pub(super) fn null(mut self) -> Self {
        self.0.put_u8(5);
        self
    }

    /// Begins an object; pairs of [`Writer::name`] and a value follow, and [`Writer::end`].
    pub(super) fn object(mut self) -> Self {
        self.0.put_u8(3);
        self
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.0.put_u16(length);
        self.0.put_slice(&name.as_bytes()[..usize::from(length)]);
        self
    }

    pub(super) fn end(mut self) -> Self {
        self.0.put_slice(&[0, 0, 9]);
        self
    }

    pub(super) fn bytes(self) -> Bytes {
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
        assert_eq!(values[0].text(), Some("onStatus"));
        assert_eq!(values[1].number(), Some(2.5));
        assert_eq!(values[2], Value::Other);
        assert_eq!(values[3].property("code"), Some("NetStream.Play.Start"));
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
        assert_eq!(values[1].property("code"), Some("\u{fffd}!"));
        assert_eq!(values[8], Value::Number(2.0));
    }

    #[test]
    fn depth_is_bounded() {
        for unit in [&b"\x03\0\x01a"[..], b"\x0a\0\0\0\x01"] {
            assert_eq!(read_all(&unit.repeat(100_000)), []);
        }
        let many = b"\x0a\xff\xff\xff\xff".as_slice();
        assert_eq!(read_all(many), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(data in prop::collection::vec(prop_oneof![0u8..17, any::<u8>()], 0..300)) {
            read_all(&data);
        }
    }
}
