//! Chunks from the wire into messages, with every length in them distrusted.
//!
//! The chunk readers of the known crates either panic on hostile headers, mix interleaved
//! messages or lose time stamps (docs/decisions/0001-rtmp-relay.md), so this one is ours.

use std::collections::HashMap;

use bytes::{Buf, Bytes, BytesMut};

use super::message::{Message, kind};

/// Chunk size in bytes that both sides start with (RTMP specification, section 5.4.1).
const INITIAL_CHUNK_SIZE: usize = 128;
/// Chunk streams that one peer may use. Known encoders use fewer than ten.
const MAX_CHUNK_STREAMS: usize = 32;
/// Value of a time stamp field which says that four more bytes follow.
const EXTENDED: u32 = 0xff_ffff;

/// A fault of the peer that ends its connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("a message of {announced} bytes was announced, {limit} are allowed")]
    MessageTooLong { announced: usize, limit: usize },
    #[error("{pending} bytes of unfinished messages, {limit} are allowed")]
    TooMuchPending { pending: usize, limit: usize },
    #[error("a chunk without header on chunk stream {0}, which has had none yet")]
    NoPreviousHeader(u32),
    #[error("more than {MAX_CHUNK_STREAMS} chunk streams")]
    TooManyChunkStreams,
    #[error("a new message header on chunk stream {0} inside an unfinished message")]
    Interrupted(u32),
    #[error("chunk size {0}, at least 1 is needed")]
    BadChunkSize(u32),
}

/// A message header as one chunk stream last had it.
#[derive(Debug, Clone, Copy, Default)]
struct Header {
    timestamp: u32,
    /// Time stamp field as sent: absolute in a full header, else a delta.
    field: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
}

#[derive(Debug, Default)]
struct ChunkStream {
    header: Header,
    /// The beginning of an unfinished message.
    partial: BytesMut,
}

/// Assembles the messages of one peer.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: usize,
    max_message: usize,
    pending: usize,
    streams: HashMap<u32, ChunkStream>,
}

impl ChunkReader {
    pub fn new(max_message: usize) -> Self {
        Self {
            chunk_size: INITIAL_CHUNK_SIZE,
            max_message,
            pending: 0,
            streams: HashMap::new(),
        }
    }

    /// Changes the longest message allowed from now on.
    pub fn limit(&mut self, max_message: usize) {
        self.max_message = max_message;
    }

    /// Bytes of unfinished messages.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Takes the next whole message out of `input`, or `None` when bytes are missing.
    ///
    /// Set Chunk Size and Abort are obeyed here because they change how the next chunk reads.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Message>, ChunkError> {
        while let Some(complete) = self.chunk(input)? {
            let Some(message) = complete else { continue };
            match message.kind {
                kind::SET_CHUNK_SIZE => self.set_chunk_size(&message)?,
                kind::ABORT => self.abort(&message),
                _ => return Ok(Some(message)),
            }
        }
        Ok(None)
    }

    /// Reads one chunk: outer `None` = more bytes needed, inner `None` = message unfinished.
    fn chunk(&mut self, input: &mut BytesMut) -> Result<Option<Option<Message>>, ChunkError> {
        let Some(start) = parse_start(input, &self.streams)? else {
            return Ok(None);
        };
        let header = start.header;
        if header.length > self.max_message {
            return Err(ChunkError::MessageTooLong {
                announced: header.length,
                limit: self.max_message,
            });
        }
        let known = self.streams.get(&start.csid);
        let have = known.map_or(0, |stream| stream.partial.len());
        let take = (header.length - have).min(self.chunk_size);
        if input.len() < start.size + take {
            return Ok(None);
        }
        if self.pending + take > 2 * self.max_message {
            return Err(ChunkError::TooMuchPending {
                pending: self.pending + take,
                limit: 2 * self.max_message,
            });
        }
        if known.is_none() && self.streams.len() >= MAX_CHUNK_STREAMS {
            return Err(ChunkError::TooManyChunkStreams);
        }
        input.advance(start.size);
        let stream = self.streams.entry(start.csid).or_default();
        stream.header = header;
        let payload = take_payload(stream, &input[..take], &mut self.pending);
        input.advance(take);
        Ok(Some(payload.map(|payload| Message {
            kind: header.kind,
            stream: header.stream,
            timestamp: header.timestamp,
            payload,
        })))
    }

    fn set_chunk_size(&mut self, message: &Message) -> Result<(), ChunkError> {
        let size = message.control_value().unwrap_or(0) & 0x7fff_ffff;
        if size == 0 {
            return Err(ChunkError::BadChunkSize(size));
        }
        // Any size will do: no chunk is longer than its message, and that has a limit.
        self.chunk_size = size as usize;
        Ok(())
    }

    fn abort(&mut self, message: &Message) {
        let stream = message
            .control_value()
            .and_then(|csid| self.streams.get_mut(&csid));
        if let Some(stream) = stream {
            self.pending -= stream.partial.len();
            stream.partial = BytesMut::new();
        }
    }
}

