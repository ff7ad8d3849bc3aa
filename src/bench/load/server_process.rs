//! The room server under load: a process of its own on one core, which never outlives this one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::usage::Usage;
use crate::bench::tools::killed_with_us;

/// Longest time for the server to listen.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// `rtcroomd`, running.
#[derive(Debug)]
pub(super) struct ServerProcess {
    child: Child,
    pid: u32,
    /// Its output, open as long as it runs.
    _out: BufReader<ChildStdout>,
    pub(super) addr: SocketAddr,
}

impl ServerProcess {
    /// Starts the `rtcroomd` beside this program with `config`, on one core; this thread then
    /// keeps to the others.
    ///
    /// # Errors
    /// It cannot be started, or does not say where it listens.
    pub(super) async fn start(config: &str, cores: &Cores) -> Result<Self> {
        let program = beside_this_program()?;
        let mut command = killed_with_us(program);
        command
            .args(["--config", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = cores.spawn_for_server(&mut command)?;
        let pid = child.id().context("the server ended at once")?;
        let mut input = child.stdin.take().context("the server has no input")?;
        input.write_all(config.as_bytes()).await?;
        drop(input);
        let output = child.stdout.take().context("the server has no output")?;
        let mut out = BufReader::new(output);
        let mut line = String::new();
        let listening = timeout(START_DEADLINE, out.read_line(&mut line)).await;
        listening.context("the server does not start to listen")??;
        let addr = address(&line).with_context(|| format!("the server says {line:?}"))?;
        Ok(Self {
            child,
            pid,
            _out: out,
            addr,
        })
    }

    /// Use of its core and of memory so far.
    ///
    /// # Errors
    /// The server has ended.
    pub(super) fn usage(&mut self) -> Result<Usage> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended: {status}");
        }
        Usage::of(self.pid)
    }

    /// Ends it, as dropping does, and waits for the end.
    ///
    /// # Errors
    /// It cannot be killed.
    pub(super) async fn stop(mut self) -> Result<()> {
        let killed = self.child.kill().await;
        killed.context("the server cannot be killed")
    }
}

fn beside_this_program() -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of this program is not known")?;
    let program = this.with_file_name("rtcroomd");
    ensure!(program.is_file(), "{} is missing", program.display());
    Ok(program)
}

/// The address in `listening on http://127.0.0.1:5757/weapp (rooms) ...`
fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split('/').next()?.parse().ok()
}

/// The cores of the server and of the clients.
#[derive(Debug)]
pub(super) struct Cores {
    server: CpuSet,
    client: CpuSet,
    /// Whether the server has a core that this process keeps off.
    pub(super) are_apart: bool,
}

impl Cores {
    /// One core for the server, the rest for the clients; a single core is shared.
    pub(super) fn split() -> Result<Self> {
        let all = sched_getaffinity(None).context("the cores are not known")?;
        let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core));
        let first = first.context("there is no core")?;
        let mut server = CpuSet::new();
        server.set(first);
        let are_apart = all.count() > 1;
        let mut client = all;
        if are_apart {
            client.unset(first);
        }
        Ok(Self {
            server,
            client,
            are_apart,
        })
    }

    /// Starts a program on the server's core; this thread keeps to the others.
    pub(super) fn spawn_for_server(&self, command: &mut Command) -> Result<Child> {
        // A child starts on the cores of the thread that starts it.
        sched_setaffinity(None, &self.server).context("no core for the server")?;
        let child = command.spawn();
        sched_setaffinity(None, &self.client).context("no core for the clients")?;
        child.with_context(|| format!("{:?} cannot be started", command.as_std()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_address_that_the_server_says() {
        let line = "listening on http://127.0.0.1:5757/weapp (rooms) and rtmp://127.0.0.1:1935/live (relay)\n";
        assert_eq!(address(line), "127.0.0.1:5757".parse().ok());
        assert_eq!(address("cannot listen"), None);
    }
}
