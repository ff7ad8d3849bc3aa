//! What carries a connection's bytes: TCP, or TLS on it. Both sides are used by one task.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::tls::{AcceptError, AcceptedStream, ServerTls};

#[derive(Debug, Clone)]
pub(super) struct Session(Arc<Mutex<AcceptedStream>>);

impl Session {
    fn lock(&self) -> MutexGuard<'_, AcceptedStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) enum ReadSide {
    Plain(OwnedReadHalf),
    Tls(Session),
}

#[derive(Debug)]
pub(super) enum WriteSide {
    Plain(OwnedWriteHalf),
    Tls(Session),
}

/// Both sides of an accepted connection; `None`, with the reason in the log, if there is no TLS
/// session where there must be one.
pub(super) async fn sides(
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<&ServerTls>,
    deadline: Duration,
) -> Option<(ReadSide, WriteSide)> {
    let Some(tls) = tls else {
        let (read, write) = socket.into_split();
        return Some((ReadSide::Plain(read), WriteSide::Plain(write)));
    };
    match tls.accept(socket, deadline).await {
        Ok(stream) => {
            let session = Session(Arc::new(Mutex::new(stream)));
            Some((ReadSide::Tls(session.clone()), WriteSide::Tls(session)))
        }
        Err(AcceptError::Plain(_)) => {
            log::info!(peer:%; "client refused: plain RTMP on the port for rtmps://");
            None
        }
        Err(error) => {
            log::debug!(peer:%, error:%; "no TLS session");
            None
        }
    }
}

impl WriteSide {
    /// Whether what was written may still be on this side of the kernel.
    pub(super) fn keeps(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// `TCP_QUICKACK`.
    pub(super) fn set_quickack(&self) -> io::Result<()> {
        match self {
            Self::Plain(half) => half.as_ref().set_quickack(true),
            Self::Tls(session) => session.lock().get_ref().0.set_quickack(true),
        }
    }
}

impl AsyncRead for ReadSide {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_read(cx, buf),
            Self::Tls(session) => match Pin::new(&mut *session.lock()).poll_read(cx, buf) {
                // Many clients close without TLS's goodbye; RTMP messages know their length.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                polled => polled,
            },
        }
    }
}

impl AsyncWrite for WriteSide {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_write(cx, buf),
            Self::Tls(session) => Pin::new(&mut *session.lock()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_write_vectored(cx, bufs),
            Self::Tls(session) => Pin::new(&mut *session.lock()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_flush(cx),
            Self::Tls(session) => Pin::new(&mut *session.lock()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_shutdown(cx),
            Self::Tls(session) => Pin::new(&mut *session.lock()).poll_shutdown(cx),
        }
    }
}