/// The beginning of a chunk, with what it takes over from its predecessor already filled in.
struct ChunkStart {
    /// Bytes on the wire.
    size: usize,
    csid: u32,
    header: Header,
}

/// Reads from a slice without consuming, `None` when it is too short.
struct Peek<'a>(&'a [u8]);

impl Peek<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u24(&mut self) -> Option<u32> {
        self.bytes::<3>()
            .map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }
}

/// Adds one piece to a message; answers the whole payload once it is complete.
fn take_payload(stream: &mut ChunkStream, piece: &[u8], pending: &mut usize) -> Option<Bytes> {
    // Copied, so that a small message never pins a large read buffer.
    if stream.partial.is_empty() && piece.len() == stream.header.length {
        return Some(Bytes::copy_from_slice(piece));
    }
    stream.partial.extend_from_slice(piece);
    *pending += piece.len();
    if stream.partial.len() < stream.header.length {
        return None;
    }
    *pending -= stream.header.length;
    Some(std::mem::take(&mut stream.partial).freeze())
}

fn parse_start(
    input: &[u8],
    streams: &HashMap<u32, ChunkStream>,
) -> Result<Option<ChunkStart>, ChunkError> {
    let mut peek = Peek(input);
    let Some((format, csid)) = basic_header(&mut peek) else {
        return Ok(None);
    };
    let previous = streams.get(&csid);
    let unfinished = previous.is_some_and(|p| !p.partial.is_empty());
    if format != 3 && unfinished {
        return Err(ChunkError::Interrupted(csid));
    }
    let header = match (format, previous) {
        (0, _) => message_header(&mut peek, 0, Header::default()),
        (3, None) => return Err(ChunkError::NoPreviousHeader(csid)),
        // librtmp's first ping answer is of format 1 or 2: what the header lacks is 0 then, as
        // SRS and nginx take it.
        (_, None) => message_header(&mut peek, format, Header::default()),
        (3, Some(previous)) => repeated_header(&mut peek, previous.header, unfinished),
        (_, Some(previous)) => message_header(&mut peek, format, previous.header),
    };
    Ok(header.map(|header| ChunkStart {
        size: input.len() - peek.0.len(),
        csid,
        header,
    }))
}

fn basic_header(peek: &mut Peek<'_>) -> Option<(u8, u32)> {
    let [first] = peek.bytes()?;
    let csid = match first & 0x3f {
        0 => 64 + u32::from(peek.bytes::<1>()?[0]),
        1 => 64 + u32::from(u16::from_le_bytes(peek.bytes()?)),
        small => u32::from(small),
    };
    Some((first >> 6, csid))
}

/// Reads header formats 0 to 2.
fn message_header(peek: &mut Peek<'_>, format: u8, previous: Header) -> Option<Header> {
    let mut header = previous;
    header.field = peek.u24()?;
    if format < 2 {
        header.length = peek.u24()? as usize;
        [header.kind] = peek.bytes()?;
    }
    if format == 0 {
        header.stream = u32::from_le_bytes(peek.bytes()?);
    }
    header.extended = header.field == EXTENDED;
    if header.extended {
        header.field = u32::from_be_bytes(peek.bytes()?);
    }
    // `previous` of a full header is empty, so this is then the absolute time stamp.
    header.timestamp = previous.timestamp.wrapping_add(header.field);
    Some(header)
}

