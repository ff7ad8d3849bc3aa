//! A room of at most four: members come and go one by one, and the fault of one without a stream
//! stays its own.

use serde_json::json;

use crate::support::kiosk::{Kiosk, Setting};
use crate::support::program::written;
use crate::support::server::{OWN_RELAY, Server};
use crate::support::{PATIENCE, text, turn, until_grown, until_true};

fn enter(kiosk: &Kiosk, room: &str) {
    kiosk.until_state("attract", PATIENCE);
    let output = kiosk.tool(&["ctl", "enter", room]);
    assert!(output.status.success(), "{}", written(&output));
}

fn members(kiosk: &Kiosk) -> Vec<String> {
    let status = kiosk.status();
    let members = status["session"]["members"].as_object();
    members
        .into_iter()
        .flatten()
        .map(|(id, _)| id.clone())
        .collect()
}

#[test]
fn a_member_without_a_stream_does_not_touch_the_others() {
    let _turn = turn();
    let server = Server::start(OWN_RELAY);
    let setting = |user, room, tone_hz| Setting {
        server: &server.url,
        user,
        room,
        tone_hz,
    };
    let multi = "type = \"multi\"\n";
    let host = "type = \"multi\"\nmode = \"host\"\nroom_id = \"counter\"\n";
    let agent = Kiosk::start(&setting("agent", host, 880));
    let kiosk = Kiosk::start(&setting("kiosk", multi, 440));
    let third = Kiosk::start(&setting("third", multi, 660));
    agent.until_state("attract", PATIENCE);
    let called = agent.tool(&["ctl", "call"]);
    assert!(called.status.success(), "{}", written(&called));
    agent.until_state("in_call", PATIENCE);
    enter(&kiosk, "counter");
    kiosk.until_seen("agent");

    // Somebody who never pushes.
    let ghost = json!({"roomID": "counter", "roomInfo": "", "userID": "tester",
        "userName": "Ghost", "userAvatar": "", "pushURL": "rtmp://127.0.0.1/live/1000_ghost?x"});
    assert_eq!(server.ask_in("multi_room", "add_pusher", &ghost)["code"], 0);
    until_true("the ghost is noticed", PATIENCE, || {
        members(&kiosk).len() == 2
    });
    let before = kiosk.frames_of("agent");
    until_grown("the agent's frames", PATIENCE, 60, || {
        kiosk.frames_of("agent")
    });
    assert!(kiosk.frames_of("agent") > before, "the same player goes on");
    assert_eq!(kiosk.frames_of("tester"), 0);
    assert_ne!(
        text(&kiosk.status(), "session.members.tester.downlink"),
        "up"
    );

    enter(&third, "counter");
    third.until_seen("agent");
    for side in [&kiosk, &agent] {
        side.until_seen("third");
        // The ghost is dropped when it was silent for long enough.
        assert!(members(side).len() >= 2);
    }
    let hung_up = third.tool(&["ctl", "hangup"]);
    assert!(hung_up.status.success(), "{}", written(&hung_up));
    until_true("the third is gone", PATIENCE, || {
        !members(&kiosk).contains(&"third".to_owned())
    });
    let still = kiosk.frames_of("agent");
    assert!(still > before, "{still} frames after {before}");
    until_grown("the agent's frames", PATIENCE, 30, || {
        kiosk.frames_of("agent")
    });
}
