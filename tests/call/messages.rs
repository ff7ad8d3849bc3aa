//! Messages, microphone and camera, by the commands that a technician gives.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::kiosk::{Kiosk, Setting};
use crate::support::program::written;
use crate::support::server::{OWN_RELAY, Server};
use crate::support::{PATIENCE, text, turn, until, until_true};

/// Runs `rtckiosk ctl`, which must succeed.
fn ctl(kiosk: &Kiosk, arguments: &[&str]) {
    let output = kiosk.tool(&[&["ctl"], arguments].concat());
    assert!(output.status.success(), "{}", written(&output));
}

/// Runs `rtckiosk ctl`, which must be refused for this reason.
fn refused(kiosk: &Kiosk, arguments: &[&str], reason: &str) {
    let output = kiosk.tool(&[&["ctl"], arguments].concat());
    let said = written(&output);
    assert!(!output.status.success() && said.contains(reason), "{said}");
}

fn received(kiosk: &Kiosk) -> Value {
    kiosk.status()["messages"].clone()
}

#[test]
fn texts_microphone_and_camera_by_command() {
    let _turn = turn();
    let server = Server::start(OWN_RELAY);
    let agent = Kiosk::start(&Setting {
        room: "",
        ..Setting::agent(&server.url)
    });
    let kiosk = Kiosk::start(&Setting::kiosk(&server.url));
    for side in [&agent, &kiosk] {
        side.until_state("attract", PATIENCE);
        refused(side, &["message", "too early"], "only in a call");
        refused(side, &["mute", "on"], "only in another state");
        refused(side, &["camera", "main"], "only in a call");
        refused(side, &["snapshot", "/tmp/early.jpg"], "only in a call");
    }
    // Configured as a guest, and a host by command.
    ctl(&agent, &["host"]);
    agent.until_state("in_call", PATIENCE);
    refused(&kiosk, &["enter", ""], "1 to 128 bytes");
    ctl(&kiosk, &["enter", "no-such-room"]);
    until_true("the room is missed", PATIENCE, || {
        text(&kiosk.status(), "session.reason.code") == "N-7"
    });
    kiosk.until_state("attract", PATIENCE);
    ctl(
        &kiosk,
        &["enter", &text(&agent.status(), "session.room_id")],
    );
    kiosk.until_seen("agent");
    agent.until_seen("kiosk");
    for side in [&agent, &kiosk] {
        until_true("the message channel", PATIENCE, || {
            text(&side.status(), "room.channel.state") == "joined"
        });
    }
    ctl(&kiosk, &["message", "Where do I sign?"]);
    let message = until("the text", PATIENCE, || received(&agent).get(0).cloned());
    assert_eq!(message["text"], "Where do I sign?");
    assert_eq!(
        (&message["from"], &message["name"]),
        (&json!("kiosk"), &json!("The kiosk"))
    );
    assert_eq!(
        text(&agent.status(), "session.said"),
        "The kiosk: Where do I sign?"
    );
    ctl(&agent, &["custom", "form", "3"]);
    let command = until("the command", PATIENCE, || received(&kiosk).get(0).cloned());
    assert_eq!(
        (&command["cmd"], &command["text"]),
        (&json!("form"), &json!("3"))
    );
    assert_eq!(
        kiosk.status()["session"]["said"],
        Value::Null,
        "programs read it, not customers"
    );
    ctl(&agent, &["custom", "stamp", "7", "--to", "kiosk"]);
    let private = until("the command", PATIENCE, || received(&kiosk).get(1).cloned());
    assert_eq!(
        (&private["private"], &private["cmd"], &private["text"]),
        (&json!(true), &json!("stamp"), &json!("7"))
    );
    refused(&agent, &["custom", "stamp", "7", "--to", "nobody"], "20003");
    until_true(
        "the text goes from the screen",
        PATIENCE + Duration::from_secs(8),
        || agent.status()["session"]["said"].is_null(),
    );

    let silent = || {
        let level = &agent.status()["downlinks"]["kiosk"]["audio"]["rms_db"];
        level.as_f64().is_some_and(|db| db < -60.0)
    };
    until_true("the kiosk is heard", PATIENCE, || !silent());
    ctl(&kiosk, &["mute", "on"]);
    assert_eq!(kiosk.status()["session"]["muted"], true);
    until_true("the kiosk is silent", PATIENCE, silent);
    ctl(&kiosk, &["mute", "off"]);
    assert_eq!(kiosk.status()["session"]["muted"], false);
    until_true("the kiosk is heard again", PATIENCE, || !silent());
    refused(&kiosk, &["view", "nobody", "off"], "agent");
    ctl(&kiosk, &["view", "agent", "off"]);
    let status = kiosk.status();
    assert_eq!(text(&status, "session.members.agent.downlink"), "off");
    assert_eq!(status["downlinks"], json!({}));
    ctl(&kiosk, &["preview", "off"]);
    ctl(&kiosk, &["view", "agent", "on"]);
    kiosk.until_seen("agent");
    refused(&kiosk, &["camera", "document"], "configured: main");
    ctl(&kiosk, &["camera", "main"]);
    let shot = ["snapshot", "still.jpg"];
    ctl(&kiosk, &shot);
    let folder = kiosk.config.parent().expect("a folder");
    let bytes = std::fs::read(folder.join("snapshots/still.jpg")).expect("written");
    assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]));
    refused(&kiosk, &shot, "(-3)");
    refused(&kiosk, &["snapshot", "/tmp/out.jpg"], "snapshot_dir");
    ctl(&kiosk, &["hangup"]);
    kiosk.until_state("attract", PATIENCE);
}
