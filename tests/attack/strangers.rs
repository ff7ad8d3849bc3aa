//! Strangers: without an identity, and with a genuine one that is not a member of the call.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use rtckiosk::protocol::stream_url;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::beside::{Call, ROOM, USERS, agent, kiosk};
use crate::rtmp_client::Client;
use crate::support::locked::Locked;
use crate::support::program::run;
use crate::support::{PATIENCE, text, turn, until_true};

/// The name under which a stream URL is played or pushed at the relay: path and query behind the app.
pub(crate) fn name(url: &str) -> &str {
    url.split_once("/live/").expect("a stream URL").1
}

pub(crate) fn relay(url: &str) -> SocketAddr {
    let host = url.split_once("://").unwrap().1.split('/').next().unwrap();
    host.parse().expect("the embedded relay's address")
}

pub(crate) fn publish(runtime: &Runtime, url: &str) -> (Client, String) {
    runtime.block_on(Client::publish(relay(url), name(url)))
}

pub(crate) fn play(runtime: &Runtime, url: &str) -> (Client, String) {
    runtime.block_on(Client::play(relay(url), name(url)))
}

/// Waits until the relay ends a connection.
fn ends_within(runtime: &Runtime, client: &mut Client, patience: Duration) {
    let ended = runtime.block_on(async {
        let end = async { while client.next().await.is_some() {} };
        timeout(patience, end).await
    });
    assert!(ended.is_ok(), "the connection goes on");
}

#[test]
fn nobody_gets_an_identity_or_a_url_for_the_asking() {
    let locked = Locked::start(USERS, "");
    for path in [
        "get_login_info?userID=kiosk",
        "get_test_pushurl",
        "get_test_rtmpaccurl",
    ] {
        let url = format!("{}/utils/{path}", locked.server.url);
        let output = run(
            "curl",
            &[
                "--silent",
                "--include",
                "--header",
                "Origin: http://evil",
                &url,
            ],
        );
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(said.contains("\"code\":7"), "{said}");
        assert!(
            !said.contains("usersig\"") && !said.contains("rtmp://"),
            "{said}"
        );
        assert!(!said.contains("access-control-allow-origin"), "{said}");
    }
    // Without a login nothing is told.
    let list = format!(
        "{}/double_room/get_room_list?userID=kiosk&token=guess",
        locked.server.url
    );
    let output = run(
        "curl",
        &["--silent", "--json", "{\"index\":0,\"cnt\":9}", &list],
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"code\":7"));
}

#[test]
fn a_stranger_sees_no_call_and_takes_nobodys_place() {
    let _turn = turn();
    let runtime = Runtime::new().unwrap();
    let locked = Locked::start(USERS, "");
    let agent = agent(&locked);
    let eve = locked.person("eve", "double_room");
    // As long as there is a place, anybody may look who could come in.
    let [(user, url)] = &eve.play_urls(ROOM)[..] else {
        panic!("the agent alone");
    };
    assert_eq!(user, "agent");
    let (mut watching, code) = play(&runtime, url);
    assert_eq!(code, "NetStream.Play.Start");
    let kiosk = kiosk(&locked);
    kiosk.call("agent");
    ends_within(&runtime, &mut watching, Duration::from_secs(3));
    let call = Call { kiosk, agent };

    let (_, code) = play(&runtime, url);
    assert_eq!(
        code, "NetStream.Play.Unauthorized",
        "the URL of a moment ago"
    );
    assert_eq!(eve.play_urls(ROOM), []);
    let list = eve
        .ask("get_room_list", &json!({ "index": 0, "cnt": 100 }))
        .to_string();
    assert!(
        list.contains(ROOM) && !list.contains("txSecret") && !list.contains("The kiosk"),
        "{list}"
    );
    // What opens a stream for playing does not open it for pushing, whatever is put before it.
    let own = eve.push_url();
    let stream = stream_url::stream_id(url);
    let own_query = own.split_once('?').unwrap().1;
    let relay_url = own.split_once(stream_url::stream_id(&own)).unwrap().0;
    for forged in [
        url.clone(),
        format!("{relay_url}{stream}"),
        format!("{relay_url}{stream}?{own_query}"),
        format!("{relay_url}{stream}?txSecret=0&txTime=7FFFFFFF"),
    ] {
        let (_, code) = publish(&runtime, &forged);
        assert_eq!(code, "NetStream.Publish.Unauthorized", "{forged}");
    }
    // Nor does her own place, or the stream of another, make her the teller.
    assert_eq!(eve.enter(ROOM), 5001);
    assert_eq!(
        eve.code(
            "add_pusher",
            &eve.joining("evil", &format!("{relay_url}{stream}?{own_query}"))
        ),
        1
    );
    for verb in ["delete_pusher", "pusher_heartbeat", "destroy_room"] {
        let of_agent = json!({ "roomID": ROOM, "userID": "agent" });
        assert_eq!(eve.code(verb, &of_agent), 7, "{verb}");
        assert_ne!(eve.code(verb, &eve.of(ROOM)), 0, "{verb}");
    }
    assert_eq!(
        eve.ask("get_push_url", &json!({ "userID": "agent" }))["code"],
        7
    );
    call.was_not_touched();
}

