//! A peer that vanishes, and a relay that refuses.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::kiosk::{Agent, Kiosk, Setting};
use crate::support::nginx::Nginx;
use crate::support::server::{OWN_RELAY, Server, relayed_by};
use crate::support::{PATIENCE, text, turn, until, until_true};

/// A reaper of few seconds in place of twenty.
const QUICK_REAPER: &str = "[rooms]\nheartbeat_timeout_seconds = 5\nsweep_seconds = 1\n";

#[test]
fn a_peer_gone_without_goodbye_ends_the_call() {
    let _turn = turn();
    let server = Server::start(&format!("{QUICK_REAPER}{OWN_RELAY}"));
    let mut agent = Agent::start(&Setting {
        room: "mode = \"host\"\nroom_id = \"counter\"\nheartbeat_seconds = 1\n",
        ..Setting::agent(&server.url)
    });
    let kiosk = Kiosk::start(&Setting {
        room: "heartbeat_seconds = 1\n",
        ..Setting::kiosk(&server.url)
    });
    kiosk.call("agent");
    agent.program.kill();
    let gone = Instant::now();
    let reason = until("the kiosk ends the call", PATIENCE, || {
        let why = text(&kiosk.status(), "session.reason.why");
        (!why.is_empty()).then_some(why)
    });
    assert_eq!(reason, "peer_left");
    // The last heartbeat was about a second old.
    assert!(
        gone.elapsed() > Duration::from_secs(3),
        "before the reaper's time: {:?}",
        gone.elapsed()
    );
    kiosk.until_state("attract", PATIENCE);
    assert!(server.members("counter").is_empty());
}

/// Killed in a call and pressed again: back with the same agent before the server has dropped the
/// old self, and never two of us.
#[test]
fn a_kiosk_that_was_killed_takes_its_own_seat_again() {
    let _turn = turn();
    let server = Server::start(OWN_RELAY);
    let _agent = Agent::start(&Setting::agent(&server.url));
    for made_up in [false, true] {
        let mut kiosk = Kiosk::start(&Setting::kiosk(&server.url));
        if made_up {
            let text = std::fs::read_to_string(&kiosk.config).unwrap();
            std::fs::write(&kiosk.config, text.replace("user_id = \"kiosk\"\n", "")).unwrap();
            kiosk.program.kill();
            kiosk.restart();
        }
        kiosk.call("agent");
        let before = server.members("counter");
        assert_eq!(before.len(), 2, "{before:?}");
        kiosk.program.kill();
        kiosk.restart();
        kiosk.until_state("attract", PATIENCE);
        let pressed = Instant::now();
        kiosk.ask(&json!({ "command": "call" })).unwrap();
        until_true("the agent is seen again", PATIENCE, || {
            assert_eq!(server.members("counter"), before, "never two of us");
            kiosk.frames_of("agent") > 0
        });
        assert!(
            pressed.elapsed() < Duration::from_secs(3),
            "made up: {made_up}, {:?}",
            pressed.elapsed()
        );
        kiosk.ask(&json!({ "command": "hangup" })).unwrap();
        until_true("the seat is free", PATIENCE, || {
            server.members("counter").len() == 1
        });
    }
}

#[test]
fn a_refused_push_url_is_a_clear_fault_and_no_storm() {
    let _turn = turn();
    let nginx = Nginx::start();
    let server = Server::start(&relayed_by(&nginx, "denied"));
    let kiosk = Kiosk::start(&Setting {
        room: "mode = \"host\"\n",
        ..Setting::kiosk(&server.url)
    });
    kiosk.until_state("attract", PATIENCE);
    kiosk.ask(&json!({ "command": "call" })).unwrap();
    until_true("the call ends", PATIENCE, || kiosk.state() == "ending");
    let status = kiosk.status();
    assert_eq!(text(&status, "session.reason.why"), "failed", "{status}");
    assert_eq!(text(&status, "session.reason.code"), "N-6", "{status}");
    kiosk.until_state("attract", PATIENCE);
    let status = kiosk.status();
    let told = status["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line.as_str());
    assert!(
        told.into_iter()
            .any(|line| line.contains("call ended: N-6")),
        "{status}"
    );
    let connects = nginx.log().matches("connect: app='denied'").count();
    assert!(
        (1..=3).contains(&connects),
        "{connects} connections\n{}",
        nginx.log()
    );
}

/// An agent starts its next call by itself: a relay that refuses must not be stormed.
#[test]
fn an_agent_who_is_refused_tries_again_with_patience() {
    let _turn = turn();
    let nginx = Nginx::start();
    let server = Server::start(&relayed_by(&nginx, "denied"));
    let agent = Agent::launch(&Setting::agent(&server.url));
    let connects = || nginx.log().matches("connect: app='denied'").count();
    until_true("the first try", PATIENCE, || connects() > 0);
    let begun = Instant::now();
    until_true("the third try", Duration::from_secs(30), || connects() >= 3);
    assert!(
        begun.elapsed() > Duration::from_secs(6),
        "three tries in {:?}",
        begun.elapsed()
    );
    assert!(agent.program.out().contains("N-6"));
}
