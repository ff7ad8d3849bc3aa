//! The relay dies in the middle of a call and comes back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::kiosk::{Kiosk, Setting};
use crate::support::nginx::Nginx;
use crate::support::server::{Server, relayed_by};
use crate::support::{PATIENCE, number, turn, until_grown, until_true};

/// From the return of the relay to moving pictures on both sides.
const RESUME: Duration = Duration::from_secs(5);

#[test]
fn a_call_resumes_when_its_relay_returns() {
    let _turn = turn();
    let mut nginx = Nginx::start();
    let server = Server::start(&relayed_by(&nginx, "live"));
    // Two daemons: the counters of both can be asked at any moment.
    let agent = Kiosk::start(&Setting::agent(&server.url));
    agent.until_state("attract", PATIENCE);
    agent.ask(&json!({ "command": "call" })).unwrap();
    agent.until_state("in_call", PATIENCE);
    let kiosk = Kiosk::start(&Setting::kiosk(&server.url));
    kiosk.call("agent");
    agent.until_seen("kiosk");

    nginx.kill();
    for side in [&kiosk, &agent] {
        until_true("the loss is seen", PATIENCE, || {
            side.status()["session"]["uplink"] != "up"
        });
    }
    assert_eq!(kiosk.state(), "in_call");
    std::thread::sleep(Duration::from_secs(3));
    nginx.restart();
    let back = Instant::now();
    until_grown("the kiosk sees the agent again", RESUME, 15, || {
        kiosk.frames_of("agent")
    });
    until_grown("the agent sees the kiosk again", RESUME, 15, || {
        agent.frames_of("kiosk")
    });
    assert!(
        back.elapsed() < RESUME,
        "resumed after {:?}",
        back.elapsed()
    );
    let status = kiosk.status();
    assert_eq!(status["session"]["uplink"], "up", "{status}");
    assert_eq!(
        status["session"]["members"]["agent"]["downlink"], "up",
        "{status}"
    );
    assert!(number(&status, "uplink.reconnects") > 0, "{status}");
    assert!(kiosk.status()["in_state_seconds"].as_f64() > Some(back.elapsed().as_secs_f64()));
}