#[test]
fn kiosks_are_not_sent_to_tellers_that_nobody_knows() {
    let _turn = turn();
    let locked = Locked::start(USERS, "");
    let eve = locked.person("eve", "double_room");
    // First in every list, under the name of the counter.
    for n in 0..3 {
        assert_eq!(eve.enter(&format!("{ROOM} {n}")), 0);
    }
    let mallory = locked.person("mallory", "double_room");
    // One identity makes a few rooms, and no more: the others still get theirs.
    let made = (0..420)
        .map(|n| {
            mallory.code(
                "create_room",
                &json!({ "userID": "mallory", "roomInfo": "", "roomID": format!("m{n}") }),
            )
        })
        .filter(|code| *code == 0);
    let made = made.count();
    assert!(made <= 8, "{made} rooms of one user");
    let _agent = agent(&locked);
    let kiosk = kiosk(&locked);
    kiosk.call("agent");
    assert_eq!(
        text(&kiosk.status(), "session.room_id"),
        ROOM,
        "{:#}",
        kiosk.status()["session"]
    );
}

#[test]
fn nobody_reads_or_writes_in_a_call_that_is_not_theirs() {
    let _turn = turn();
    let locked = Locked::start(USERS, "");
    let eve = locked.person("eve", "double_room");
    let agent = agent(&locked);
    let key = eve
        .join(ROOM)
        .expect("who may come in hears when something changes");
    let kiosk = kiosk(&locked);
    kiosk.call("agent");
    let sent = || {
        let sent = kiosk.ask(&json!({ "command": "message", "text": "my account is 4711" }));
        sent.is_ok_and(|answer| answer["ok"] == true)
    };
    until_true("the kiosk's message channel is there", PATIENCE, sent);
    until_true("the agent reads it", PATIENCE, || {
        agent.program.out().contains("my account is 4711")
    });
    for _ in 0..2 {
        let read = eve.read(&key, 0).to_string();
        assert!(!read.contains("4711"), "{read}");
    }
    let history = json!({ "GroupId": ROOM, "ReqMsgSeq": 99, "ReqMsgNumber": 50 });
    let history = eve
        .im("v4/group_open_http_svc/group_msg_get", &history)
        .to_string();
    assert!(!history.contains("4711"), "{history}");
    assert_eq!(eve.say(ROOM, "please pay here")["ErrorCode"], 10007);
    let forged = json!({ "GroupId": ROOM, "From_Account": "agent", "Random": 1, "MsgBody": [] });
    assert_ne!(
        eve.im("v4/group_open_http_svc/send_group_msg", &forged)["ErrorCode"],
        0
    );
    let call = Call { kiosk, agent };
    call.was_not_touched();
    let shown = serde_json::to_string(&call.kiosk.status()).unwrap();
    assert!(!shown.contains("please pay here"), "{shown}");
}

#[test]
fn a_revoked_user_loses_everything_at_once() {
    let _turn = turn();
    let runtime = Runtime::new().unwrap();
    let locked = Locked::start(USERS, "");
    let call = Call::start(&locked);
    // A second agent, whose device was stolen while it waits.
    let stolen = locked.person("agent-2", "double_room");
    let push = stolen.push_url();
    let (mut publishing, code) = publish(&runtime, &push);
    assert_eq!(code, "NetStream.Publish.Start");
    assert_eq!(
        stolen.code("add_pusher", &stolen.joining("stolen", &push)),
        0
    );
    let key = stolen.join("stolen").unwrap();
    let [(_, url)] = &stolen.play_urls("stolen")[..] else {
        panic!("one member");
    };
    let (mut playing, code) = play(&runtime, url);
    assert_eq!(code, "NetStream.Play.Start");
    let begun = Instant::now();
    locked.revoke("agent-2");
    until_true("the token is void", PATIENCE, || {
        stolen.code("pusher_heartbeat", &stolen.of("stolen")) == 7
    });
    ends_within(&runtime, &mut publishing, Duration::from_secs(2));
    ends_within(&runtime, &mut playing, Duration::from_secs(2));
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_ne!(stolen.read(&key, 0)["ErrorCode"], 0);
    assert_ne!(stolen.say("stolen", "hello")["ErrorCode"], 0);
    for url in [&push, url] {
        let (_, published) = publish(&runtime, url);
        let (_, played) = play(&runtime, url);
        assert_eq!(published, "NetStream.Publish.Unauthorized");
        assert_eq!(played, "NetStream.Play.Unauthorized");
    }
    assert_eq!(locked.server.program.err().matches("panicked").count(), 0);
    call.was_not_touched();
}

#[test]
fn a_locked_server_does_not_start_without_keys() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rtcroomd.toml");
    std::fs::write(&config, "[http]\nlisten = \"0.0.0.0:0\"\n").unwrap();
    let rtcroomd = crate::support::program::RTCROOMD;
    let output = Command::new(rtcroomd)
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("http.listen") && said.contains("rtcroomd init"),
        "{said}"
    );
}
