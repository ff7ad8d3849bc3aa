//! Kiosk, agent and room server as programs of their own, and the tools a technician has.

use std::time::{Duration, Instant};

use crate::support::kiosk::{Agent, Kiosk, Setting};
use crate::support::nginx::Nginx;
use crate::support::program::written;
use crate::support::server::{OWN_RELAY, Server, relayed_by};
use crate::support::{PATIENCE, number, text, turn, until_grown, until_true};

/// A tone that is heard, in hertz; 0 for silence.
fn heard_hz(downlinks: &serde_json::Value, other: &str) -> f64 {
    let audio = &downlinks[other]["audio"];
    let loud = audio["rms_db"].as_f64().is_some_and(|db| db > -45.0);
    audio["tone_hz"]
        .as_f64()
        .filter(|_| loud)
        .unwrap_or_default()
}

fn both_see_and_hear(kiosk: &Kiosk, agent: &Agent) {
    until_grown("the kiosk sees the agent", PATIENCE, 50, || {
        kiosk.frames_of("agent")
    });
    until_grown("the agent sees the kiosk", PATIENCE, 50, || {
        agent.frames_of("kiosk")
    });
    until_true("the kiosk hears the agent", PATIENCE, || {
        (heard_hz(&kiosk.status()["downlinks"], "agent") - 880.0).abs() < 15.0
    });
    until_true("the agent hears the kiosk", PATIENCE, || {
        (heard_hz(&agent.latest("downlinks"), "kiosk") - 440.0).abs() < 15.0
    });
}

/// Runs a tool that must succeed and print nothing but what is returned.
fn done(kiosk: &Kiosk, arguments: &[&str]) -> String {
    let output = kiosk.tool(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        written(&output)
    );
    written(&output)
}

/// Runs a tool that must be refused, and returns its reason.
fn refused(kiosk: &Kiosk, arguments: &[&str]) -> String {
    let output = kiosk.tool(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    written(&output)
}

#[test]
fn a_call_is_made_watched_and_ended_by_command() {
    let _turn = turn();
    let server = Server::start(OWN_RELAY);
    let agent = Agent::start(&Setting::agent(&server.url));
    assert_eq!(server.members("counter"), ["agent"]);
    let mut kiosk = Kiosk::start(&Setting::kiosk(&server.url));
    kiosk.until_state("attract", PATIENCE);
    let reason = refused(&kiosk, &["ctl", "hangup"]);
    assert!(reason.contains("a call can be ended only"), "{reason}");

    assert_eq!(done(&kiosk, &["ctl", "call"]), "");
    kiosk.until_seen("agent");
    let reason = refused(&kiosk, &["ctl", "call"]);
    assert!(reason.contains("in call with The agent"), "{reason}");
    both_see_and_hear(&kiosk, &agent);
    assert_eq!(server.members("counter"), ["agent", "kiosk"]);
    let status: serde_json::Value =
        serde_json::from_str(&done(&kiosk, &["status", "--json"])).unwrap();
    assert_eq!(text(&status, "session.state"), "in_call");
    assert_eq!(text(&status, "session.members.agent.name"), "The agent");
    assert_eq!(number(&status, "downlinks.agent.width"), 320);
    let shown = done(&kiosk, &["status"]);
    assert!(shown.contains("state: in_call"), "{shown}");
    // Without a message channel a text is refused, and never pretended to be sent.
    let message = kiosk.tool(&["ctl", "message", "good morning"]);
    if !message.status.success() {
        assert!(
            written(&message).contains("message"),
            "{}",
            written(&message)
        );
    }

    assert_eq!(done(&kiosk, &["ctl", "hangup"]), "");
    until_true("the kiosk has left the room", PATIENCE, || {
        server.members("counter") == ["agent"]
    });
    kiosk.until_state("attract", PATIENCE);
    kiosk.call("agent");
    leaves_in_good_order(&server, &mut kiosk, agent);
}

/// SIGTERM ends kiosk and agent, and the room, without waiting for anybody's time-out.
fn leaves_in_good_order(server: &Server, kiosk: &mut Kiosk, mut agent: Agent) {
    let begun = Instant::now();
    kiosk.program.signal("TERM");
    let status = kiosk.program.ended(Duration::from_secs(8));
    assert!(status.success(), "{status}");
    assert!(!kiosk.socket().exists(), "the socket is left behind");
    assert_eq!(server.members("counter"), ["agent"]);
    let reason = refused(kiosk, &["status"]);
    assert!(reason.contains("is `rtckiosk run` running?"), "{reason}");

    agent.program.signal("INT");
    let status = agent.program.ended(Duration::from_secs(8));
    assert!(status.success(), "{status}");
    assert!(server.members("counter").is_empty());
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn nginx_carries_a_call_as_well() {
    let _turn = turn();
    let nginx = Nginx::start();
    let server = Server::start(&relayed_by(&nginx, "live"));
    let agent = Agent::start(&Setting::agent(&server.url));
    let kiosk = Kiosk::start(&Setting::kiosk(&server.url));
    kiosk.call("agent");
    both_see_and_hear(&kiosk, &agent);
    let log = nginx.log();
    for command in [
        "publish: name='1000_agent_",
        "publish: name='1000_kiosk_",
        "play: name='1000_",
    ] {
        assert!(log.contains(command), "nginx has seen no {command}");
    }
}

/// A second daemon must not take the first one's place, and a killed one must not block it.
#[test]
fn one_daemon_per_socket_and_a_killed_one_leaves_no_trace() {
    let mut kiosk = Kiosk::start(&Setting::kiosk("http://127.0.0.1:9/weapp"));
    let reason = refused(&kiosk, &["run"]);
    assert!(reason.contains("a daemon is already running"), "{reason}");
    assert!(kiosk.status().is_object(), "the first one answers still");
    kiosk.program.kill();
    assert!(kiosk.socket().exists());
    kiosk.restart();
    kiosk.until_state("out_of_service", PATIENCE);
}
