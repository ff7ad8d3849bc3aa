//! Garbage and half answers in place of the room server's: a named error, never a panic.

use std::time::Duration;

use crate::hostile::{Hostile, Mood};
use crate::support::kiosk::{Agent, Kiosk, Setting};
use crate::support::server::{OWN_RELAY, Server};
use crate::support::{PATIENCE, number, text, turn, until_grown, until_true};

/// Kinds of garbage, and the words in the error that name each.
fn garbage() -> Vec<(&'static str, Mood, &'static str)> {
    let page = "<html><head><title>Welcome</title></head><body>Log in to the WiFi</body></html>";
    let huge = format!("{{\"code\":0,\"message\":\"{}\"}}", "x".repeat(10 << 20));
    vec![
        ("a page of HTML", Mood::answer("200 OK", page), "JSON"),
        (
            "an error page",
            Mood::answer("500 Internal Server Error", page),
            "500",
        ),
        (
            "half of a JSON text",
            Mood::answer("200 OK", "{\"code\":0,\"rooms\":[{\"roomID\":"),
            "JSON",
        ),
        ("wrong types", Mood::answer("200 OK", WRONG_TYPES), "code"),
        (
            "a list in place of an object",
            Mood::answer("200 OK", "[1,2,3]"),
            "JSON",
        ),
        ("10 MB", Mood::answer("200 OK", &huge), "larger than"),
        (
            "a body that is cut off",
            Mood::cut_off("{\"code\":0"),
            "broke",
        ),
        (
            "no HTTP at all",
            Mood::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n\x00\xff\xfe".to_vec()),
            "does not speak HTTP",
        ),
        ("nothing but the end", Mood::Bytes(vec![]), "broke"),
        ("an answer without end", Mood::Trickle, "in time"),
        ("silence", Mood::Silence, "in time"),
    ]
}

const WRONG_TYPES: &str = r#"{"code":{"a":1},"message":7,"userID":[],"token":{},"userSig":false,
    "sdkAppID":"x","pushURL":1,"roomID":{},"roomCreator":[],"rooms":7,"pushers":"none"}"#;

#[test]
fn garbage_before_a_call_is_named_on_the_screen() {
    for (kind, mood, words) in garbage() {
        let hostile = Hostile::start("127.0.0.1:9", mood);
        let mut kiosk = Kiosk::start(&Setting::kiosk(&hostile.url));
        let fault = || text(&kiosk.status(), "session.fault.reason");
        until_true(
            &format!("{kind} puts the kiosk out of service"),
            PATIENCE,
            || !fault().is_empty(),
        );
        assert!(fault().contains(words), "{kind}: {}", fault());
        assert_eq!(text(&kiosk.status(), "session.fault.code"), "N-3", "{kind}");
        assert!(kiosk.program.runs(), "{kind}");
    }
}

/// Answers that may be right and are not, with what must stay secret in them.
#[test]
fn nothing_of_an_answer_that_may_hold_a_secret_is_shown() {
    const SECRET: &str = "s3cr3t9f0c53724e01";
    for (kind, body) in [
        (
            "a notice of PHP",
            format!("<br />\n<b>Notice</b>: x {{\"token\":\"{SECRET}\"}}"),
        ),
        ("JSONP", format!("{SECRET}({{\"userSig\":\"{SECRET}\"}})")),
        (
            "a mark and half an answer",
            format!("\u{feff}{{\"code\":0,\"userID\":\"u\",\"token\":\"{SECRET}"),
        ),
        ("a text", format!("\"{SECRET}\"")),
        ("a title", format!("<title>{SECRET} is wrong</title>")),
        (
            "the wrong types",
            format!("{{\"code\":{{}},\"userSig\":\"{SECRET}\"}}"),
        ),
    ] {
        for status in ["200 OK", "500 Internal Server Error"] {
            let hostile = Hostile::start("127.0.0.1:9", Mood::answer(status, &body));
            let kiosk = Kiosk::start(&Setting::kiosk(&hostile.url));
            until_true(
                &format!("{kind} puts the kiosk out of service"),
                PATIENCE,
                || !text(&kiosk.status(), "session.fault.reason").is_empty(),
            );
            let shown = kiosk.tool(&["status"]);
            let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
            for said in [kiosk.status().to_string(), shown, kiosk.program.err()] {
                assert!(!said.is_empty());
                assert!(!said.contains(SECRET), "{kind}: {said}");
            }
        }
    }
}

#[test]
fn garbage_during_a_call_does_not_end_it() {
    let _turn = turn();
    let server = Server::start(OWN_RELAY);
    let hostile = Hostile::start(server.address(), Mood::Honest);
    let agent = Agent::start(&Setting::agent(&server.url));
    // Failures follow each other quickly, and so does the return.
    let mut kiosk = Kiosk::start(&Setting {
        room: "heartbeat_seconds = 1\n",
        ..Setting::kiosk(&hostile.url)
    });
    kiosk.call("agent");
    for (kind, mood, words) in garbage() {
        hostile.set(mood);
        until_true(&format!("{kind} is named"), PATIENCE, || {
            let status = kiosk.status();
            status["room"]["reachable"] == false && text(&status, "room.last_error").contains(words)
        });
        assert_eq!(kiosk.state(), "in_call", "{kind}");
        hostile.set(Mood::Honest);
        until_true(
            &format!("the server is back after {kind}"),
            PATIENCE,
            || kiosk.status()["room"]["reachable"] == true,
        );
    }
    until_grown("the call goes on", Duration::from_secs(5), 30, || {
        kiosk.frames_of("agent")
    });
    let status = kiosk.status();
    assert_eq!(text(&status, "session.state"), "in_call");
    assert_eq!(number(&status, "downlinks.agent.reconnects"), 0, "{status}");
    assert_eq!(number(&status, "uplink.reconnects"), 0, "{status}");
    until_true("the agent sees us still", PATIENCE, || {
        agent.latest("downlinks")["kiosk"].is_object()
    });
    assert!(kiosk.program.runs());
    assert!(
        !kiosk.program.err().contains("panicked"),
        "{}",
        kiosk.program.err()
    );
}
