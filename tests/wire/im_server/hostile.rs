//! Attempts of hostile clients, all of which fail.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use rtckiosk::protocol::user_sig::{Form, SigningKey};
use rtckiosk::server::Rate;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::peer::{APP, Client, JOIN, QUIT, READ, SEND, login_target, post, server, sign};
use super::talk::room;

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate {
        per_second: NonZeroU32::new(per_second).unwrap(),
        burst: NonZeroU32::new(burst).unwrap(),
    }
}

#[tokio::test]
async fn nobody_acts_for_another_user() {
    let (server, key) = server(|_| {}).await;
    room(&server, "r").await;
    let alice = Client::login(&server, &key, "alice").await;
    let mut alices = alice.join("r").await;
    let eve = Client::login(&server, &key, "eve").await;
    let mut eves = eve.join("r").await;
    // Under Alice's name.
    let mut forged = eve.text("r", "send the money");
    forged["From_Account"] = "alice".into();
    assert_eq!(eve.code(SEND, forged).await, 10007);
    let forged = json!({"From_Account": "alice", "To_Account": "host", "MsgSeq": 1,
        "MsgRandom": 1, "MsgTimeStamp": 1, "MsgBody": [
            {"MsgType": "TIMTextElem", "MsgContent": {"Text": "x"}}]});
    assert_eq!(eve.code("v4/openim/sendmsg", forged).await, 10007);
    let forged = json!({"From_Account": "alice", "ProfileItem": [
        {"Tag": "Tag_Profile_IM_Nick", "Value": "fool"}]});
    assert_eq!(eve.code("v4/profile/portrait_set", forged).await, 10007);
    // With a nickname that clients take for the sender.
    let own = json!({"From_Account": "eve", "ProfileItem": [
        {"Tag": "Tag_Profile_IM_Nick", "Value": "alice"}]});
    assert_eq!(eve.code("v4/profile/portrait_set", own).await, 0);
    assert_eq!(eve.say("r", "I am alice").await, 0);
    let read = alices.poll().await;
    let said = &read["RspMsgList"][0];
    assert_eq!(said["From_Account"], "eve");
    assert_eq!(said["GroupInfo"]["From_AccountNick"], "eve");
    // With half of Alice's login, or none.
    let tiny_id = alice.identity.split('&').next().unwrap().to_owned();
    for identity in [
        tiny_id.clone(),
        format!("{tiny_id}&a2="),
        format!("{tiny_id}&{}", eve.identity.split('&').nth(1).unwrap()),
        "tinyid=&a2=".to_owned(),
    ] {
        let thief = Client {
            identity,
            ..alice.clone()
        };
        assert_eq!(thief.say("r", "x").await, 70001);
        assert_eq!(thief.code(QUIT, json!({"GroupId": "r"})).await, 70001);
        assert_eq!(thief.code("v4/openim/logout", json!({})).await, 70001);
    }
    // As the administrator, whose name is not signed for the asking.
    let login_info = server.get("/weapp/utils/get_login_info?userID=admin").await;
    assert_eq!(login_info.json()["code"], 7);
    let sig = sign(&key, "eve", Form::Node, 0);
    let target = format!(
        "/v4/group_open_http_svc/send_group_msg?sdkappid={APP}&identifier=eve&usersig={sig}\
         &random=1&contenttype=json"
    );
    let body = alice.text("r", "x").to_string();
    let answer = post(server.addr, &target, "application/json", &body).await;
    assert_eq!(answer.json()["ErrorCode"], 60010);
    // Alice still has the same name.
    assert_eq!(alice.say("r", "it is me").await, 0);
    assert_eq!(eves.read().await, ["eve: I am alice", "alice: it is me"]);
    server.stop().await;
}

#[tokio::test]
async fn nobody_reads_or_writes_in_a_group_without_joining() {
    let (server, key) = server(|_| {}).await;
    room(&server, "r").await;
    room(&server, "other").await;
    let alice = Client::login(&server, &key, "alice").await;
    let mut alices = alice.join("r").await;
    let eve = Client::login(&server, &key, "eve").await;
    let mut eves = eve.join("other").await;
    assert_eq!(alice.say("r", "secret").await, 0);
    assert_eq!(eve.say("r", "hello").await, 10007);
    let read = |key: &str| json!({"StartSeq": 1, "HoldTime": 1, "Key": key});
    for guess in ["", "r", "0", &"0".repeat(64)] {
        let start = Instant::now();
        let answer = eve.call(READ, read(guess)).await;
        assert_eq!(answer["ErrorCode"], 10007);
        assert_eq!(answer["RspMsgList"], json!([]));
        // Whoever asks again at once, for ever, does not spin.
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!(answer["Key"], guess);
        assert!(answer["NextSeq"].is_u64() && answer["HoldTime"].is_u64());
    }
    let history = json!({"GroupId": "r", "ReqMsgSeq": 9, "ReqMsgNumber": 9});
    let history = eve.code("v4/group_open_http_svc/group_msg_get", history);
    assert_eq!(history.await, 10007);
    assert_eq!(eves.read().await, [""; 0]);
    // Without a login nobody joins, unless the operator allows it.
    let nobody = Client::nobody(&server);
    let join = "v1/group_open_http_noauth_svc/apply_join_group";
    assert_eq!(nobody.code(join, json!({"GroupId": "r"})).await, 10007);
    assert_eq!(nobody.code(JOIN, json!({"GroupId": "r"})).await, 70001);
    // Earlier messages are not for members that come later.
    let mut late = eve.join("r").await;
    assert_eq!(alice.say("r", "hello eve").await, 0);
    assert_eq!(late.read().await, ["alice: hello eve"]);
    assert_eq!(alices.read().await, ["alice: secret", "alice: hello eve"]);
    server.stop().await;
}

