//! A whole call over HTTPS and RTMPS by the real programs, and what the tools say of it.

use std::path::Path;
use std::process::Command;

use crate::certificates::{Authority, Issued, Valid};
use crate::support::kiosk::{Agent, Kiosk, Setting};
use crate::support::program::{Program, RTCROOMD, written};
use crate::support::{PATIENCE, text, turn, until, until_grown};

/// `rtcroomd` with a certificate, and its port.
fn room_server(folder: &Path, issued: &Issued) -> (Program, u16) {
    let config = folder.join("rtcroomd.toml");
    let file = format!(
        "[tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[relay.embedded]\nlisten = \"127.0.0.1:0\"\n",
        issued.certificate.display(),
        issued.key.display(),
    );
    std::fs::write(&config, file).unwrap();
    let mut command = Command::new(RTCROOMD);
    let program = Program::start("rtcroomd", folder, command.arg("--config").arg(config));
    let port = until("rtcroomd listens", PATIENCE, || {
        let out = program.out();
        let (_, rest) = out.split_once("listening on https://127.0.0.1:")?;
        assert!(rest.contains("rtmps://127.0.0.1:"), "{out}");
        rest.split_once('/')?.0.parse().ok()
    });
    (program, port)
}

#[test]
fn a_call_over_tls_is_made_and_the_tools_say_so() {
    let _turn = turn();
    let ours = Authority::new("ours");
    let issued = ours.for_this_machine();
    let folder = tempfile::tempdir().unwrap();
    let (server, port) = room_server(folder.path(), &issued);
    let url = format!("https://localhost:{port}/weapp");
    let tls = format!("[tls]\nca_file = \"{}\"\n", ours.path().display());
    let room = format!("{}{tls}", Setting::agent(&url).room);
    let agent = Agent::start(&Setting {
        room: &room,
        ..Setting::agent(&url)
    });
    let kiosk = Kiosk::start(&Setting {
        room: &tls,
        ..Setting::kiosk(&url)
    });
    kiosk.call("agent");
    until_grown("the kiosk sees the agent", PATIENCE, 50, || {
        kiosk.frames_of("agent")
    });
    until_grown("the agent sees the kiosk", PATIENCE, 50, || {
        agent.frames_of("kiosk")
    });
    let status = kiosk.status();
    for path in ["uplink.tls", "downlinks.agent.tls"] {
        let agreed = text(&status, path);
        assert!(agreed.starts_with("TLSv1_3"), "{path}: {agreed}");
    }
    assert_eq!(status["warnings"], serde_json::json!([]));

    let check = written(&kiosk.tool(&["check"]));
    for line in [
        format!("WARN room server TLS: localhost:{port} verified: TLSv1_3"),
        "certificate ends SOON".to_owned(),
        "WARN relay: 127.0.0.1:".to_owned(),
    ] {
        assert!(check.contains(&line), "{line}: {check}");
    }

    // A renewed certificate is taken over by a signal, and the call goes on.
    let next = ours.issue(
        "next",
        "DNS:localhost,IP:127.0.0.1",
        Valid::Now,
        crate::certificates::Key::P256,
    );
    std::fs::copy(&next.certificate, &issued.certificate).unwrap();
    std::fs::copy(&next.key, &issued.key).unwrap();
    server.signal("HUP");
    until("the certificate is read again", PATIENCE, || {
        server.err().contains("SIGHUP").then_some(())
    });
    until_grown("the call goes on", PATIENCE, 25, || {
        kiosk.frames_of("agent")
    });
    for program in [&server, &kiosk.program, &agent.program] {
        let log = program.err();
        assert!(!log.contains("PRIVATE KEY"), "{log}");
        assert!(!log.contains("&txSecret="), "{log}");
    }
}

#[test]
fn a_server_that_proves_nothing_puts_the_kiosk_out_of_service_with_its_code() {
    let _turn = turn();
    let stranger = Authority::new("stranger");
    let folder = tempfile::tempdir().unwrap();
    let (_server, port) = room_server(folder.path(), &stranger.for_this_machine());
    let url = format!("https://localhost:{port}/weapp");
    let kiosk = Kiosk::start(&Setting::kiosk(&url));
    kiosk.until_state("out_of_service", PATIENCE);
    let fault = &kiosk.status()["session"]["fault"];
    assert_eq!(fault["code"], "N-9", "{fault}");
    let words = "from the CA \"stranger\", which is not trusted here";
    assert!(fault["reason"].as_str().unwrap().contains(words), "{fault}");
    let check = kiosk.tool(&["check"]);
    assert_eq!(check.status.code(), Some(1));
    let check = written(&check);
    assert!(check.contains("FAIL room server TLS"), "{check}");
    assert!(check.contains(words), "{check}");

    // The one way around it says what it is, wherever one looks.
    let insecure = "[tls]\ninsecure_skip_certificate_check = true\n";
    let reckless = Kiosk::start(&Setting {
        room: insecure,
        user: "reckless",
        ..Setting::kiosk(&url)
    });
    reckless.until_state("attract", PATIENCE);
    let warned = "tls.insecure_skip_certificate_check = true: whoever is on the way";
    let status = reckless.status();
    assert!(
        status["warnings"][0].as_str().unwrap().starts_with(warned),
        "{status}"
    );
    assert!(reckless.program.err().contains(warned));
    let check = written(&reckless.tool(&["check"]));
    assert!(
        check.contains(warned) && check.contains("NOT VERIFIED"),
        "{check}"
    );
}
