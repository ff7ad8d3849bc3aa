//! Connections: their number, their slowness, their age, and their end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::app::HttpSettings;
use super::peer::Peer;
use crate::server::accept::{Acceptor, Told};
use crate::server::places::{Place, Places};
use crate::tls::AcceptError;

/// Longest head of a request in bytes: a userSig in a query has some hundred.
const MAX_HEAD: usize = 16 * 1024;

/// Longest time for a client to make its TLS session.
const TLS_HANDSHAKE: Duration = Duration::from_secs(5);

/// Longest time for a client to take the last answer.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves until `stop`, then gives open requests `shutdown_timeout` to finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &HttpSettings,
    stop: CancellationToken,
) {
    let places = Places::new(settings.max_connections);
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let settings = Arc::new(settings.clone());
    let mut acceptor = Acceptor::new(listener, "the room server");
    let mut full = Told::default();
    let accepting = async {
        loop {
            let (stream, remote) = acceptor.next().await;
            let place = match places.take(remote.ip()) {
                Ok(place) => Arc::new(place),
                Err(reason) => {
                    if let Some(times) = full.again() {
                        log::warn!(remote:%, reason:%, times; "clients are turned away");
                    }
                    continue;
                }
            };
            // Boxed, because each future around it would hold it twice: thousands are idle.
            let connection = connection(stream, (remote, place.clone()), &router, &settings, &stop);
            let connection = abort
                .clone()
                .run_until_cancelled_owned(Box::pin(connection));
            connections.spawn(async move {
                if place
                    .evicted()
                    .run_until_cancelled(connection)
                    .await
                    .is_none()
                {
                    log::debug!(remote:%; "a connection without a user gives way");
                }
            });
        }
    };
    stop.run_until_cancelled(accepting).await;
    drop(acceptor);
    connections.close();
    let finished = tokio::time::timeout(settings.shutdown_timeout, connections.wait());
    if finished.await.is_err() {
        log::warn!(connections = connections.len(); "cut connections that did not finish");
        abort.cancel();
        connections.wait().await;
    }
}

fn connection(
    stream: TcpStream,
    (remote, place): (SocketAddr, Arc<Place>),
    router: &Router,
    settings: &Arc<HttpSettings>,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let (router, settings, stop) = (router.clone(), settings.clone(), stop.clone());
    async move {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        // Answers are small: waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!(error:%; "cannot set TCP_NODELAY");
        }
        let peer = Peer {
            remote,
            local,
            place,
        };
        let Some(tls) = &settings.tls else {
            return serve_client(stream, peer, router, &settings, &stop).await;
        };
        match tls.accept(stream, TLS_HANDSHAKE).await {
            Ok(stream) => Box::pin(serve_client(stream, peer, router, &settings, &stop)).await,
            Err(AcceptError::Plain(stream)) => send_to_https(stream, remote).await,
            Err(error) => log::debug!(remote:%, error:%; "no TLS session"),
        }
    }
}

/// Serves one client over whatever carries its bytes.
async fn serve_client(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    settings: &HttpSettings,
    stop: &CancellationToken,
) {
    let remote = peer.remote;
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        service.call(request)
    });
    // A client that never reads an answer would keep it in memory, and its own place among the
    // connections, for as long as it likes.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(settings.request_timeout));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = until_old_or_stopped(settings.max_connection_age, stop) => {
            served.as_mut().graceful_shutdown();
            let rest = settings.request_timeout + settings.header_timeout;
            match tokio::time::timeout(rest, served).await {
                Ok(ended) => ended,
                Err(_) => return log::debug!(remote:%; "cut a connection that does not end"),
            }
        }
    };
    if let Err(error) = ended {
        log::debug!(remote:%, error:%; "a connection broke");
    }
}

/// Tells a client that came in plain text that this port speaks TLS.
async fn send_to_https(mut stream: TcpStream, remote: SocketAddr) {
    const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
        Connection: close\r\nContent-Length: 32\r\n\r\nthis port speaks TLS: use https\n";
    log::debug!(remote:%; "plain HTTP on the HTTPS port");
    let answer = async {
        stream.write_all(ANSWER).await?;
        stream.shutdown().await?;
        // Closing with unread input would reset the connection and lose the answer.
        tokio::io::copy(&mut stream.take(MAX_HEAD as u64), &mut tokio::io::sink()).await
    };
    // Nothing is owed to a client that does not take it in time.
    let _ = tokio::time::timeout(GOODBYE, answer).await;
}

async fn until_old_or_stopped(age: Duration, stop: &CancellationToken) {
    // Whichever comes first.
    let _ = tokio::time::timeout(age, stop.cancelled()).await;
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_all_and_one_that_never_reads_is_left() {
        let (mut peer, stream) = duplex(10);
        let mut stream = Box::pin(TimeoutWriter::new(stream));
        stream.as_mut().set_timeout_pinned(Some(LIMIT));
        let sending = tokio::spawn(async move {
            let sent = stream.write_all(&[7; 40]).await;
            (sent, stream)
        });
        let mut taken = [0; 10];
        for _ in 0..4 {
            sleep(LIMIT * 9 / 10).await;
            peer.read_exact(&mut taken).await.unwrap();
        }
        let (sent, mut stream) = sending.await.unwrap();
        sent.unwrap();
        let begun = Instant::now();
        let error = stream.write_all(&[7; 40]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), LIMIT.as_secs());
    }
}
