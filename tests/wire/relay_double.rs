//! A double of a relay that misbehaves in ways that real ones were seen to, but cannot be told to: it
//! accepts whoever wants to play, and then does what a test says.

use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use rtckiosk::protocol::rtmp::{ChunkReader, ChunkWriter, Message, kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::flv_file::FlvTag;

/// Message stream that `createStream` gives.
pub(crate) const STREAM: u32 = 1;

/// A player that was accepted.
pub(crate) struct Guest {
    socket: TcpStream,
    out: ChunkWriter,
}

impl Guest {
    /// Sends a message; `false` when the player has gone.
    pub(crate) async fn send(&mut self, message: &Message) -> bool {
        self.out.push(message);
        self.flush().await
    }

    pub(crate) async fn send_tag(&mut self, tag: &FlvTag, stream: u32, stamp: u32) -> bool {
        let mut message = Message::new(tag.kind, stream, tag.data.clone());
        message.timestamp = stamp;
        self.send(&message).await
    }

    async fn flush(&mut self) -> bool {
        let bytes = self.out.copy_to_bytes(self.out.remaining());
        self.socket.write_all(&bytes).await.is_ok()
    }

    /// Keeps the connection and reads nothing until the player hangs up.
    pub(crate) async fn hold(self) {
        let (_read, mut write) = self.socket.into_split();
        // Chunk type 3 of an empty message would be read; an unread socket tells by an error.
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            if write.write_all(&[]).await.is_err() {
                return;
            }
        }
    }
}

/// A relay; `act` is done with each player once it has asked to play.
pub(crate) async fn relay<F, R>(act: F) -> String
where
    F: Fn(Guest) -> R + Send + Clone + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let act = act.clone();
            tokio::spawn(async move {
                if let Some(guest) = accept(socket).await {
                    act(guest).await;
                }
            });
        }
    });
    format!("rtmp://{here}/live/x")
}

async fn accept(mut socket: TcpStream) -> Option<Guest> {
    let mut hello = vec![0; 1537];
    socket.read_exact(&mut hello).await.ok()?;
    let answer = [&[3], &[0; 1536][..], &hello[1..]].concat();
    socket.write_all(&answer).await.ok()?;
    socket.read_exact(&mut hello[..1536]).await.ok()?;
    let mut guest = Guest {
        socket,
        out: ChunkWriter::new(),
    };
    let (mut chunks, mut input) = (ChunkReader::new(64 << 10), BytesMut::new());
    loop {
        let Some(message) = chunks.next(&mut input).ok()? else {
            if guest.socket.read_buf(&mut input).await.ok()? == 0 {
                return None;
            }
            continue;
        };
        let asks = |verb: &str| {
            let name = [&[2, 0, verb.len() as u8], verb.as_bytes()].concat();
            message.kind == kind::COMMAND_AMF0 && message.payload.starts_with(&name)
        };
        // Numbers of calls are the player's: 1 and 2.
        if asks("connect") {
            guest
                .send(&command(b"\x02\0\x07_result\0\x3f\xf0\0\0\0\0\0\0\x05\x05"))
                .await;
        } else if asks("createStream") {
            let result = b"\x02\0\x07_result\0\x40\0\0\0\0\0\0\0\x05\0\x3f\xf0\0\0\0\0\0\0";
            guest.send(&command(result)).await;
        } else if asks("play") {
            let status = b"\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0\x05\x03\0\x05level\x02\0\x06status\
                \0\x04code\x02\0\x14NetStream.Play.Start\0\0\x09";
            guest.send(&command(status)).await;
            return Some(guest);
        }
    }
}

fn command(payload: &'static [u8]) -> Message {
    Message::new(kind::COMMAND_AMF0, 0, Bytes::from_static(payload))
}
