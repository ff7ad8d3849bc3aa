//! RTMP without sockets and clock: messages and their chunks, which the relay and the kiosk's player
//! share, and the player's side of the conversation.
//!
//! Floors: `amf0`, `handshake`, `message`, `play_address`; `chunk_reader`, `chunk_writer`; `play`.

pub mod amf0;
mod chunk_reader;
mod chunk_writer;
mod handshake;
mod message;
mod play;
mod play_address;
#[cfg(test)]
mod tests;

pub use chunk_reader::{ChunkError, ChunkReader};
pub use chunk_writer::{CHUNK_SIZE, ChunkWriter};
pub use message::{Message, kind};
pub use play::{PlayConversation, PlayError, PlayEvent};
pub use play_address::PlayAddress;
