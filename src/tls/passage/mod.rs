//! The way through a proxy that has been reached, in the proxy's language.

mod http;
mod socks;

use tokio::net::TcpStream;

use super::proxy_fault::ProxyRefusal;
use crate::config::proxy::{Proxy, ProxyKind, ProxyLogin};

/// Asks the proxy at the other end of `stream` for `host` and `port`; then the stream leads there.
pub(super) async fn through(
    proxy: &Proxy,
    stream: TcpStream,
    host: &str,
    port: u16,
    login: Option<&ProxyLogin>,
) -> Result<TcpStream, ProxyRefusal> {
    match proxy.kind {
        ProxyKind::Http => http::through(stream, host, port, login).await,
        ProxyKind::Socks => socks::through(stream, host, port, login).await,
    }
}
