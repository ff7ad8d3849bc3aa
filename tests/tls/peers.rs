//! Peers of the tests: our room server in this process, and openssl's server and client.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use rtckiosk::server::{RoomServer, ServerHandle, Settings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_util::sync::DropGuard;

use crate::certificates::Issued;
use crate::support::nginx::free_port;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Our room server with its relay; ends when dropped.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) relay: SocketAddr,
    pub(crate) handle: ServerHandle,
    _stop: DropGuard,
}

pub(crate) async fn room_server(settings: Settings) -> Server {
    let server = RoomServer::bind(settings).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let (http, relay) = (server.local_addr(), server.relay_addr().unwrap());
    let handle = server.handle();
    tokio::spawn(server.run(stop.clone()));
    Server {
        http,
        relay,
        handle,
        _stop: stop.drop_guard(),
    }
}

/// `openssl s_server` with this certificate and more arguments; gives its port.
pub(crate) async fn openssl_server(issued: &Issued, arguments: &str) -> (Child, u16) {
    let port = free_port();
    let mut command = Command::new("openssl");
    command.args([
        "s_server",
        "-accept",
        &format!("127.0.0.1:{port}"),
        "-quiet",
    ]);
    command.arg("-cert").arg(&issued.certificate);
    command.arg("-key").arg(&issued.key);
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().expect("openssl must be installed");
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, listens).await.expect("s_server listens");
    (child, port)
}

/// Returns the words of `openssl s_client` on `addr`; it sends nothing.
pub(crate) async fn openssl_client(addr: SocketAddr, arguments: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &addr.to_string()]);
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("openssl must be installed");
    let mut input = child.stdin.take().unwrap();
    // It reads its input when the handshake is over.
    let _ = input.write_all(b"Q\n").await;
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.expect("s_client ends").unwrap();
    crate::process::text(&output)
}
