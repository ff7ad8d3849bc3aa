//! Whole calls through proxies, where there is no other way, and every connection through them.

use std::process::Command;

use crate::branch::{Branch, Tls};
use crate::machines::{CENTRE, Machine, NAME};
use crate::support::program::{Program, written};
use crate::support::{PATIENCE, turn, until_true};

pub(crate) const PASSWORD: &str = "s3cr3t-w0rd";

/// tinyproxy in the centre; more lines of its configuration may follow.
pub(crate) fn tinyproxy(branch: &Branch, more: &str) -> Program {
    let machines = &branch.machines;
    let config = machines.folder().join("tinyproxy.conf");
    let text = format!(
        "Port 3128\nListen {CENTRE}\nTimeout 600\nLogLevel Connect\nBasicAuth me {PASSWORD}\n{more}\n"
    );
    std::fs::write(&config, text).unwrap();
    let arguments = ["-d", "-c", config.to_str().unwrap()];
    let run = machines.command(Machine::Centre, "tinyproxy", &arguments);
    listening(branch, "tinyproxy", run, 3128)
}

/// microsocks in the centre.
pub(crate) fn microsocks(branch: &Branch) -> Program {
    let arguments = ["-i", CENTRE, "-p", "1080", "-u", "me", "-P", PASSWORD];
    let run = { &branch.machines }.command(Machine::Centre, "microsocks", &arguments);
    listening(branch, "microsocks", run, 1080)
}

fn listening(branch: &Branch, name: &str, mut run: Command, port: u16) -> Program {
    let proxy = Program::start(name, branch.machines.folder(), &mut run);
    until_true("the proxy listens", PATIENCE, || {
        let ask = ["--tcp", "--listening", "--numeric", "--no-header"];
        let output = branch
            .machines
            .command(Machine::Centre, "ss", &ask)
            .output();
        written(&output.unwrap()).contains(&format!("{CENTRE}:{port} "))
    });
    proxy
}

/// Makes a call that can only go through the proxy at `port`, and looks at what went where.
fn call_through(branch: &Branch, proxy: &Program, network: &str, port: u16) -> String {
    branch.configure(network);
    let check = branch.tool(&["check"]);
    let check_says = written(&check);
    assert!(check.status.success(), "{check_says}");
    for server in [5757, 1935] {
        let line = format!("lets us through to {NAME}:{server}");
        assert!(check_says.contains(&line), "{line}: {check_says}");
    }
    let agent = branch.agent();
    let kiosk = branch.kiosk();
    let status = branch.call(&agent).to_string();
    let peers = branch.machines.peers(Machine::Branch);
    let far: Vec<_> = { peers.iter() }
        .filter(|peer| !peer.starts_with("127.0.0.1:"))
        .collect();
    let proxied = format!("{CENTRE}:{port}");
    // Push and play, and the room server's or the message service's.
    assert!(far.len() >= 3, "{peers:?}");
    assert!(far.iter().all(|peer| **peer == proxied), "{peers:?}");
    let log = format!("{}{}", proxy.out(), proxy.err());
    for server in [5757, 1935] {
        assert!(log.contains(&format!("{NAME}:{server}")), "{log}");
    }
    for text in [&status, &check_says, &kiosk.err(), &kiosk.out()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    status
}

#[test]
fn a_call_goes_through_an_http_proxy_with_tls_on_all_of_it() {
    let _turn = turn();
    let Some(branch) = Branch::start(Tls::All) else {
        return;
    };
    let proxy = tinyproxy(&branch, "");
    let network = format!("proxy = \"http://me:{PASSWORD}@{CENTRE}:3128\"");
    let status = call_through(&branch, &proxy, &network, 3128);
    assert!(status.contains("TLSv1_3"), "{status}");
}

#[test]
fn a_call_goes_through_a_socks_proxy_with_rtmp_in_plain() {
    let _turn = turn();
    let Some(branch) = Branch::start(Tls::RoomServerAlone) else {
        return;
    };
    let proxy = microsocks(&branch);
    let file = branch.machines.folder().join("proxy.login");
    std::fs::write(&file, format!("me:{PASSWORD}\n")).unwrap();
    let network = format!(
        "proxy = \"socks5h://{CENTRE}:1080\"\nproxy_login_file = \"{}\"",
        file.display()
    );
    let status = call_through(&branch, &proxy, &network, 1080);
    assert!(!status.contains("TLSv1_3"), "{status}");
}
