//! The connection to the relay: bytes in and out of the RTMP conversation, and its faults in our words.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout_at};

use super::fault::Fault;
use crate::media::loss::{Loss, LossCause};
use crate::media::relay_link::{RelayStream, Wire};
use crate::protocol::rtmp::{ChunkWriter, PlayAddress, PlayConversation, PlayError, PlayEvent};
use crate::tls::ClientTls;

/// Time for the handshake, as GStreamer's client has it.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Bytes that are read at once at least, if so many are there.
const PIECE: usize = 64 << 10;

/// One connection that plays.
pub(super) struct Source {
    talk: PlayConversation,
    read: ReadHalf<Box<dyn Wire>>,
    write: WriteHalf<Box<dyn Wire>>,
    /// A TLS session may hold what it was given.
    unflushed: bool,
    shake_by: Instant,
    /// The TLS session; empty without TLS.
    pub(super) session: String,
    /// The relay's address.
    pub(super) peer: Option<IpAddr>,
}

impl Source {
    /// Connects to the relay of `url`.
    pub(super) async fn open(url: &str, tls: &ClientTls) -> Result<Self, Fault> {
        let bad = || Fault::BadUrl("must name an application and a stream".to_owned());
        let address = PlayAddress::of(url).ok_or_else(bad)?;
        let stream = RelayStream::open(url, tls).await?;
        let (read, write) = tokio::io::split(stream.wire);
        let mut random = [0; 1528];
        rand::fill(&mut random);
        Ok(Self {
            talk: PlayConversation::new(address, &random),
            read,
            write,
            unflushed: false,
            shake_by: Instant::now() + HANDSHAKE,
            session: stream.session,
            peer: stream.peer,
        })
    }

    /// Whether the server has accepted `play`.
    pub(super) fn is_connected(&self) -> bool {
        self.talk.is_playing()
    }

    /// The next news; safe to cancel.
    pub(super) async fn next(&mut self) -> Result<PlayEvent, Fault> {
        loop {
            if let Some(event) = self.talk.next_event().map_err(|error| fault(&error))? {
                return Ok(event);
            }
            let moved = match self.talk.shook_hands() {
                true => self.pass().await,
                false => match timeout_at(self.shake_by, self.pass()).await {
                    Ok(moved) => moved,
                    Err(_) => {
                        let message = format!("the handshake timed out after {HANDSHAKE:?}");
                        return Err(lost(LossCause::Handshake, message));
                    }
                },
            };
            moved.map_err(|error| self.ended(&error))?;
        }
    }

    /// Reads and writes what can be; safe to cancel.
    async fn pass(&mut self) -> io::Result<()> {
        let (talk, write, unflushed) = (&mut self.talk, &mut self.write, &mut self.unflushed);
        let waits = !talk.output.is_empty() || *unflushed;
        talk.input.reserve(PIECE);
        tokio::select! {
            read = self.read.read_buf(&mut talk.input) => match read? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            },
            sent = send(&mut talk.output, write, unflushed), if waits => sent,
        }
    }

    /// The end of the connection by the server or the network.
    fn ended(&self, error: &io::Error) -> Fault {
        let closed = error.kind() == io::ErrorKind::UnexpectedEof;
        match (self.talk.shook_hands(), self.talk.is_playing()) {
            (false, _) if closed => lost(
                LossCause::Handshake,
                "the server closed the connection in the handshake".to_owned(),
            ),
            (false, _) => lost(LossCause::Handshake, format!("in the handshake: {error}")),
            (_, false) if closed => Fault::Refused,
            (_, true) if closed => Fault::Ended,
            _ => lost(
                LossCause::ServerClosed,
                format!("the connection is lost: {error}"),
            ),
        }
    }
}

fn fault(error: &PlayError) -> Fault {
    let cause = match error {
        PlayError::Version(_) => LossCause::Handshake,
        PlayError::Refused { .. } => LossCause::Refused,
        PlayError::Chunk(_) => LossCause::ServerClosed,
    };
    lost(cause, error.to_string())
}

/// Hands over what the socket takes at once; safe to cancel.
async fn send(
    output: &mut ChunkWriter,
    write: &mut WriteHalf<Box<dyn Wire>>,
    unflushed: &mut bool,
) -> io::Result<()> {
    if output.is_empty() {
        write.flush().await?;
        *unflushed = false;
    } else {
        let written = write.write_buf(output).await?;
        *unflushed = true;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

fn lost(cause: LossCause, message: String) -> Fault {
    Fault::Link(Loss { cause, message })
}
