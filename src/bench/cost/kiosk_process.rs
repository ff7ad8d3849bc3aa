//! The measured kiosk, a process of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Child;
use tokio::time::sleep;

use crate::appliance::control::{self, Request};
use crate::bench::tools::{TempFolder, killed_with_us};

/// Longest time for each step of a call; all is on this machine.
const STEP_DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks at the state.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// `rtckiosk run`, headless, with a test pattern and a tone.
#[derive(Debug)]
pub(super) struct KioskProcess {
    child: Child,
    pub(super) pid: u32,
    socket: PathBuf,
    _folder: TempFolder,
}

impl KioskProcess {
    /// Starts the kiosk, and waits until it is ready to call.
    pub(super) async fn start(base_url: &str) -> Result<Self> {
        let folder = TempFolder::create()?;
        let file = folder.path().join("kiosk.toml");
        let config = config(base_url, folder.path());
        std::fs::write(&file, config).context("the kiosk's configuration")?;
        let program = std::env::current_exe().context("the path of this program is not known")?;
        let child = killed_with_us(program)
            .arg("run")
            .arg("--config")
            .arg(&file)
            .spawn()
            .context("the kiosk cannot be started by setpriv")?;
        let kiosk = Self {
            pid: child.id().context("the kiosk ended at once")?,
            child,
            socket: control::socket(folder.path()),
            _folder: folder,
        };
        kiosk.wait_for("is ready", "attract", |_| true).await?;
        Ok(kiosk)
    }

    /// Calls, and waits until the agent is seen.
    pub(super) async fn call(&self) -> Result<()> {
        control::ask(&self.socket, &Request::Call).await?;
        let seen =
            |status: &Value| frames_seen(status) > 0 && status["uplink"]["connected"] == true;
        self.wait_for("is in a call", "in_call", seen).await
    }

    pub(super) async fn hang_up(&self) -> Result<()> {
        control::ask(&self.socket, &Request::HangUp).await?;
        self.wait_for("is ready again", "attract", |_| true).await
    }

    pub(super) async fn status(&self) -> Result<Value> {
        let answer = control::ask(&self.socket, &Request::Status).await?;
        answer.status.context("the kiosk answers without a status")
    }

    /// Waits for a state of the session, and for what else the status must say.
    async fn wait_for(
        &self,
        expected: &str,
        state: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < STEP_DEADLINE {
            match self.status().await {
                Ok(status) if status["session"]["state"] == state && holds(&status) => {
                    return Ok(());
                }
                Ok(status) => last = status["session"].to_string(),
                Err(error) => last = format!("{error:#}"),
            }
            sleep(LOOK_EVERY).await;
        }
        bail!(
            "the kiosk {expected}: not within {} s; {last}",
            STEP_DEADLINE.as_secs()
        )
    }

    pub(super) async fn stop(mut self) {
        if let Err(error) = self.child.kill().await {
            log::warn!("the kiosk cannot be ended: {error}");
        }
    }
}

/// Count of pictures of others in a status.
pub(super) fn frames_seen(status: &Value) -> u64 {
    let downlinks = status["downlinks"].as_object();
    let frames = downlinks.into_iter().flatten();
    frames
        .filter_map(|(_, downlink)| downlink["frames"].as_u64())
        .sum()
}

/// The kiosk's configuration, with the encoder and the size of the bare pipelines.
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
