//! A connection of our own to the relay of a stream's URL: plain for `rtmp://`, over TLS for
//! `rtmps://`, by the same rules as everywhere.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::link::{Parts, warn_if_seen};
use crate::media::loss::Loss;
use crate::tls::{ClientTls, ConnectError, describe};

/// Bytes both ways.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An open connection.
pub(crate) struct RelayStream {
    pub(crate) wire: Box<dyn Wire>,
    /// The TLS session that was agreed on; empty without TLS.
    pub(crate) session: String,
    /// The relay's address.
    pub(crate) peer: Option<IpAddr>,
}

impl RelayStream {
    pub(crate) async fn open(url: &str, tls: &ClientTls) -> Result<Self, Loss> {
        let unreadable = || ConnectError::Unreachable {
            host: String::new(),
            port: 0,
            source: io::ErrorKind::InvalidInput.into(),
        };
        let parts = Parts::of(url).ok_or_else(unreadable)?;
        let (host, port) = (parts.host, parts.port());
        if parts.tls {
            let stream = tls.connect(host, port).await?;
            let session = describe(stream.get_ref().1);
            log::debug!(host, session; "TLS with the relay");
            return Ok(Self {
                peer: peer(stream.get_ref().0),
                session,
                wire: Box::new(stream),
            });
        }
        warn_if_seen(host);
        let stream = tls.dialer().connect(host, port).await?;
        Ok(Self {
            peer: peer(&stream),
            session: String::new(),
            wire: Box::new(stream),
        })
    }
}

fn peer(stream: &TcpStream) -> Option<IpAddr> {
    stream.peer_addr().ok().map(|address| address.ip())
}
