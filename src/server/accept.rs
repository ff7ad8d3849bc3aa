//! Accepting connections, also when the process may open no more files: then the next client is let in
//! by a file kept for that, and turned away at once, so that it does not wait in vain.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(200);

/// Pause between two lines in the log about the same trouble.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A listener, and what it needs in need.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: TcpListener,
    /// The name of the service in the log.
    name: &'static str,
    reserve: Option<File>,
    told: Told,
}

/// A line in the log for things that come in thousands.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: Option<Instant>,
    missed: u64,
}

impl Told {
    /// The number of things since the last line, if it is time for another.
    pub(super) fn again(&mut self) -> Option<u64> {
        self.missed += 1;
        if self.last.is_some_and(|last| last.elapsed() < TELL_EVERY) {
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.missed))
    }
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, name: &'static str) -> Self {
        Self {
            listener,
            name,
            reserve: reserve(),
            told: Told::default(),
        }
    }

    /// Waits for the next client.
    pub(super) async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => self.endure(&error).await,
            }
        }
    }

    async fn endure(&mut self, error: &io::Error) {
        if let Some(times) = self.told.again() {
            log::warn!(error:%, times; "{} cannot accept a connection", self.name);
        }
        if let Some(file) = self.reserve.take() {
            drop(file);
            // Only one that waits already: nobody else may be kept waiting for it.
            let _ = tokio::time::timeout(Duration::ZERO, self.listener.accept()).await;
        }
        sleep(PAUSE).await;
        self.reserve = reserve();
    }
}

fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}
