//! Two machines with a cable between them, each a network namespace with names of its own: a branch,
//! and a centre that has the servers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::program::written;

/// Both ends of the cable.
pub(crate) const CENTRE: &str = "10.213.8.1";
pub(crate) const BRANCH: &str = "10.213.8.2";
/// The address of the servers, behind the cable's end.
pub(crate) const SERVERS: &str = "10.213.9.1";
/// An address that nobody has, and of which nobody says so.
pub(crate) const DEAD: &str = "10.213.9.2";
/// The name of the servers.
pub(crate) const NAME: &str = "rooms.example.com";

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    Branch,
    Centre,
}

/// Both machines; gone when dropped.
#[derive(Debug)]
pub(crate) struct Machines {
    folder: tempfile::TempDir,
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2 is there")
}

impl Machine {
    /// Other programs of tests may run beside this one.
    fn namespace(self) -> String {
        let side = match self {
            Self::Branch => "branch",
            Self::Centre => "centre",
        };
        format!("rtck-{}-{side}", std::process::id())
    }
}

impl Machines {
    /// `None` where namespaces are not allowed, which is said.
    pub(crate) fn new() -> Option<Self> {
        let made = Self::make();
        if made.is_none() {
            let ci = std::env::var_os("CI").is_some();
            assert!(!ci, "CI must be able to make namespaces");
            println!("skipped: no network namespaces here");
        }
        made
    }

    fn make() -> Option<Self> {
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let [branch, centre] = [Machine::Branch, Machine::Centre].map(Machine::namespace);
        for name in [&branch, &centre] {
            if !ip(&["netns", "add", name]).status.success() {
                return None;
            }
        }
        let cable = [
            "link", "add", "rtck0", "netns", &branch, "type", "veth", "peer", "name", "rtck0",
            "netns", &centre,
        ];
        if !ip(&cable).status.success() {
            return None;
        }
        for (name, address) in [(&branch, BRANCH), (&centre, CENTRE)] {
            let address = format!("{address}/30");
            for arguments in [
                &["address", "add", address.as_str(), "dev", "rtck0"][..],
                &["link", "set", "rtck0", "up"],
                &["link", "set", "lo", "up"],
            ] {
                let done = ip(&[&["-n", name], arguments].concat());
                assert!(done.status.success(), "{}", written(&done));
            }
        }
        let servers = format!("{SERVERS}/32");
        let also = ["-n", &centre, "address", "add", &servers, "dev", "lo"];
        assert!(ip(&also).status.success());
        for machine in [Machine::Branch, Machine::Centre] {
            std::fs::create_dir(lab.of(machine)).unwrap();
        }
        lab.name(Machine::Branch, &[]);
        lab.name(Machine::Centre, &[SERVERS]);
        Some(lab)
    }

    /// A directory for what belongs to a machine.
    pub(crate) fn of(&self, machine: Machine) -> PathBuf {
        self.folder.path().join(machine.namespace())
    }

    /// The folder of all that programs write.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the servers' name these addresses on a machine, for programs that start from now on.
    pub(crate) fn name(&self, machine: Machine, addresses: &[&str]) {
        let own = ["127.0.0.1 localhost\n".to_owned()].into_iter();
        let named = addresses.iter().map(|at| format!("{at} {NAME}\n"));
        let lines: Vec<_> = own.chain(named).collect();
        std::fs::write(self.of(machine).join("hosts"), lines.concat()).unwrap();
    }

    /// Lets the branch send to an address over the cable, whoever is there.
    pub(crate) fn open_way_to(&self, address: &str) {
        let branch = Machine::Branch.namespace();
        let route = ["-n", &branch, "route", "add", address, "via", CENTRE];
        let done = ip(&route);
        assert!(done.status.success(), "{}", written(&done));
    }

    /// A program on a machine.
    pub(crate) fn command(&self, machine: Machine, program: &str, arguments: &[&str]) -> Command {
        let script = format!(
            "mount --bind {}/hosts /etc/hosts && exec \"$@\"",
            self.of(machine).display()
        );
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &machine.namespace()])
            .args(["unshare", "--mount", "sh", "-c", &script, "sh", program])
            .args(arguments);
        command
    }

    /// The peers of a machine's connections, in words such as `10.0.0.1:443`.
    pub(crate) fn peers(&self, machine: Machine) -> Vec<String> {
        let ask = ["--tcp", "--numeric", "--no-header"];
        let output = self.command(machine, "ss", &ask).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let peers = lines
            .lines()
            .filter_map(|line| line.split_whitespace().nth(4));
        peers.map(str::to_owned).collect()
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in [Machine::Branch, Machine::Centre] {
            ip(&["netns", "delete", &machine.namespace()]);
        }
    }
}