#[tokio::test]
async fn readers_without_a_login_are_few_and_only_read() {
    let (server, key) = server(|settings| settings.im.anonymous_readers = 1).await;
    room(&server, "r").await;
    let alice = Client::login(&server, &key, "alice").await;
    alice.join("r").await;
    let nobody = Client::nobody(&server);
    let join = "v1/group_open_http_noauth_svc/apply_join_group";
    let joined = nobody.call(join, json!({"GroupId": "r"})).await;
    assert_eq!(joined["JoinedStatus"], "JoinedSuccess");
    assert_eq!(nobody.code(join, json!({"GroupId": "r"})).await, 10007);
    assert_eq!(alice.say("r", "hello").await, 0);
    let read = json!({"StartSeq": 0, "HoldTime": 90, "Key": joined["LongPollingKey"]});
    let read = nobody.call(READ, read).await;
    assert_eq!(read["RspMsgList"].as_array().unwrap().len(), 1);
    assert_eq!(nobody.code(SEND, nobody.text("r", "x")).await, 70001);
    server.stop().await;
}

#[tokio::test]
async fn open_polls_are_bounded_by_user_and_by_address() {
    let (server, key) = server(|settings| {
        settings.im.polls_per_address = 3;
        settings.im.hold = Duration::from_secs(5);
        settings.im.per_user = rate(1000, 1000);
    })
    .await;
    room(&server, "r").await;
    room(&server, "s").await;
    let alice = Client::login(&server, &key, "alice").await;
    let reader = alice.join("r").await;
    // Of one user and group only the newest stays.
    let start = Instant::now();
    let mut polls = Vec::new();
    for _ in 0..3 {
        polls.push(reader.start());
        sleep(Duration::from_millis(100)).await;
    }
    let newest = polls.pop().unwrap();
    for replaced in polls {
        let answer = replaced.await.unwrap();
        assert_eq!(
            (&answer["ErrorCode"], &answer["RspMsgList"]),
            (&json!(0), &json!([]))
        );
    }
    let took = start.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}"
    );
    assert_eq!(server.handle.stats().polls, 1);
    // Of one address there are so many.
    let other = alice.join("s").await.start();
    let poll_id = alice.poll_id().await;
    let listening = {
        let (alice, poll_id) = (alice.clone(), poll_id.clone());
        tokio::spawn(async move { alice.listen(&poll_id, 0).await })
    };
    sleep(Duration::from_millis(100)).await;
    assert_eq!(server.handle.stats().polls, 3);
    let bob = Client::login(&server, &key, "bob").await;
    let mut bobs = bob.join("r").await;
    let start = Instant::now();
    let refused = bobs.poll().await;
    assert_eq!(refused["ErrorCode"], 10023);
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.handle.stats().polls, 3);
    // Everything else goes on.
    assert_eq!(bob.say("r", "anybody here?").await, 0);
    let answer = newest.await.unwrap();
    assert_eq!(answer["RspMsgList"].as_array().unwrap().len(), 1);
    assert_eq!(bobs.read().await, ["bob: anybody here?"]);
    for poll in [other, listening] {
        poll.abort();
    }
    // A client that hangs up frees its place.
    for _ in 0..50 {
        if server.handle.stats().polls == 0 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.handle.stats().polls, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_user_sig_that_is_over_or_forged_opens_nothing() {
    let (server, key) = server(|_| {}).await;
    let login = |user: &'static str, sig: String| {
        let addr = server.addr;
        async move {
            let target = login_target(user, &sig);
            let answer = post(addr, &target, "application/json", "{}").await.json();
            answer["ErrorCode"].as_i64().unwrap()
        }
    };
    let other_key = SigningKey::p256_from_bytes(&[8; 32]).unwrap();
    for form in [Form::Node, Form::Java] {
        assert_eq!(login("alice", sign(&key, "alice", form, 3500)).await, 0);
        assert_eq!(login("alice", sign(&key, "alice", form, 3601)).await, 70001);
        assert_eq!(login("alice", sign(&key, "eve", form, 0)).await, 70013);
        assert_eq!(
            login("alice", sign(&other_key, "alice", form, 0)).await,
            70009
        );
    }
    assert_eq!(login("alice", String::new()).await, 70009);
    assert_eq!(login("", sign(&key, "alice", Form::Node, 0)).await, 10004);
    let target = login_target("alice", &sign(&key, "alice", Form::Node, 0));
    let foreign = target.replace("sdkappid=1400000001", "sdkappid=7");
    let answer = post(server.addr, &foreign, "application/json", "{}").await;
    assert_eq!(answer.json()["ErrorCode"], 70020);
    server.stop().await;
}