/// Reads header format 3: the rest of a message, or a new one like the last with the same delta.
fn repeated_header(peek: &mut Peek<'_>, previous: Header, unfinished: bool) -> Option<Header> {
    // The specification wants the extended time stamp repeated, some senders leave it out:
    // it is there when the next four bytes equal it.
    if previous.extended && *peek.0.first_chunk::<4>()? == previous.field.to_be_bytes() {
        peek.0 = &peek.0[4..];
    }
    let delta = if unfinished { 0 } else { previous.field };
    Some(Header {
        timestamp: previous.timestamp.wrapping_add(delta),
        ..previous
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(reader: &mut ChunkReader, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        let mut input = BytesMut::from(bytes);
        let mut messages = vec![];
        while let Some(message) = reader.next(&mut input)? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn times(bytes: &[u8]) -> Vec<u32> {
        let messages = read_all(&mut ChunkReader::new(1000), bytes).expect("valid chunks");
        messages.iter().map(|m| m.timestamp).collect()
    }

    #[test]
    fn repeated_headers_advance_by_the_last_delta() {
        let bytes = [
            &[4, 0, 0, 10, 0, 0, 1, 9, 1, 0, 0, 0, 7][..], // full, 10
            &[0x44, 0, 0, 40, 0, 0, 1, 9, 7],              // delta 40
            &[0xc4, 7, 0xc4, 7],                           // twice the same again
            &[0x84, 0, 0, 5, 7],
        ];
        assert_eq!(times(&bytes.concat()), [10, 50, 90, 130, 135]);
        // After a full header the delta is that header's time stamp.
        let bytes = [4, 0, 0, 40, 0, 0, 1, 9, 1, 0, 0, 0, 7, 0xc4, 7];
        assert_eq!(times(&bytes), [40, 80]);
    }

    #[test]
    fn extended_time_stamps_may_be_repeated_or_not_and_wrap() {
        let full = [4, 255, 255, 255, 0, 0, 130, 9, 1, 0, 0, 0, 1, 0, 0, 0];
        let repeated = [&full[..], &[7; 128], &[0xc4, 1, 0, 0, 0], &[7; 2]].concat();
        let omitted = [&full[..], &[7; 128], &[0xc4], &[7; 2], &[0; 4]].concat();
        for bytes in [repeated, omitted] {
            assert_eq!(times(&bytes), [0x0100_0000]);
        }
        let delta = [
            &[4, 0, 0, 1, 0, 0, 1, 9, 1, 0, 0, 0, 7][..],
            &[0x84, 255, 255, 255, 255, 255, 255, 255, 7],
        ];
        assert_eq!(times(&delta.concat()), [1, 0]);
    }

    #[test]
    fn a_first_header_may_lack_fields() {
        let bytes = [
            &[0x42, 0, 0, 9, 0, 0, 6, 4, 0, 7, 0, 0, 0, 1][..], // librtmp's answer to a ping
            &[0x85, 0, 0, 3],                                   // no length: an empty message
            &[4, 0, 0, 40, 0, 0, 1, 9, 1, 0, 0, 0, 7],
        ];
        let messages = read_all(&mut ChunkReader::new(1000), &bytes.concat()).expect("valid");
        let seen: Vec<_> = messages
            .iter()
            .map(|m| (m.kind, m.stream, m.timestamp, m.payload.len()))
            .collect();
        assert_eq!(seen, [(4, 0, 9, 6), (0, 0, 3, 0), (9, 1, 40, 1)]);
    }

    #[test]
    fn interleaved_messages_are_kept_apart() {
        let bytes = [
            &[4, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0][..],
            &[1; 128],
            &[5, 0, 0, 0, 0, 0, 10, 8, 1, 0, 0, 0],
            &[2; 10],
            &[0xc4],
            &[1; 72],
        ];
        let mut reader = ChunkReader::new(1000);
        let messages = read_all(&mut reader, &bytes.concat()).expect("valid chunks");
        let seen: Vec<_> = messages.iter().map(|m| (m.kind, m.payload.len())).collect();
        assert_eq!(seen, [(8, 10), (9, 200)]);
        assert!(messages[1].payload.iter().all(|b| *b == 1));
        assert_eq!(reader.pending, 0);
    }

    #[test]
    fn obeys_chunk_size_and_abort() {
        let bytes = [
            &[4, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0][..],
            &[1; 128],
            &[2, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 4], // abort it
            &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 1, 0], // chunks of 256
            &[4, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0],
            &[3; 200],
        ];
        let messages = read_all(&mut ChunkReader::new(1000), &bytes.concat()).expect("valid");
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].payload[..], [3; 200]);
    }

    #[test]
    fn refuses_what_would_need_memory() {
        let long = [4, 0, 0, 0, 0, 4, 0, 9, 1, 0, 0, 0];
        assert_eq!(
            read_all(&mut ChunkReader::new(1000), &long),
            Err(ChunkError::MessageTooLong {
                announced: 1024,
                limit: 1000
            })
        );
        let unfinished: Vec<u8> = (4..60u8)
            .flat_map(|csid| [&[csid, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0][..], &[0; 128]].concat())
            .collect();
        assert!(matches!(
            read_all(&mut ChunkReader::new(1000), &unfinished),
            Err(ChunkError::TooMuchPending { limit: 2000, .. })
        ));
        assert_eq!(
            read_all(&mut ChunkReader::new(100_000), &unfinished),
            Err(ChunkError::TooManyChunkStreams)
        );
        assert_eq!(
            read_all(&mut ChunkReader::new(1000), &[0xc4, 1]),
            Err(ChunkError::NoPreviousHeader(4))
        );
        let zero = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            read_all(&mut ChunkReader::new(1000), &zero),
            Err(ChunkError::BadChunkSize(0))
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_never_grows(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            let mut reader = ChunkReader::new(1024);
            let _ = read_all(&mut reader, &bytes);
            prop_assert!(reader.pending <= 2048);
        }

        #[test]
        fn reads_the_same_in_pieces(
            bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(0xc4), 0u8..8, any::<u8>()], 0..512),
            cut in 1usize..64,
        ) {
            let whole = read_all(&mut ChunkReader::new(300), &bytes);
            let mut reader = ChunkReader::new(300);
            let mut input = BytesMut::new();
            let mut pieces = Ok(vec![]);
            'read: for piece in bytes.chunks(cut) {
                input.extend_from_slice(piece);
                loop {
                    match (reader.next(&mut input), &mut pieces) {
                        (Ok(Some(message)), Ok(all)) => all.push(message),
                        (Ok(_), _) => break,
                        (Err(error), _) => { pieces = Err(error); break 'read; }
                    }
                }
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}
