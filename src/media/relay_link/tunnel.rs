//! Carries one RTMP connection over a way that GStreamer cannot open itself (TLS, a proxy, one of
//! several addresses): a port of this machine for its element at one end, the relay at the other.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::socket::Socket;
use super::tc_url::TcUrl;

/// Time for the element to come: its pipeline is started at once.
const COMES: Duration = Duration::from_secs(10);
/// Time for what was sent before the end.
const LINGER: Duration = Duration::from_millis(100);
/// Bytes of one read: as much as a TLS record holds.
const PIECE: usize = 16 * 1024;

/// A running tunnel; dropping it closes both ends.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) port: u16,
    /// Bytes of the element that the kernel has taken over for the relay.
    pub(super) forwarded: Arc<AtomicU64>,
    /// The TLS session that was agreed on; empty without TLS.
    pub(super) session: String,
    /// The socket to the relay.
    pub(super) socket: Option<Socket>,
    _stop: DropGuard,
}

impl Tunnel {
    /// Waits for the element, for a relay that has been reached.
    pub(super) async fn open(
        far: impl AsyncRead + AsyncWrite + Send + 'static,
        meant: String,
        socket: Option<Socket>,
        session: String,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let forwarded = Arc::new(AtomicU64::new(0));
        let stop = CancellationToken::new();
        let tc_url = TcUrl::new(format!("rtmp://{}:{port}", Ipv4Addr::LOCALHOST), meant);
        let work = carry(listener, far, tc_url, Arc::clone(&forwarded), stop.clone());
        tokio::spawn(work);
        Ok(Self {
            port,
            forwarded,
            session,
            socket,
            _stop: stop.drop_guard(),
        })
    }
}

async fn carry(
    listener: TcpListener,
    far: impl AsyncRead + AsyncWrite + Send + 'static,
    tc_url: TcUrl,
    forwarded: Arc<AtomicU64>,
    stop: CancellationToken,
) {
    let Some(Ok(Ok((near, _)))) = stop
        .run_until_cancelled(timeout(COMES, listener.accept()))
        .await
    else {
        return;
    };
    // One connection, and nobody else's.
    drop(listener);
    let (far_read, far_write) = tokio::io::split(far);
    let (near_read, near_write) = near_halves(near);
    let up = up(near_read, far_write, tc_url, &forwarded);
    let both = async {
        tokio::select! {
            ended = up => ended,
            ended = down(far_read, near_write) => ended,
        }
    };
    let mut both = std::pin::pin!(both);
    let ended = match stop.run_until_cancelled(both.as_mut()).await {
        Some(ended) => ended,
        None => timeout(LINGER, both).await.unwrap_or(Ok(())),
    };
    if let Err(error) = ended {
        log::debug!(error:%; "the connection to the relay ended");
    }
}

fn near_halves(near: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    if let Err(error) = near.set_nodelay(true) {
        log::debug!(error:%; "TCP_NODELAY is not to be had");
    }
    near.into_split()
}

async fn up(
    mut near: OwnedReadHalf,
    mut far: WriteHalf<impl AsyncWrite>,
    mut tc_url: TcUrl,
    forwarded: &AtomicU64,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut out = Vec::with_capacity(PIECE);
    loop {
        let count = near.read(&mut piece).await?;
        if count == 0 {
            return far.shutdown().await;
        }
        out.clear();
        tc_url.pass(&piece[..count], &mut out);
        far.write_all(&out).await?;
        far.flush().await?;
        forwarded.fetch_add(count as u64, Ordering::Relaxed);
    }
}

async fn down(mut far: ReadHalf<impl AsyncRead>, mut near: OwnedWriteHalf) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match far.read(&mut piece).await? {
            0 => return near.shutdown().await,
            count => near.write_all(&piece[..count]).await?,
        }
    }
}
