//! The two directions of a connection: bytes to messages, and messages to bytes.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::end_reason::EndReason;
use super::socket::{ReadSide, WriteSide};
use crate::protocol::rtmp::ChunkReader;
use crate::protocol::rtmp::ChunkWriter;
use crate::protocol::rtmp::Message;
use crate::server::budget::Share;

/// Longest message in bytes before a client has a role: commands only.
pub(super) const MAX_EARLY_MESSAGE: usize = 64 * 1024;
/// Received bytes after which an acknowledgement is sent. Far below the announced window,
/// so that a sender sees early what its network holds back.
const ACK_EVERY: u32 = 16 * 1024;

/// Bytes from a client, on their way to messages.
#[derive(Debug)]
pub(super) struct Inbound {
    read: ReadSide,
    pub(super) buffer: BytesMut,
    pub(super) chunks: ChunkReader,
    /// Bytes since the handshake; wraps, as the acknowledgement does.
    received: u32,
    acknowledged: u32,
    pub(super) last_read: Instant,
    /// The memory that this takes.
    memory: Share,
}

impl Inbound {
    pub(super) fn new(read: ReadSide, memory: Share) -> Self {
        Self {
            read,
            buffer: BytesMut::new(),
            chunks: ChunkReader::new(MAX_EARLY_MESSAGE),
            received: 0,
            acknowledged: 0,
            last_read: Instant::now(),
            memory,
        }
    }

    /// Begins with what came behind the handshake.
    pub(super) fn start(&mut self, rest: &[u8]) {
        self.buffer.extend_from_slice(rest);
        self.received = u32::try_from(rest.len()).unwrap_or(0);
    }

    /// Reads some bytes; 0 = the client closed.
    pub(super) async fn fill(&mut self) -> std::io::Result<usize> {
        self.buffer.reserve(4096);
        let count = self.read.read_buf(&mut self.buffer).await?;
        self.last_read = Instant::now();
        Ok(count)
    }

    /// The next message. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Message, EndReason> {
        loop {
            if let Some(message) = self.chunks.next(&mut self.buffer)? {
                return Ok(message);
            }
            if !self.memory.set(self.chunks.pending() + self.buffer.len()) {
                return Err(EndReason::NoMemory);
            }
            let count = self.fill().await?;
            if count == 0 {
                return Err(EndReason::ByClient);
            }
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.received = self.received.wrapping_add(count);
        }
    }

    /// The acknowledgement that is due, if one is.
    pub(super) fn acknowledgement(&mut self) -> Option<Message> {
        let due = self.received.wrapping_sub(self.acknowledged) >= ACK_EVERY;
        due.then(|| {
            self.acknowledged = self.received;
            Message::acknowledgement(self.received)
        })
    }
}

/// Messages for a client, on their way to the kernel.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) write: WriteSide,
    pub(super) chunks: ChunkWriter,
    /// A TLS session has something that the kernel has not.
    kept: bool,
    pub(super) last_progress: Instant,
}

impl Outbound {
    pub(super) fn new(write: WriteSide) -> Self {
        Self {
            write,
            chunks: ChunkWriter::new(),
            kept: false,
            last_progress: Instant::now(),
        }
    }

    /// Whether the kernel has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && !self.kept
    }

    /// Hands some of what waits to the kernel. Safe to cancel.
    pub(super) async fn write_some(&mut self) -> std::io::Result<usize> {
        let written = if self.chunks.is_empty() {
            self.write.flush().await?;
            self.kept = false;
            0
        } else {
            let written = self.write.write_buf(&mut self.chunks).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.kept = self.write.keeps();
            written
        };
        self.last_progress = Instant::now();
        Ok(written)
    }
}
