//! `rtckiosk run` and `rtckiosk agent` as processes, with test pictures and tones.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use super::program::{Program, RTCKIOSK, run, written};
use super::{PATIENCE, number, secrets, text, until, until_true};

/// Settings that differ between tests.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    pub(crate) server: &'a str,
    pub(crate) user: &'a str,
    /// More lines of `[room]`.
    pub(crate) room: &'a str,
    pub(crate) tone_hz: u32,
}

impl<'a> Setting<'a> {
    pub(crate) fn kiosk(server: &'a str) -> Self {
        Self {
            server,
            user: "kiosk",
            room: "",
            tone_hz: 440,
        }
    }

    pub(crate) fn agent(server: &'a str) -> Self {
        Self {
            server,
            user: "agent",
            room: "mode = \"host\"\nroom_id = \"counter\"\n",
            tone_hz: 880,
        }
    }
}

/// Writes a configuration into `folder`.
pub(crate) fn config(folder: &Path, setting: &Setting<'_>) -> PathBuf {
    let path = folder.join(format!("{}.toml", setting.user));
    let Setting {
        server,
        user,
        room,
        tone_hz,
    } = setting;
    let folder = folder.display();
    let text = format!(
        "name = \"The {user}\"
log = \"trace\"
runtime_dir = \"{folder}/run-{user}\"
state_dir = \"{folder}/state-{user}\"
snapshot_dir = \"{folder}/snapshots\"
[room]
server_url = \"{server}\"
user_id = \"{user}\"
poll_seconds = 1
request_timeout_ms = 1000
{room}
[media.video]
source = \"test\"
width = 320
height = 240
bitrate_kbps = 300
[media.audio]
microphone = \"test:{tone_hz}\"
speaker = \"none\"
[display]
backend = \"headless\"
width = 640
height = 480
"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// A daemon with a control socket.
#[derive(Debug)]
pub(crate) struct Kiosk {
    pub(crate) program: Program,
    pub(crate) config: PathBuf,
    folder: tempfile::TempDir,
    user: String,
}

impl Kiosk {
    /// Starts it and waits until it answers.
    pub(crate) fn start(setting: &Setting<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), setting);
        let program = daemon(setting.user, folder.path(), &config);
        let kiosk = Self {
            program,
            config,
            folder,
            user: setting.user.to_owned(),
        };
        until("the daemon answers", PATIENCE, || kiosk.try_status());
        kiosk
    }

    /// Starts it again after it ended.
    pub(crate) fn restart(&mut self) {
        self.program = daemon(&self.user, self.folder.path(), &self.config);
        until("the daemon answers again", PATIENCE, || self.try_status());
    }

    pub(crate) fn socket(&self) -> PathBuf {
        let run = format!("run-{}", self.user);
        self.folder.path().join(run).join("control.sock")
    }

    /// One exchange on the control socket.
    pub(crate) fn ask(&self, request: &Value) -> std::io::Result<Value> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        secrets::none_in("the control socket", &line, self.folder.path());
        Ok(serde_json::from_str(&line)?)
    }

    fn try_status(&self) -> Option<Value> {
        let answer = self.ask(&json!({ "command": "status" })).ok()?;
        answer.get("status").cloned()
    }

    pub(crate) fn status(&self) -> Value {
        self.try_status().expect("the daemon tells its status")
    }

    pub(crate) fn state(&self) -> String {
        text(&self.status(), "session.state")
    }

    pub(crate) fn until_state(&self, state: &str, patience: Duration) {
        until_true(&format!("{} is {state}", self.user), patience, || {
            self.state() == state
        });
    }

    /// A call from Attract until frames of `other` are decoded.
    pub(crate) fn call(&self, other: &str) {
        self.until_state("attract", PATIENCE);
        let answer = self.ask(&json!({ "command": "call" })).unwrap();
        assert_eq!(answer["ok"], true, "{answer}");
        self.until_seen(other);
    }

    pub(crate) fn until_seen(&self, other: &str) {
        until_true(&format!("{} sees {other}", self.user), PATIENCE, || {
            self.frames_of(other) >= 15
        });
    }

    /// Frames of another member that were decoded.
    pub(crate) fn frames_of(&self, other: &str) -> u64 {
        number(&self.status(), &format!("downlinks.{other}.frames"))
    }

    /// Runs `rtckiosk` on this daemon's configuration.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        let config = self.config.to_str().unwrap();
        let output = run(RTCKIOSK, &[arguments, &["--config", config]].concat());
        secrets::none_in("a tool", &written(&output), self.folder.path());
        output
    }
}

fn daemon(user: &str, folder: &Path, config: &Path) -> Program {
    let mut command = Command::new(RTCKIOSK);
    Program::start(user, folder, command.arg("run").arg("--config").arg(config))
}

/// `rtckiosk agent`: opens a room and answers.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) program: Program,
    _folder: tempfile::TempDir,
}

impl Agent {
    /// Starts it and waits until its room is open.
    pub(crate) fn start(setting: &Setting<'_>) -> Self {
        let agent = Self::launch(setting);
        until_true("the agent opens a room", PATIENCE, || {
            text(&agent.latest("session"), "state") == "in_call"
        });
        agent
    }

    /// Starts it, and that is all.
    pub(crate) fn launch(setting: &Setting<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), setting);
        let mut command = Command::new(RTCKIOSK);
        command.arg("agent").arg("--config").arg(config);
        let program = Program::start("agent", folder.path(), &mut command);
        Self {
            program,
            _folder: folder,
        }
    }

    /// The newest value of a key among the lines it prints; null before the first.
    pub(crate) fn latest(&self, key: &str) -> Value {
        let out = self.program.out();
        let lines = out.lines().rev().filter_map(|line| {
            let mut value: Value = serde_json::from_str(line).ok()?;
            value.get_mut(key).map(Value::take)
        });
        { lines }.next().unwrap_or_default()
    }

    /// Frames of another member that were decoded, as told every two seconds.
    pub(crate) fn frames_of(&self, other: &str) -> u64 {
        number(&self.latest("downlinks"), &format!("{other}.frames"))
    }
}
