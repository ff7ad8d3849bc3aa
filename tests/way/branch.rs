//! A locked room server and an agent in the centre, and a kiosk in the branch.

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::machines::{Machine, Machines, NAME};
use crate::support::program::{Program, RTCKIOSK, RTCROOMD, written};
use crate::support::{PATIENCE, number, text, until, until_true};

/// Settings of a machine without camera, microphone and screen.
const NO_DEVICES: &str = "
[media.video]
source = \"test\"
width = 320
height = 240
bitrate_kbps = 300
[media.audio]
microphone = \"test:440\"
speaker = \"none\"
[display]
backend = \"headless\"
";

/// The server's listeners that speak TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    All,
    RoomServerAlone,
}

/// Everything that runs; ends when dropped.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) machines: Machines,
    config: PathBuf,
    /// The kiosk's configuration without `[network]`.
    base: String,
    _server: Program,
}

impl Branch {
    /// Starts the server; `None` where there are no namespaces.
    pub(crate) fn start(tls: Tls) -> Option<Self> {
        let machines = Machines::new()?;
        let etc = machines.of(Machine::Centre).join("etc");
        let dir = etc.to_str().unwrap().to_owned();
        let init = ["init", "--host", NAME, "--dir", &dir];
        let made = machines.command(Machine::Centre, RTCROOMD, &init).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", written(&made));
        let file = etc.join("rtcroomd.toml");
        let mut server = std::fs::read_to_string(&file).unwrap();
        if tls == Tls::RoomServerAlone {
            // The last table is the relay's.
            server += "tls = false\n";
        }
        std::fs::write(&file, server).unwrap();
        let file = file.to_str().unwrap();
        let mut run = machines.command(Machine::Centre, RTCROOMD, &["--config", file]);
        let server = Program::start("server", machines.folder(), &mut run);
        until_true("the server listens", PATIENCE, || {
            server.out().contains("listening on https://")
        });
        let branch = machines.of(Machine::Branch);
        let base = own(
            &branch,
            &std::fs::read_to_string(etc.join("kiosk.toml")).unwrap(),
        );
        Some(Self {
            config: branch.join("kiosk.toml"),
            base,
            machines,
            _server: server,
        })
    }

    /// Writes the kiosk's configuration, with these lines of `[network]`.
    pub(crate) fn configure(&self, network: &str) {
        let text = format!("{}[network]\n{network}\n{NO_DEVICES}", self.base);
        std::fs::write(&self.config, text).unwrap();
    }

    /// Starts the agent, and waits for its room.
    pub(crate) fn agent(&self) -> Program {
        let centre = self.machines.of(Machine::Centre);
        let config = centre.join("agent.toml");
        let made = std::fs::read_to_string(centre.join("etc/agent.toml")).unwrap();
        std::fs::write(&config, own(&centre, &made) + NO_DEVICES).unwrap();
        let arguments = ["agent", "--config", config.to_str().unwrap()];
        let mut run = self.machines.command(Machine::Centre, RTCKIOSK, &arguments);
        let agent = Program::start("agent", self.machines.folder(), &mut run);
        until_true("the agent opens a room", PATIENCE, || {
            agent.out().contains("\"in_call\"")
        });
        agent
    }

    /// Starts the kiosk.
    pub(crate) fn kiosk(&self) -> Program {
        let config = self.config.to_str().unwrap();
        let arguments = ["run", "--config", config];
        let mut run = self.machines.command(Machine::Branch, RTCKIOSK, &arguments);
        Program::start("kiosk", self.machines.folder(), &mut run)
    }

    /// Runs a tool of the kiosk.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        let config = ["--config", self.config.to_str().unwrap()];
        let arguments = [arguments, &config].concat();
        let mut run = self.machines.command(Machine::Branch, RTCKIOSK, &arguments);
        run.output().unwrap()
    }

    /// The kiosk's status, once it answers.
    pub(crate) fn status(&self) -> Option<Value> {
        serde_json::from_slice(&self.tool(&["status", "--json"]).stdout).ok()
    }

    /// Makes a call until the kiosk sees the agent; returns the status then.
    pub(crate) fn call(&self, agent: &Program) -> Value {
        until_true("the kiosk takes the call", PATIENCE, || {
            self.tool(&["ctl", "call"]).status.success()
        });
        let status = until("the kiosk sees the agent", PATIENCE, || {
            let status = self.status()?;
            (number(&status, "downlinks.agent-1.frames") >= 30).then_some(status)
        });
        until_true("the agent sees the kiosk", PATIENCE, || {
            let out = agent.out();
            let lines = out.lines().rev();
            let seen = lines
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .map(|line| number(&line, "downlinks.kiosk-1.frames"));
            seen.max().unwrap_or_default() >= 30
        });
        assert_eq!(text(&status, "session.state"), "in_call");
        status
    }
}

/// A configuration with directories of its own.
fn own(folder: &std::path::Path, made: &str) -> String {
    let folder = folder.display();
    format!(
        "runtime_dir = \"{folder}/run\"\nstate_dir = \"{folder}/state\"\n\
         snapshot_dir = \"{folder}/snapshots\"\n{made}"
    )
}
