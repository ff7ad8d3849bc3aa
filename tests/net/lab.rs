//! A kiosk's link in a box: this test and its relay in one network namespace, the kiosk's side as
//! a process in another, joined by a [`Wire`] whose token buckets set the rate of each direction.
//!
//! Nothing needs to be cleaned up: namespaces and devices end with their processes.

use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::near::{Job, Said};
use crate::wire::{DEVICE, FAR, Weather, Wire};

/// Queue of a router, in bytes: 0.1 s at 3 Mbit/s, 1 s at 400 kbit/s.
const QUEUE_BYTES: u32 = 48_000;
const BURST_BYTES: u32 = 6_000;
pub(crate) const WIDE: u32 = 3_000_000;
/// Set in a process that runs in a namespace of its own.
const INSIDE: &str = "RTK_NET_INSIDE";
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test`, the test of this name, in a network namespace of its own. Says why, if that
/// cannot be on this machine; in CI that is a failure.
pub(crate) fn in_namespace(name: &str, test: impl FnOnce(Lab)) {
    if std::env::var_os(INSIDE).is_some() {
        match Lab::new() {
            Ok(lab) => test(lab),
            Err(reason) => skip(name, &reason),
        }
        return;
    }
    // These tests measure: several at once would measure each other.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(reason) = run(unshare().arg("true")) {
        skip(name, &format!("no network namespace can be made: {reason}"));
        return;
    }
    let args = [name, "--exact", "--include-ignored", "--nocapture"];
    let status = itself(&args).env(INSIDE, "1").status();
    assert!(status.is_ok_and(|status| status.success()), "{name} failed");
}

/// Skips a test, but not in CI: what CI does not test, nobody does.
fn skip(name: &str, reason: &str) {
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!ci, "{name} is never skipped in CI: {reason}");
    println!("{name}: skipped: {reason}");
}

/// Whoever is not root may be so in a user namespace. The mounts are its own too, so that each side
/// can have its own names.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.arg("--");
    command
}

/// This program in another namespace.
fn itself(args: &[&str]) -> Command {
    let mut command = unshare();
    command
        .arg(std::env::current_exe().expect("this program"))
        .args(args);
    command
}

/// The near side and its link to here.
#[derive(Debug)]
pub(crate) struct Lab {
    near: Child,
    wire: Wire,
    /// The reports of the near side.
    lines: mpsc::Receiver<String>,
}

impl Lab {
    /// Starts the near side and a wide link to it. It begins when [`Lab::go`] is called.
    fn new() -> Result<Self, String> {
        let mut near = itself(&["near_side", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare cannot be run: {error}"))?;
        let lines = listen(&mut near);
        let made = ready(&lines).and_then(|()| Wire::to(near.id()));
        let wire = made.inspect_err(|_| end(&mut near))?;
        let lab = Self { near, wire, lines };
        for side in [None, Some(lab.near.id())] {
            run(at(side, "ip").args(["link", "set", "lo", "up"]))?;
            // The one that every namespace may have; on such links Debian's cubic is the same.
            let reno = "echo reno >/proc/sys/net/ipv4/tcp_congestion_control";
            run(at(side, "sh").args(["-c", reno]))?;
        }
        lab.try_rate(WIDE)?;
        Ok(lab)
    }

    /// Another, when there was one and it has ended.
    pub(crate) fn again() -> Self {
        Self::new().expect("there was a link before")
    }

    /// This side's address on the link.
    #[allow(clippy::unused_self, reason = "there is no address without a link")]
    pub(crate) fn here(&self) -> IpAddr {
        FAR.into()
    }

    /// Lets the near side begin.
    pub(crate) fn go(&mut self, job: &Job) {
        let stdin = self.near.stdin.as_mut().expect("a pipe");
        let job = serde_json::to_string(job).expect("JSON");
        writeln!(stdin, "{job}").expect("the near side lives");
    }

    /// Everything that the near side has said since the last call.
    pub(crate) fn said(&self) -> Vec<Said> {
        let lines = self.lines.try_iter();
        lines
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect()
    }

    /// Bits per second, both ways.
    pub(crate) fn set_rate(&self, bits: u32) {
        self.try_rate(bits).expect("tc");
    }

    fn try_rate(&self, bits: u32) -> Result<(), String> {
        let (rate, burst) = (format!("{bits}bit"), format!("{BURST_BYTES}b"));
        let limit = format!("{QUEUE_BYTES}b");
        for side in [None, Some(self.near.id())] {
            run(at(side, "tc")
                .args(["qdisc", "replace", "dev", DEVICE, "root", "tbf"])
                .args(["rate", &rate, "burst", &burst, "limit", &limit]))?;
        }
        Ok(())
    }

    /// Gives the near side a name with these addresses, in this order, all of which lead to this
    /// side; returns the addresses as the near side resolves them.
    pub(crate) fn name(&self, name: &str, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hosts");
        let lines: Vec<_> = addresses
            .iter()
            .map(|at| format!("{at} {name}\n"))
            .collect();
        std::fs::write(&file, lines.concat()).expect("a file");
        let routes: Vec<_> = addresses
            .iter()
            .map(|at| format!("ip route replace {at} dev {DEVICE}; "))
            .collect();
        // The file stays while it is mounted.
        let script = format!(
            "set -e; {} mount --bind {} /etc/hosts; getent ahosts {name}",
            routes.concat(),
            file.display()
        );
        let mut near = at(Some(self.near.id()), "sh");
        let output = near.args(["-c", &script]).output().expect("nsenter");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        let lines = said.lines().filter(|line| line.contains("STREAM"));
        let first = lines.filter_map(|line| line.split_whitespace().next()?.parse().ok());
        first.collect()
    }

    /// Gives this side another address.
    #[allow(clippy::unused_self, reason = "there is no address without a link")]
    pub(crate) fn also_here(&self, address: IpAddr) {
        let address = format!("{address}/32");
        run(at(None, "ip").args(["address", "replace", &address, "dev", "lo"])).expect("ip");
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.wire.set(weather);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        end(&mut self.near);
    }
}

fn end(near: &mut Child) {
    // Its programs end with it, when their pipes do.
    let _ = near.kill();
    let _ = near.wait();
}

fn listen(near: &mut Child) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(near.stdout.take().expect("a pipe"));
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn ready(lines: &mpsc::Receiver<String>) -> Result<(), String> {
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.ends_with("ready") => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err("the near side does not start".to_owned()),
        }
    }
}

/// A program in the namespace of a process, or in this one.
fn at(process: Option<u32>, program: &str) -> Command {
    let Some(process) = process else {
        return Command::new(program);
    };
    let mut command = Command::new("nsenter");
    command.args(["-t", &process.to_string(), "-n", "-m", program]);
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&stderr).trim()
        )),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
