//! A gate on the way to a message service: lets everything through, or makes it look broken.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The position of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Every connection ends at once.
    Closed,
    /// Whatever is asked is answered with a page of HTML.
    Garbage,
    /// Connections stay open and nothing comes over them.
    Hanging,
}

/// Works until dropped.
pub(crate) struct Gate {
    pub(crate) addr: SocketAddr,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    pub(crate) async fn before(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let way = watch::Sender::new(Way::Open);
        let stands = way.subscribe();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(pass(stream, service, stands.clone()));
            }
        });
        Self { addr, way, task }
    }

    /// Also what is under way now stands still, ends or goes on.
    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn pass(mut stream: TcpStream, service: SocketAddr, mut stands: watch::Receiver<Way>) {
    let way = *stands.borrow_and_update();
    match way {
        Way::Closed => {}
        Way::Garbage => {
            // The whole request is not needed to be wrong about it.
            let _ = stream.read(&mut [0; 4096]).await;
            let page = "<html>503</html>";
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all(format!("{head}{page}").as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Way::Hanging => {
            let _ = stands.wait_for(|way| *way != Way::Hanging).await;
        }
        Way::Open => {
            let mut there = TcpStream::connect(service).await.unwrap();
            let closed = tokio::select! {
                _ = copy_bidirectional(&mut stream, &mut there) => return,
                closed = stands.wait_for(|way| *way != Way::Open) => closed.map(|way| *way),
            };
            if matches!(closed, Ok(Way::Hanging)) {
                let _ = stands.wait_for(|way| *way != Way::Hanging).await;
            }
        }
    }
}
