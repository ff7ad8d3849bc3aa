//! Aggregate messages (RTMP specification, section 7.1.6): FLV tags in one message, whose time stamps
//! count from that of the message. An aggregate in an aggregate is passed over.

use bytes::{Buf, Bytes};

/// Bytes of a tag's header, and of the length behind the tag.
const HEADER: usize = 11;
const BEHIND: usize = 4;

/// A tag of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) kind: u8,
    pub(super) stamp: u32,
    pub(super) payload: Bytes,
}

/// The tags of an aggregate with the time stamp `stamp`.
#[derive(Debug)]
pub(super) struct Aggregate {
    rest: Bytes,
    stamp: u32,
    first: Option<u32>,
}

impl Aggregate {
    pub(super) fn new(payload: Bytes, stamp: u32) -> Self {
        Self {
            rest: payload,
            stamp,
            first: None,
        }
    }
}

impl Iterator for Aggregate {
    type Item = Inner;

    fn next(&mut self) -> Option<Inner> {
        let [kind, l2, l1, l0, t2, t1, t0, t3, ..] = *self.rest.first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        let stamp = u32::from_be_bytes([t3, t2, t1, t0]);
        if self.rest.len() < HEADER + length {
            return None;
        }
        self.rest.advance(HEADER);
        let payload = self.rest.split_to(length);
        self.rest.advance(BEHIND.min(self.rest.len()));
        let first = *self.first.get_or_insert(stamp);
        Some(Inner {
            kind,
            stamp: self.stamp.wrapping_add(stamp.wrapping_sub(first)),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_count_from_that_of_the_message() {
        let tag = |kind: u8, stamp: u8, data: &[u8]| {
            let head = [kind, 0, 0, data.len() as u8, 0, 0, stamp, 0, 0, 0, 0];
            [&head, data, &[0, 0, 0, 11 + data.len() as u8]].concat()
        };
        let whole = [tag(8, 30, b"ab"), tag(9, 50, b"c"), tag(8, 20, b"")].concat();
        for cut in [0, 3, 5, 16, 40] {
            let payload = Bytes::copy_from_slice(&whole[..whole.len() - cut]);
            let inner: Vec<_> = Aggregate::new(payload, 1000).collect();
            let expected = [(8, 1000, &b"ab"[..]), (9, 1020, b"c"), (8, 990, b"")];
            let count = match cut {
                0 | 3 => 3,
                5 | 16 => 2,
                _ => 0,
            };
            let seen: Vec<_> = inner
                .iter()
                .map(|i| (i.kind, i.stamp, &i.payload[..]))
                .collect();
            assert_eq!(seen, expected[..count], "{cut}");
        }
    }
}
