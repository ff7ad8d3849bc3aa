//! The carrier of a connection's bytes: TCP, or TLS on it. Both sides are used by one task.

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

/// A TLS session that both sides use in turn.
#[derive(Debug, Clone)]
pub(super) struct SharedTls(Arc<Mutex<AcceptedStream>>);

impl SharedTls {
    fn lock(&self) -> MutexGuard<'_, AcceptedStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side that is read.
#[derive(Debug)]
pub(super) enum ReadSide {
    Plain(OwnedReadHalf),
    Tls(SharedTls),
}

/// The side that is written.
#[derive(Debug)]
pub(super) enum WriteSide {
    Plain(OwnedWriteHalf),
    Tls(SharedTls),
}

/// Both sides of an accepted connection; `None`, with the reason in the log, if there is no TLS
/// session where there must be one.
pub(super) async fn open(
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
            let tls = SharedTls(Arc::new(Mutex::new(stream)));
            Some((ReadSide::Tls(tls.clone()), WriteSide::Tls(tls)))
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

    /// Sets `TCP_QUICKACK`.
    pub(super) fn set_quickack(&self) -> io::Result<()> {
        match self {
            Self::Plain(half) => half.as_ref().set_quickack(true),
            Self::Tls(tls) => tls.lock().get_ref().0.set_quickack(true),
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
            Self::Tls(tls) => match Pin::new(&mut *tls.lock()).poll_read(cx, buf) {
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
            Self::Tls(tls) => Pin::new(&mut *tls.lock()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(&mut *tls.lock()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut *tls.lock()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(half) => Pin::new(half).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut *tls.lock()).poll_shutdown(cx),
        }
    }
}
