//! A call to measure: room server with relay and an agent in this process, the kiosk as a process
//! of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::appliance::control::{self, Request};
use crate::appliance::kiosk::Kiosk;
use crate::demo::cast;
use crate::protocol::RoomType;
use crate::server::{RelaySettings, RoomServer, ServerHandle, Settings};

/// For each step of a call.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

/// Everyone but the one who measures.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) server: ServerHandle,
    pub(super) relay: String,
    pub(super) kiosk: KioskProcess,
    agent: Kiosk,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl Stage {
    pub(super) async fn set() -> Result<Self> {
        let mut settings = Settings::on_free_ports()?;
        if let RelaySettings::Embedded { relay, .. } = &mut settings.relay {
            // The bare pipelines have no room server that signs for them.
            relay.push_key = None;
        }
        let server = RoomServer::bind(settings).await?;
        let relay = server.relay_addr().context("the server has a relay")?;
        let base_url = format!("http://{}/weapp/", server.local_addr());
        let (handle, stop) = (server.handle(), CancellationToken::new());
        let serving = tokio::spawn(server.run(stop.clone()));
        let mut plan = cast::agent(1, RoomType::Double, &base_url)?;
        plan.display = None;
        let agent = Kiosk::start(plan).await?;
        let kiosk = KioskProcess::start(&base_url).await?;
        let stage = Self {
            server: handle,
            relay: format!("rtmp://{relay}/live"),
            kiosk,
            agent,
            serving,
            stop,
        };
        // Before, there is nobody to call.
        stage.agents_stream().await?;
        Ok(stage)
    }

    /// The one stream while there is no call: the agent's.
    pub(super) async fn agents_stream(&self) -> Result<String> {
        let relay = self.server.relay().context("the server has a relay")?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let [only] = &relay.streams()[..] {
                return Ok(only.stream_id.clone());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the agent's stream is not the only one at the relay")
    }

    pub(super) async fn strike(self) {
        self.kiosk.stop().await;
        self.agent.stop().await;
        self.stop.cancel();
        if let Err(error) = self.serving.await {
            log::error!("the room server ended badly: {error}");
        }
    }
}

/// `rtckiosk run`, headless, with a test pattern and a tone.
#[derive(Debug)]
pub(super) struct KioskProcess {
    child: Child,
    pub(super) pid: u32,
    folder: PathBuf,
    socket: PathBuf,
}

impl KioskProcess {
    async fn start(base_url: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("rtckiosk-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let file = folder.join("kiosk.toml");
        std::fs::write(&file, config(base_url, &folder)).context("the kiosk's configuration")?;
        let program = std::env::current_exe().context("the path of this program is not known")?;
        let child = killed_with_us(&program)
            .arg("run")
            .arg("--config")
            .arg(&file)
            .spawn()
            .context("the kiosk cannot be started by setpriv")?;
        let pid = child.id().context("the kiosk ended at once")?;
        let kiosk = Self {
            child,
            pid,
            socket: control::socket(&folder),
            folder,
        };
        kiosk
            .until("waits for a call", |state| state == "attract", |_| true)
            .await?;
        Ok(kiosk)
    }

    /// Calls, and waits until the agent is seen.
    pub(super) async fn call(&self) -> Result<()> {
        control::ask(&self.socket, &Request::Call).await?;
        let seen =
            |status: &Value| frames_seen(status) > 0 && status["uplink"]["connected"] == true;
        self.until("is in a call", |state| state == "in_call", seen)
            .await?;
        Ok(())
    }

    pub(super) async fn hang_up(&self) -> Result<()> {
        control::ask(&self.socket, &Request::HangUp).await?;
        self.until(
            "is ready for the next call",
            |state| state == "attract",
            |_| true,
        )
        .await?;
        Ok(())
    }

    pub(super) async fn status(&self) -> Result<Value> {
        let answer = control::ask(&self.socket, &Request::Status).await?;
        answer.status.context("the kiosk answers without a status")
    }

    async fn until(
        &self,
        what: &str,
        state: impl Fn(&str) -> bool,
        more: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < PATIENCE {
            match self.status().await {
                Ok(status) => {
                    let now = status["session"]["state"].as_str().unwrap_or_default();
                    if state(now) && more(&status) {
                        return Ok(status);
                    }
                    last = status["session"].to_string();
                }
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!(
            "the kiosk {what}: not within {} s; {last}",
            PATIENCE.as_secs()
        )
    }

    async fn stop(mut self) {
        if let Err(error) = self.child.kill().await {
            log::warn!("the kiosk cannot be ended: {error}");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            log::warn!("{} stays: {error}", self.folder.display());
        }
    }
}

/// Pictures of others that a status tells of.
pub(super) fn frames_seen(status: &Value) -> u64 {
    let downlinks = status["downlinks"].as_object();
    let frames = downlinks.into_iter().flatten();
    frames
        .filter_map(|(_, downlink)| downlink["frames"].as_u64())
        .sum()
}

/// A program that ends when this one does, in whatever way.
pub(super) fn killed_with_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Encoder and size are those of the bare pipelines.
fn config(base_url: &str, folder: &Path) -> String {
    format!(
        r#"
name = "bench"
state_dir = {folder:?}
runtime_dir = {folder:?}
log = "error"
[room]
server_url = {base_url:?}
[media.video]
source = "test"
encoder = "x264enc"
width = 640
height = 480
fps = 30
bitrate_kbps = 800
gop_seconds = 1.0
[media.audio]
microphone = "test"
speaker = "none"
bitrate_kbps = 48
[display]
backend = "headless"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KioskConfig;

    #[test]
    fn the_kiosks_configuration_is_valid() {
        let text = config("http://127.0.0.1:5757/weapp/", Path::new("/tmp/bench"));
        KioskConfig::parse("bench", &text).expect("valid");
    }
}
