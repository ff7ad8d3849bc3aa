//! The room server is away for half a minute and comes back with nothing in its memory, while
//! nginx goes on carrying the streams.

use std::thread::sleep;
use std::time::Duration;

use crate::support::kiosk::{Agent, Kiosk, Setting};
use crate::support::nginx::Nginx;
use crate::support::server::{Server, relayed_by};
use crate::support::{PATIENCE, number, turn, until_grown, until_true};

const AWAY: u64 = 30;

#[test]
fn a_call_survives_a_room_server_that_forgot_everything() {
    let _turn = turn();
    let nginx = Nginx::start();
    let mut server = Server::start(&relayed_by(&nginx, "live"));
    let agent = Agent::start(&Setting::agent(&server.url));
    let kiosk = Kiosk::start(&Setting::kiosk(&server.url));
    kiosk.call("agent");
    until_true("the agent sees the kiosk", PATIENCE, || {
        agent.frames_of("kiosk") > 0
    });
    let before = kiosk.status();

    server.program.kill();
    for _ in 0..AWAY / 3 {
        let (seen, shown) = (kiosk.frames_of("agent"), agent.frames_of("kiosk"));
        sleep(Duration::from_secs(3));
        assert!(
            kiosk.frames_of("agent") > seen,
            "the kiosk's picture stands still"
        );
        assert!(
            agent.frames_of("kiosk") > shown,
            "the agent's picture stands still"
        );
        assert_eq!(kiosk.state(), "in_call");
    }
    let status = kiosk.status();
    assert_eq!(
        status["session"]["room_server_reachable"], false,
        "{status}"
    );
    // That it forgot the room is seen below, by logins and re-adds: both may be back already.
    server.restart();
    until_true("both are members again", PATIENCE, || {
        let mut members = server.members("counter");
        members.sort();
        members == ["agent", "kiosk"]
    });
    until_true("the kiosk knows it", PATIENCE, || {
        let status = kiosk.status();
        status["session"]["room_server_reachable"] == true
            && status["session"]["members"]["agent"].is_object()
    });
    until_grown("the kiosk's picture moves", PATIENCE, 30, || {
        kiosk.frames_of("agent")
    });
    until_grown("the agent's picture moves", PATIENCE, 30, || {
        agent.frames_of("kiosk")
    });

    let after = kiosk.status();
    assert_eq!(after["session"]["room_id"], before["session"]["room_id"]);
    assert!(number(&after, "room.re_adds") >= 1, "{after}");
    assert!(
        number(&after, "room.logins") > number(&before, "room.logins"),
        "{after}"
    );
    assert_eq!(number(&after, "downlinks.agent.reconnects"), 0, "{after}");
    assert_eq!(number(&after, "uplink.reconnects"), 0, "{after}");
    let since = |status: &serde_json::Value| status["in_state_seconds"].as_f64().unwrap();
    assert!(
        since(&after) > since(&before) + AWAY as f64,
        "another call: {after}"
    );
}
