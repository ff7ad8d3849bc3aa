//! Proxies that let nobody through: which hop refused, and what to do, in the words of `check`, of
//! the status and of the log.

use crate::branch::{Branch, Tls};
use crate::machines::{CENTRE, NAME};
use crate::proxies::{PASSWORD, microsocks, tinyproxy};
use crate::support::program::written;
use crate::support::{PATIENCE, text, turn, until};

fn http(login: &str) -> String {
    format!("proxy = \"http://{login}{CENTRE}:3128\"")
}

#[test]
fn the_hop_that_refuses_is_named() {
    let _turn = turn();
    let Some(branch) = Branch::start(Tls::All) else {
        return;
    };
    let socks = |login: &str| format!("proxy = \"socks5h://{login}{CENTRE}:1080\"");
    let says = |network: &str| {
        branch.configure(network);
        let check = branch.tool(&["check"]);
        let says = written(&check);
        assert_eq!(check.status.code(), Some(1), "{says}");
        assert!(
            !says.contains(PASSWORD) && !says.contains("wr0ng"),
            "{says}"
        );
        says
    };
    // There is no way but the proxy, and no name.
    let mine = format!("me:{PASSWORD}@");
    for (network, words) in [
        (
            String::new(),
            format!("FAIL room server: the name {NAME} cannot be resolved"),
        ),
        (
            http(""),
            format!("FAIL room server: the proxy http://{CENTRE}:3128 cannot be reached"),
        ),
        (
            socks(""),
            format!("FAIL room server: the proxy socks5h://{CENTRE}:1080 cannot be reached"),
        ),
    ] {
        let said = says(&network);
        assert!(said.contains(&words), "{words}: {said}");
    }
    // The relay's port is not among those that it allows.
    let _proxies = (tinyproxy(&branch, "ConnectPort 5757"), microsocks(&branch));
    let elsewhere = format!("{}\nno_proxy = [\"{NAME}\"]", http(&mine));
    for (network, words) in [
        (http(""), "3128 wants a user and a password"),
        (
            http("me:wr0ng@"),
            "3128 does not take this user and password",
        ),
        (http(&mine), "FAIL relay: the proxy"),
        (
            http(&mine),
            "does not let us through to rooms.example.com:1935 (403",
        ),
        (http(&mine), "rooms.example.com:5757/weapp/ accepts us"),
        (elsewhere, "the name rooms.example.com cannot be resolved"),
        (socks(""), "1080 wants a user and a password"),
        (
            socks("me:wr0ng@"),
            "1080 does not take this user and password",
        ),
        (
            format!("proxy = \"http://{CENTRE}:1080\""),
            "1080 does not speak HTTP",
        ),
        (
            format!("proxy = \"socks5h://{CENTRE}:3128\""),
            "3128 gave no answer within 10s: is it a proxy?",
        ),
    ] {
        let said = says(&network);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_kiosk_without_a_way_says_so_in_its_status() {
    let _turn = turn();
    let Some(branch) = Branch::start(Tls::All) else {
        return;
    };
    let _proxy = tinyproxy(&branch, "");
    branch.configure(&http("me:wr0ng@"));
    let kiosk = branch.kiosk();
    let fault = until("the kiosk is out of service", PATIENCE, || {
        let status = branch.status()?;
        let out = text(&status, "session.state") == "out_of_service";
        out.then(|| status["session"]["fault"].clone())
    });
    assert_eq!(fault["code"], "N-3", "{fault}");
    let words = format!("the proxy http://{CENTRE}:3128 does not take this user and password");
    assert!(text(&fault, "reason").contains(&words), "{fault}");
    assert!(kiosk.err().contains(&words), "{}", kiosk.err());
    assert!(!kiosk.err().contains("wr0ng"), "{}", kiosk.err());
}
