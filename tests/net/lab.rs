//! A kiosk's link in a box: a process in a network namespace of its own, joined to this one by a
//! pair of virtual interfaces, whose token buckets set the rate of each direction.
//!
//! Nothing needs to be cleaned up: the namespace, and with it the interfaces, ends with the
//! process.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What a router queues: 0.1 s at 3 Mbit/s, 1 s at 400 kbit/s.
const QUEUE_BYTES: u32 = 48_000;
const BURST_BYTES: u32 = 6_000;
const DEVICE: &str = "kiosk0";

/// The near side and its link to here.
pub(crate) struct Lab {
    near: Child,
    device: String,
    subnet: u8,
    /// What the near side says.
    lines: mpsc::Receiver<String>,
}

/// Why a test cannot run on this machine.
pub(crate) struct Skip(pub(crate) String);

impl Lab {
    /// Starts the test `near_side` of this program in a namespace of its own. It gets `args` in
    /// the environment and begins when [`Lab::go`] is called.
    pub(crate) fn new(subnet: u8, args: &[(&str, String)]) -> Result<Self, Skip> {
        let device = format!("rtk{subnet}-{}", std::process::id());
        let program = std::env::current_exe().expect("this program");
        let mut near = Command::new("unshare")
            .arg("--net")
            .arg("--")
            .arg(program)
            .args(["near_side", "--exact", "--ignored", "--nocapture"])
            .envs(args.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Skip(format!("unshare cannot be run: {error}")))?;
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(near.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let lab = Self {
            near,
            device,
            subnet,
            lines,
        };
        lab.wait_for("ready")?;
        lab.join()?;
        Ok(lab)
    }

    fn wait_for(&self, word: &str) -> Result<(), Skip> {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line.ends_with(word) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(Skip("no network namespace can be made".to_owned())),
            }
        }
    }

    fn join(&self) -> Result<(), Skip> {
        let pid = self.near.id().to_string();
        let here = format!("{}/30", self.here());
        let there = format!("198.18.{}.2/30", self.subnet);
        let link = [
            "link",
            "add",
            &self.device,
            "type",
            "veth",
            "peer",
            "name",
            DEVICE,
            "netns",
        ];
        self.ip(&[&link[..], &[&pid]].concat()).map_err(Skip)?;
        self.ip(&["addr", "add", &here, "dev", &self.device])
            .map_err(Skip)?;
        self.ip(&["link", "set", &self.device, "up"])
            .map_err(Skip)?;
        self.inside("ip", &["addr", "add", &there, "dev", DEVICE])
            .map_err(Skip)?;
        self.inside("ip", &["link", "set", DEVICE, "up"])
            .map_err(Skip)?;
        self.inside("ip", &["link", "set", "lo", "up"])
            .map_err(Skip)?;
        // What the appliance has, whatever this machine's default is.
        let cubic = "net.ipv4.tcp_congestion_control=cubic";
        let _ = self.inside("sysctl", &["-qw", cubic]);
        self.try_rate(3_000_000, "add").map_err(Skip)
    }

    /// This side's address on the link.
    pub(crate) fn here(&self) -> IpAddr {
        Ipv4Addr::new(198, 18, self.subnet, 1).into()
    }

    /// Lets the near side begin.
    pub(crate) fn go(&mut self, word: &str) {
        let stdin = self.near.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{word}").expect("the near side lives");
    }

    /// Everything that the near side has said since the last call.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Bits per second, both ways.
    pub(crate) fn set_rate(&self, bits: u32) {
        self.try_rate(bits, "change").expect("tc");
    }

    fn try_rate(&self, bits: u32, verb: &str) -> Result<(), String> {
        let (rate, burst) = (format!("{bits}bit"), format!("{BURST_BYTES}b"));
        let limit = format!("{QUEUE_BYTES}b");
        let bucket = [
            "root", "tbf", "rate", &rate, "burst", &burst, "limit", &limit,
        ];
        self.both(verb, &bucket)
    }

    /// Loses every packet, both ways, and tells nobody; or carries them again.
    pub(crate) fn set_gone(&self, gone: bool) {
        if gone {
            self.both("replace", &["root", "pfifo", "limit", "0"])
                .expect("tc");
        } else {
            self.try_rate(3_000_000, "replace").expect("tc");
        }
    }

    /// A kernel setting on the near side; whether the kernel has it.
    pub(crate) fn sysctl(&self, setting: &str) -> bool {
        self.inside("sysctl", &["-qw", setting]).is_ok()
    }

    fn both(&self, verb: &str, what: &[&str]) -> Result<(), String> {
        let here = [&["qdisc", verb, "dev", &self.device], what].concat();
        let there = [&["qdisc", verb, "dev", DEVICE], what].concat();
        run(Command::new("tc").args(here))?;
        self.inside("tc", &there)
    }

    fn ip(&self, args: &[&str]) -> Result<(), String> {
        run(Command::new("ip").args(args))
    }

    fn inside(&self, program: &str, args: &[&str]) -> Result<(), String> {
        let pid = self.near.id().to_string();
        run(Command::new("nsenter")
            .args(["-t", &pid, "-n", program])
            .args(args))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.near.kill();
        let _ = self.near.wait();
    }
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
