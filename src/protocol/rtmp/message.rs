//! RTMP messages, which chunks are assembled into, and the few that control the transport.

use bytes::{BufMut, Bytes, BytesMut};

/// Message types of the RTMP specification, section 5.4 and 7.1.
pub mod kind {
    pub const SET_CHUNK_SIZE: u8 = 1;
    pub const ABORT: u8 = 2;
    pub const ACKNOWLEDGEMENT: u8 = 3;
    pub const USER_CONTROL: u8 = 4;
    pub const WINDOW_ACK_SIZE: u8 = 5;
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    pub const AUDIO: u8 = 8;
    pub const VIDEO: u8 = 9;
    pub const DATA_AMF3: u8 = 15;
    pub const COMMAND_AMF3: u8 = 17;
    pub const DATA_AMF0: u8 = 18;
    pub const COMMAND_AMF0: u8 = 20;
    pub const AGGREGATE: u8 = 22;
}

/// User control events (RTMP specification, section 7.1.7).
mod event {
    pub(super) const STREAM_BEGIN: u16 = 0;
    pub(super) const STREAM_EOF: u16 = 1;
    pub(super) const SET_BUFFER_LENGTH: u16 = 3;
    pub(super) const PING_REQUEST: u16 = 6;
    pub(super) const PING_RESPONSE: u16 = 7;
}

/// One whole RTMP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    /// Message stream id: 0 for the connection, otherwise the one that `createStream` gave.
    pub stream: u32,
    /// Milliseconds; wraps.
    pub timestamp: u32,
    pub payload: Bytes,
}

impl Message {
    pub fn new(kind: u8, stream: u32, payload: Bytes) -> Self {
        Self {
            kind,
            stream,
            timestamp: 0,
            payload,
        }
    }

    pub fn set_chunk_size(size: u32) -> Self {
        Self::number(kind::SET_CHUNK_SIZE, size)
    }

    pub fn acknowledgement(bytes: u32) -> Self {
        Self::number(kind::ACKNOWLEDGEMENT, bytes)
    }

    pub fn window_ack_size(size: u32) -> Self {
        Self::number(kind::WINDOW_ACK_SIZE, size)
    }

    /// The limit is of type 2 (dynamic), as every server sends it.
    pub fn set_peer_bandwidth(size: u32) -> Self {
        let mut payload = BytesMut::with_capacity(5);
        payload.put_u32(size);
        payload.put_u8(2);
        Self::new(kind::SET_PEER_BANDWIDTH, 0, payload.freeze())
    }

    pub fn stream_begin(stream: u32) -> Self {
        Self::user_control(event::STREAM_BEGIN, stream)
    }

    pub fn stream_eof(stream: u32) -> Self {
        Self::user_control(event::STREAM_EOF, stream)
    }

    /// The answer to a ping request, or nothing for any other user control message.
    pub fn pong(&self) -> Option<Self> {
        let (kind, value) = self.payload.split_first_chunk::<2>()?;
        let value = value.first_chunk::<4>()?;
        (u16::from_be_bytes(*kind) == event::PING_REQUEST)
            .then(|| Self::user_control(event::PING_RESPONSE, u32::from_be_bytes(*value)))
    }

    /// Tells how much of `stream` the client holds back, in ms.
    #[must_use]
    pub fn buffer_length(stream: u32, millis: u32) -> Self {
        let mut payload = BytesMut::with_capacity(10);
        payload.put_u16(event::SET_BUFFER_LENGTH);
        payload.put_u32(stream);
        payload.put_u32(millis);
        Self::new(kind::USER_CONTROL, 0, payload.freeze())
    }

    /// Whether a user control message says that a stream has ended.
    #[must_use]
    pub fn is_stream_eof(&self) -> bool {
        self.payload.starts_with(&event::STREAM_EOF.to_be_bytes())
    }

    /// The number that a control message carries in its first four bytes.
    pub fn control_value(&self) -> Option<u32> {
        self.payload.first_chunk().map(|b| u32::from_be_bytes(*b))
    }

    fn number(kind: u8, value: u32) -> Self {
        Self::new(kind, 0, Bytes::copy_from_slice(&value.to_be_bytes()))
    }

    fn user_control(event: u16, value: u32) -> Self {
        let mut payload = BytesMut::with_capacity(6);
        payload.put_u16(event);
        payload.put_u32(value);
        Self::new(kind::USER_CONTROL, 0, payload.freeze())
    }
}
