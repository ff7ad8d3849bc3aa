//! An nginx on a free port of loopback: a server that is none of ours.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::child::killed_with_us;
use super::temp_folder::TempFolder;

/// Longest time for nginx to listen: it takes some milliseconds on an idle machine.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two looks whether it listens.
const RETRY: Duration = Duration::from_millis(20);
/// File of its folder in which it says why it does not start.
const LOG: &str = "error.log";

/// nginx, running until dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Child,
    pub(crate) pid: u32,
    pub(crate) addr: SocketAddr,
    folder: TempFolder,
}

impl Nginx {
    /// Starts nginx by `spawn`. `config` makes the part of its configuration that says what it
    /// serves at an address.
    ///
    /// # Errors
    /// nginx is missing, or does not start to listen.
    pub(crate) async fn start(
        config: impl FnOnce(SocketAddr) -> String,
        spawn: impl FnOnce(&mut Command) -> Result<Child>,
    ) -> Result<Self> {
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = TempFolder::create()?;
        let file = folder.path().join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log {LOG} error;\n{}",
            config(addr)
        );
        std::fs::write(&file, text)?;
        let mut command = killed_with_us("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        command.args(["-e", LOG]).stderr(Stdio::null());
        let process = spawn(&mut command)
            .context("nginx cannot be started by setpriv: install nginx-light and util-linux")?;
        let mut nginx = Self {
            pid: process.id().context("nginx ended at once")?,
            process,
            addr,
            folder,
        };
        nginx.wait_until_listening().await?;
        Ok(nginx)
    }

    async fn wait_until_listening(&mut self) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(self.addr).await.is_err() {
            if begun.elapsed() > START_DEADLINE || self.process.try_wait()?.is_some() {
                let log = std::fs::read_to_string(self.folder.path().join(LOG));
                bail!(
                    "nginx does not start (is the Debian package nginx-light installed?): {}",
                    log.unwrap_or_default()
                );
            }
            sleep(RETRY).await;
        }
        Ok(())
    }
}
