//! Messages into chunks: headers are composed per peer, payloads are shared, never copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::message::{Message, kind};

/// Chunk size in bytes that we announce; SRS's default. Nearly every message is one chunk then.
pub const CHUNK_SIZE: u32 = 60_000;

/// Bytes waiting for one peer's socket.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: usize,
    parts: VecDeque<Bytes>,
    len: usize,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkWriter {
    #[must_use]
    pub fn new() -> Self {
        Self {
            chunk_size: 128,
            parts: VecDeque::new(),
            len: 0,
        }
    }

    /// Queues one message. A Set Chunk Size message applies to what comes after it.
    pub fn push(&mut self, message: &Message) {
        let csid = chunk_stream(message.kind);
        let mut rest = message.payload.clone();
        let mut head = full_header(csid, message);
        loop {
            let piece = rest.split_to(rest.len().min(self.chunk_size));
            self.push_bytes(head.freeze());
            self.push_bytes(piece);
            if rest.is_empty() {
                break;
            }
            head = BytesMut::with_capacity(5);
            head.put_u8(0xc0 | csid);
            if message.timestamp >= 0xff_ffff {
                head.put_u32(message.timestamp);
            }
        }
        if message.kind == kind::SET_CHUNK_SIZE
            && let Some(size) = message.control_value()
        {
            self.chunk_size = size as usize;
        }
    }

    /// Queues bytes that are not chunked: the handshake.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if !bytes.is_empty() {
            self.parts.push_back(bytes);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }
}

/// The bytes that wait, for vectored writing (`write_buf`).
impl Buf for ChunkWriter {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| &part[..])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(part);
        }
        slices.len().min(self.parts.len())
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                break;
            }
            written -= part.len();
            self.parts.pop_front();
        }
    }
}

/// Full headers only: eight bytes more than the shortest, and no state that could go wrong.
fn full_header(csid: u8, message: &Message) -> BytesMut {
    let mut head = BytesMut::with_capacity(16);
    let extended = message.timestamp >= 0xff_ffff;
    head.put_u8(csid);
    head.put_uint(u64::from(message.timestamp.min(0xff_ffff)), 3);
    head.put_uint(message.payload.len() as u64, 3);
    head.put_u8(message.kind);
    head.put_u32_le(message.stream);
    if extended {
        head.put_u32(message.timestamp);
    }
    head
}

/// Chunk stream by message type, as common servers assign them.
fn chunk_stream(message_kind: u8) -> u8 {
    match message_kind {
        kind::AUDIO => 4,
        kind::VIDEO => 6,
        kind::DATA_AMF0 | kind::DATA_AMF3 => 5,
        kind::COMMAND_AMF0 | kind::COMMAND_AMF3 => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk_reader::ChunkReader;
    use super::*;

    fn message(message_kind: u8, timestamp: u32, len: usize) -> Message {
        Message {
            kind: message_kind,
            stream: 1,
            timestamp,
            payload: (0..=255).cycle().take(len).collect(),
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let messages = [
            message(kind::COMMAND_AMF0, 0, 300),
            message(kind::VIDEO, 0xff_fffe, 1000),
            message(kind::VIDEO, 0x0100_0000, 1000),
            message(kind::AUDIO, u32::MAX, 0),
            message(kind::DATA_AMF0, 7, 100),
            message(kind::VIDEO, 8, 200_000),
        ];
        let mut writer = ChunkWriter::new();
        for (index, message) in messages.iter().enumerate() {
            writer.push(message);
            if index == 4 {
                writer.push(&Message::set_chunk_size(CHUNK_SIZE));
            }
        }
        let wire = writer.copy_to_bytes(writer.remaining());
        assert!(writer.is_empty() && writer.len == 0);
        let (mut reader, mut input) = (ChunkReader::new(1 << 20), BytesMut::from(&wire[..]));
        for expected in &messages {
            let read = reader.next(&mut input).expect("own chunks");
            assert_eq!(read.as_ref(), Some(expected));
        }
        assert_eq!(reader.next(&mut input), Ok(None));
    }
}
