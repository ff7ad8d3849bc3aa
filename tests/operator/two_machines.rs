//! The chapter of the README for two machines, word for word, in two network namespaces: `init`, one file
//! copied, both started, and a call with TLS on every connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::program::{Program, RTCKIOSK, written};
use crate::support::{PATIENCE, number, text, turn, until, until_true};

/// Namespaces of the server and of the branch, and the addresses of both.
const NAMES: [&str; 2] = ["rtck-server", "rtck-branch"];
const ADDRESSES: [&str; 2] = ["10.213.7.1", "10.213.7.2"];

/// Settings of a machine without camera, microphone and screen.
const NO_DEVICES: &str = "
[media.video]
source = \"test\"
[media.audio]
microphone = \"test:440\"
speaker = \"none\"
[display]
backend = \"headless\"
";

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2 is there")
}

/// Two machines with a cable between them, each with directories of its own; gone when dropped.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// `None` where namespaces are not allowed.
    fn new() -> Option<Self> {
        for name in NAMES {
            ip(&["netns", "delete", name]);
        }
        if !ip(&["netns", "add", NAMES[0]]).status.success() {
            return None;
        }
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        assert!(ip(&["netns", "add", NAMES[1]]).status.success());
        let cable = [
            "link", "add", "rtck0", "netns", NAMES[0], "type", "veth", "peer", "name", "rtck1",
            "netns", NAMES[1],
        ];
        if !ip(&cable).status.success() {
            return None;
        }
        for (n, name) in NAMES.iter().enumerate() {
            let address = format!("{}/24", ADDRESSES[n]);
            let device = format!("rtck{n}");
            for arguments in [
                &["address", "add", address.as_str(), "dev", &device][..],
                &["link", "set", &device, "up"],
                &["link", "set", "lo", "up"],
            ] {
                let done = ip(&[&["-n", name], arguments].concat());
                assert!(done.status.success(), "{}", written(&done));
            }
            let etc = lab.folder.path().join(name).join("etc");
            fs::create_dir_all(etc).unwrap();
        }
        Some(lab)
    }

    /// The directory that a machine sees as /etc/rtckiosk.
    fn etc(&self, machine: usize) -> PathBuf {
        self.folder.path().join(NAMES[machine]).join("etc")
    }

    /// A line of the chapter, as a shell of that machine runs it.
    fn shell(&self, machine: usize, line: &str) -> Command {
        let bin = Path::new(RTCKIOSK).parent().unwrap();
        let own = self.folder.path().join(NAMES[machine]);
        let (own, bin) = (own.display(), bin.display());
        // Nothing of the machine under this one is seen or changed.
        let script = format!(
            "set -e; mkdir -p {own}/run {own}/lib /etc/rtckiosk /run/rtckiosk /var/lib/rtckiosk
             mount --bind {own}/etc /etc/rtckiosk
             mount --bind {own}/run /run/rtckiosk
             mount --bind {own}/lib /var/lib/rtckiosk
             cp /etc/hosts {own}/hosts; echo '{} rooms.example.com' >> {own}/hosts
             mount --bind {own}/hosts /etc/hosts
             cd /etc/rtckiosk; export PATH={bin}:$PATH; exec {line}",
            ADDRESSES[0]
        );
        let mut command = Command::new("ip");
        let inside = [
            "netns",
            "exec",
            NAMES[machine],
            "unshare",
            "--mount",
            "sh",
            "-c",
            &script,
        ];
        command.args(inside);
        command
    }

    fn done(&self, machine: usize, line: &str) -> String {
        let output = self.shell(machine, line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", written(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in NAMES {
            ip(&["netns", "delete", name]);
        }
    }
}

/// The commands of the chapter, without their comments.
fn commands() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let (_, chapter) = readme
        .split_once("## Run kiosk and server on two machines")
        .unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let blocks = chapter.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines
        .map(|line| line.split("  #").next().unwrap().trim().to_owned())
        .collect()
}

#[test]
fn the_readme_makes_a_call_between_two_machines() {
    let _turn = turn();
    let Some(lab) = Lab::new() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must be able to make namespaces"
        );
        return println!("skipped: no network namespaces here");
    };
    let commands = commands();
    let [init, serve, check, run, call, status, agent] = &commands[..] else {
        panic!("the chapter has other commands: {commands:#?}");
    };
    let said = lab.done(0, init);
    assert!(said.contains("kiosk.toml"), "{said}");
    let server = Program::start("server", lab.folder.path(), &mut lab.shell(0, serve));
    until_true("the server listens", PATIENCE, || {
        server.out().contains("listening on https://")
    });
    // One file is copied.
    let copied = lab.etc(1).join("kiosk.toml");
    fs::copy(lab.etc(0).join("kiosk.toml"), &copied).unwrap();
    for path in [&copied, &lab.etc(0).join("agent.toml")] {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, text + NO_DEVICES).unwrap();
    }
    let checked = lab.shell(1, check).output().unwrap();
    assert!(checked.status.success(), "{}", written(&checked));
    let _agent = Program::start("agent", lab.folder.path(), &mut lab.shell(0, agent));
    let kiosk = Program::start("kiosk", lab.folder.path(), &mut lab.shell(1, run));
    until_true("the kiosk takes the call", PATIENCE, || {
        lab.shell(1, call).output().unwrap().status.success()
    });
    let seen = |status: &Value| number(status, "downlinks.agent-1.frames") >= 30;
    let status = until("the kiosk sees the agent", PATIENCE, || {
        let output = lab.shell(1, &format!("{status} --json")).output().ok()?;
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        seen(&status).then_some(status)
    });
    assert_eq!(text(&status, "session.state"), "in_call");
    // Nothing between the two machines is in plain text: only the ports of TLS are connected.
    let sockets = Command::new("ip")
        .args([
            "netns",
            "exec",
            NAMES[1],
            "ss",
            "--tcp",
            "--numeric",
            "--no-header",
        ])
        .output()
        .unwrap();
    let sockets = String::from_utf8(sockets.stdout).unwrap();
    let peers = sockets
        .lines()
        .filter_map(|line| line.split_whitespace().nth(4));
    let peers: Vec<_> = peers
        .filter(|peer| peer.starts_with(ADDRESSES[0]))
        .collect();
    assert!(peers.len() >= 3, "{sockets}");
    let is_tls = |peer: &&str| peer.ends_with(":5757") || peer.ends_with(":1935");
    assert!(peers.iter().all(is_tls), "{sockets}");
    assert!(server.out().contains("rtmps://"), "{}", server.out());
    for words in ["insecure", "plain"] {
        assert!(!kiosk.err().contains(words), "{}", kiosk.err());
    }
}
