//! The setup of a measured call: room server with relay and an agent in this process, the kiosk as
//! a process of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::kiosk_process::KioskProcess;
use crate::appliance::kiosk::Kiosk;
use crate::demo::side::agent_plan;
use crate::protocol::RoomType;
use crate::server::relay::Anybody;
use crate::server::{RelaySettings, RoomServer, ServerHandle, Settings};

/// Longest time for the agent to push, and for the kiosk's stream to end.
const STREAM_DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks at the relay.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The kiosk, the agent that it calls, and the room server.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) server: ServerHandle,
    /// URL of the relay's application.
    pub(super) relay: String,
    pub(super) kiosk: KioskProcess,
    agent: Kiosk,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl Setup {
    pub(super) async fn start() -> Result<Self> {
        let mut settings = Settings::on_free_ports()?;
        if let RelaySettings::Embedded { relay, .. } = &mut settings.relay {
            // The bare pipelines have no room server that signs for them.
            relay.gate = Some(Arc::new(Anybody));
        }
        let server = RoomServer::bind(settings).await?;
        let relay = server.relay_addr().context("the server has a relay")?;
        let base_url = format!("http://{}/weapp/", server.local_addr());
        let (handle, stop) = (server.handle(), CancellationToken::new());
        let serving = tokio::spawn(server.run(stop.clone()));
        let mut plan = agent_plan(1, RoomType::Double, &base_url)?;
        plan.display = None;
        let agent = Kiosk::start(plan).await?;
        let kiosk = KioskProcess::start(&base_url).await?;
        let setup = Self {
            server: handle,
            relay: format!("rtmp://{relay}/live"),
            kiosk,
            agent,
            serving,
            stop,
        };
        // Before it pushes, there is nobody to call.
        setup.agents_stream().await?;
        Ok(setup)
    }

    /// Waits until the agent's stream is the only one, as it is without a call; its id.
    pub(super) async fn agents_stream(&self) -> Result<String> {
        let relay = self.server.relay().context("the server has a relay")?;
        let begun = Instant::now();
        while begun.elapsed() < STREAM_DEADLINE {
            if let [only] = &relay.streams()[..] {
                return Ok(only.stream_id.clone());
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("the agent's stream is not the only one at the relay")
    }

    pub(super) async fn stop(self) {
        self.kiosk.stop().await;
        self.agent.stop().await;
        self.stop.cancel();
        if let Err(error) = self.serving.await {
            log::error!("the room server ended badly: {error}");
        }
    }
}
