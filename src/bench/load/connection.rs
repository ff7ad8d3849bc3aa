//! One HTTP connection kept alive, with its own local address, so that the server counts many
//! addresses as it does in the field.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// Count of local addresses, `127.1.0.1` and on, that the connections are spread over.
const ADDRESSES: u32 = 200;

/// A connection to a server, made when it is needed.
#[derive(Debug)]
pub(super) struct Connection {
    server: SocketAddr,
    local: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// A whole answer to a request.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    /// Time from handing over the request, on a connection that is there, to the last byte of
    /// the answer.
    pub(super) took: Duration,
}

impl Connection {
    /// The connection of this number, not yet made.
    pub(super) fn new(server: SocketAddr, number: usize) -> Self {
        let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
        let host = u32::try_from(number).unwrap_or(u32::MAX) % ADDRESSES;
        Self {
            server,
            local: SocketAddr::from((Ipv4Addr::from(first + host), 0)),
            sender: None,
        }
    }

    /// POSTs JSON, or GETs when there is no body. Connects first when there is no connection.
    ///
    /// # Errors
    /// There is no connection or no whole answer before the deadline; the next request then uses
    /// a new connection.
    pub(super) async fn ask(
        &mut self,
        target: &str,
        body: Option<String>,
        deadline: Duration,
    ) -> Result<Reply> {
        timeout(deadline, self.exchange(target, body))
            .await
            .unwrap_or_else(|_| bail!("no answer within {} s", deadline.as_secs()))
            .with_context(|| path(target).to_owned())
    }

    /// Asks by the connection, and keeps it only after a whole answer.
    async fn exchange(&mut self, target: &str, body: Option<String>) -> Result<Reply> {
        let mut sender = self.connected().await?;
        let method = if body.is_some() { "POST" } else { "GET" };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, self.server.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.unwrap_or_default()))?;
        let start = Instant::now();
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let took = start.elapsed();
        self.sender = Some(sender);
        Ok(Reply { status, body, took })
    }

    /// The connection, taken out; a new one when the server closed it in the pause.
    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let socket = TcpSocket::new_v4()?;
        socket.bind(self.local).context("no local port is free")?;
        let stream = socket.connect(self.server).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                log::debug!(error:%; "a connection broke");
            }
        });
        if sender.ready().await.is_err() {
            bail!("the server closed a new connection");
        }
        Ok(sender)
    }
}

/// The part of a target without tokens, which stand behind the question mark.
pub(super) fn path(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}
