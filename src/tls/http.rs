//! HTTP over connections that are made as all others here. reqwest describes requests and reads
//! answers; between them stands hyper's pool, because reqwest lets nobody else connect.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{ACCEPT, HeaderValue, USER_AGENT};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use reqwest::{Body, Method, Request, RequestBuilder, Response};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

use super::client::{ClientTls, TlsStream};
use super::connect_error::ConnectError;

/// Idle time after which a connection is not used again, so that no request runs into its
/// closing: Node closes idle ones after 5 s.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Idle connections that are kept for each host.
const POOL_SIZE: usize = 2;

/// Reasons for which there is no answer. None tells a URL: queries carry secrets.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the request cannot be written")]
    Request(#[source] reqwest::Error),
    #[error("the exchange broke")]
    Exchange(#[source] legacy::Error),
    #[error("the answer broke")]
    Answer(#[source] reqwest::Error),
}

/// Reasons for which there is no connection for a request.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection {
    #[error(transparent)]
    Failed(ConnectError),
    #[error("no connection within {patience:?}{}", through(.proxy.as_deref()))]
    Late {
        patience: Duration,
        /// The proxy on the way.
        proxy: Option<String>,
    },
}

fn through(proxy: Option<&str>) -> String {
    proxy.map_or_else(String::new, |proxy| {
        format!(" through the proxy {proxy} (network.proxy)")
    })
}

impl HttpError {
    /// The reason for which there is no connection, if that is what failed.
    #[must_use]
    pub fn no_connection(&self) -> Option<&NoConnection> {
        self.find()
    }

    /// Whether the answer was not HTTP at all.
    #[must_use]
    pub fn is_no_http(&self) -> bool {
        let found = self.find::<hyper::Error>();
        found.is_some_and(|error| error.is_parse() && !error.is_parse_too_large())
    }

    /// The first error of this type in the chain.
    fn find<E: Error + 'static>(&self) -> Option<&E> {
        let mut next = self.source();
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

/// A client of HTTP servers. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// Describes requests; never connects.
    describer: reqwest::Client,
    pool: Client<Connector, Body>,
    agent: HeaderValue,
}

impl HttpClient {
    /// Sets up connections, each of which must stand within `patience`.
    ///
    /// # Errors
    /// No client that describes requests.
    pub fn new(
        agent: &'static str,
        tls: &ClientTls,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        let describer = reqwest::Client::builder().no_proxy().build()?;
        let connector = Connector {
            tls: tls.clone(),
            patience,
        };
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .build(connector);
        Ok(Self {
            describer,
            pool,
            agent: HeaderValue::from_static(agent),
        })
    }

    /// Begins a request, to be ended by [`HttpClient::send`].
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a request with a body.
    pub fn post(&self, url: Url) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a request of any kind.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.describer.request(method, url)
    }

    /// Sends a request; returns the answer, whose body is still to come.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, HttpError> {
        let wrong = |error: reqwest::Error| HttpError::Request(error.without_url());
        let mut request = request.build().map_err(wrong)?;
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert(self.agent.clone());
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        self.exchange(request).await
    }

    async fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        let wrong = |error: reqwest::Error| HttpError::Request(error.without_url());
        let request = request.try_into().map_err(wrong)?;
        let answer = self
            .pool
            .request(request)
            .await
            .map_err(HttpError::Exchange)?;
        Ok(answer.map(Body::wrap).into())
    }
}

/// Reads the next piece of an answer's body.
///
/// # Errors
/// A connection that broke.
pub async fn chunk(answer: &mut Response) -> Result<Option<bytes::Bytes>, HttpError> {
    let broken = |error: reqwest::Error| HttpError::Answer(error.without_url());
    answer.chunk().await.map_err(broken)
}

/// Connects for the pool.
#[derive(Debug, Clone)]
struct Connector {
    tls: ClientTls,
    patience: Duration,
}

impl Service<Uri> for Connector {
    type Response = Carrier;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Carrier, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Self { tls, patience } = self.clone();
        Box::pin(async move {
            let connected = timeout(patience, connect(&tls, &to)).await;
            let late = |_| NoConnection::Late {
                patience,
                proxy: { tls.dialer() }
                    .proxy_for(to.host().unwrap_or_default())
                    .map(|rules| rules.proxy.to_string()),
            };
            connected.map_err(late)?.map_err(NoConnection::Failed)
        })
    }
}

async fn connect(tls: &ClientTls, to: &Uri) -> Result<Carrier, ConnectError> {
    let host = to.host().unwrap_or_default();
    let secure = to.scheme_str() == Some("https");
    let port = to.port_u16().unwrap_or(if secure { 443 } else { 80 });
    if secure {
        let stream = tls.connect(host, port).await?;
        return Ok(Carrier::Tls(Box::new(TokioIo::new(stream))));
    }
    let stream = tls.dialer().connect(host, port).await?;
    Ok(Carrier::Plain(TokioIo::new(stream)))
}

/// A connection with TLS or without.
enum Carrier {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream>>),
}

impl Connection for Carrier {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Carrier {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl Write for Carrier {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