#[tokio::test]
async fn a_login_ends_with_the_user_sig_that_opened_it() {
    let (server, key) = server(|_| {}).await;
    let sig = sign(&key, "alice", Form::Node, 3598);
    let target = login_target("alice", &sig);
    let answer = post(server.addr, &target, "application/json", "{}")
        .await
        .json();
    assert_eq!(answer["ErrorCode"], 0);
    let text = |key: &str| answer[key].as_str().unwrap().to_owned();
    let alice = Client {
        addr: server.addr,
        user: "alice".into(),
        identity: format!("tinyid={}&a2={}", text("TinyId"), text("A2Key")),
    };
    assert_eq!(alice.code("v4/openim/authkey", json!({})).await, 0);
    sleep(Duration::from_millis(3100)).await;
    assert_eq!(alice.code("v4/openim/authkey", json!({})).await, 70001);
    server.stop().await;
}

#[tokio::test]
async fn floods_and_giants_are_refused() {
    let (server, key) = server(|settings| settings.im.messages = rate(1, 3)).await;
    room(&server, "r").await;
    let eve = Client::login(&server, &key, "eve").await;
    let mut reader = eve.join("r").await;
    assert_eq!(eve.say("r", &"x".repeat(8898)).await, 0);
    assert_eq!(eve.say("r", &"x".repeat(8899)).await, 80002);
    assert_eq!(eve.code(SEND, eve.text("r", "")).await, 0);
    assert_eq!(eve.say("r", "too much").await, 10023);
    let alice = Client::login(&server, &key, "alice").await;
    alice.join("r").await;
    assert_eq!(alice.say("r", "others are not touched").await, 0);
    assert_eq!(reader.read().await.len(), 3);
    // A body that no message needs is not even read.
    let target = format!("/{SEND}?{}&sdkappid={APP}", eve.identity);
    let giant = format!(r#"{{"GroupId":"{}"}}"#, "x".repeat(100_000));
    let reply = post(server.addr, &target, "application/json", &giant).await;
    assert_eq!(
        (reply.status, &reply.json()["ErrorCode"]),
        (400, &json!(10004))
    );
    let deep = "[".repeat(50_000);
    let reply = post(server.addr, &target, "application/json", &deep).await;
    assert_eq!(reply.json()["ErrorCode"], 10004);
    server.stop().await;
}

#[tokio::test]
async fn who_never_reads_an_answer_is_cut_and_delays_nobody() {
    let (server, key) = server(|settings| {
        settings.http.request_timeout = Duration::from_millis(500);
        settings.im.per_user = rate(1000, 1000);
        settings.im.messages = rate(1000, 1000);
    })
    .await;
    room(&server, "r").await;
    let eve = Client::login(&server, &key, "eve").await;
    eve.join("r").await;
    for _ in 0..15 {
        assert_eq!(eve.say("r", &"x".repeat(8000)).await, 0);
    }
    // More answers of a hundred kilobytes than the kernel keeps for somebody who does not read.
    let body = json!({"GroupId": "r", "ReqMsgSeq": 99, "ReqMsgNumber": 50}).to_string();
    let ask = format!(
        "POST /v4/group_open_http_svc/group_msg_get?{}&sdkappid={APP} HTTP/1.1\r\nHost: h\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        eve.identity,
        body.len()
    );
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut lazy = socket.connect(server.addr).await.unwrap();
    lazy.write_all(ask.repeat(100).as_bytes()).await.unwrap();
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(eve.code("v4/openim/authkey", json!({})).await, 0);
        assert!(start.elapsed() < Duration::from_millis(500));
        sleep(Duration::from_millis(100)).await;
    }
    // Messages under way still come, and then the end.
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(5), lazy.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "still connected after {} bytes", rest.len());
    assert!(rest.len() < 100 * 120_000, "{} bytes", rest.len());
    server.stop().await;
}
