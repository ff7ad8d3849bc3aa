//! Starts the embedded relay on a free port, and waits for what it reports.

use std::net::SocketAddr;
use std::time::Duration;

use rtckiosk::server::relay::{PublisherStatus, Relay, RelayConfig, RelayHandle, StreamStatus};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The relay's clock in all tests, unix seconds.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: RelayHandle,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn start(config: RelayConfig) -> Running {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = RelayConfig { listen, ..config };
    let relay = Relay::bind(config, || NOW).await.unwrap();
    let (addr, handle, stop) = (relay.local_addr(), relay.handle(), CancellationToken::new());
    let task = tokio::spawn(relay.run(stop.clone()));
    Running {
        addr,
        handle,
        stop,
        task,
    }
}

impl Running {
    pub(crate) fn url(&self, stream: &str) -> String {
        format!("rtmp://{}/live/{stream}", self.addr)
    }

    /// Waits until the stream's status satisfies `wanted`.
    pub(crate) async fn until(
        &self,
        stream: &str,
        wanted: impl Fn(&StreamStatus) -> bool,
    ) -> StreamStatus {
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            let status = self.handle.stream(stream);
            if let Some(status) = status.as_ref().filter(|status| wanted(status)) {
                return status.clone();
            }
            assert!(
                Instant::now() < end,
                "{stream} did not get there: {status:#?}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until somebody publishes and `frames` pictures have come.
    pub(crate) async fn until_live(&self, stream: &str, frames: u64) -> PublisherStatus {
        let live = |p: &PublisherStatus| p.frames >= frames;
        let wanted = |status: &StreamStatus| status.publisher.as_ref().is_some_and(live);
        self.until(stream, wanted).await.publisher.unwrap()
    }

    /// Waits until nobody publishes or plays the stream.
    pub(crate) async fn until_gone(&self, stream: &str) {
        let end = Instant::now() + Duration::from_secs(15);
        while let Some(status) = self.handle.stream(stream) {
            assert!(Instant::now() < end, "still there: {status:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
