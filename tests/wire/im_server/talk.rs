//! Clients among themselves.

use std::time::{Duration, Instant};

use rtckiosk::protocol::RoomType;
use rtckiosk::protocol::user_sig::{Form, SigningKey};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::peer::{Client, HOLD, JOIN, QUIT, READ, login_target, post, server, sign};
use crate::room_server::peer::Server;

/// A live room of the server's own: everybody reads and writes in its group.
pub(super) async fn room(server: &Server, id: &str) {
    let host = server.login(RoomType::Live, "host").await;
    host.enter(id).await;
}

#[tokio::test]
async fn what_members_write_comes_to_all_in_order_and_to_themselves() {
    let (server, key) = server(|settings| {
        settings.im.messages.burst = 100.try_into().unwrap();
    })
    .await;
    room(&server, "r").await;
    let alice = Client::login(&server, &key, "alice").await;
    let bob = Client::login(&server, &key, "bob").await;
    let (mut alices, mut bobs) = (alice.join("r").await, bob.join("r").await);
    let waiting = bobs.start();
    sleep(Duration::from_millis(100)).await;
    let sent = Instant::now();
    assert_eq!(alice.say("r", "hello").await, 0);
    let heard = waiting.await.unwrap();
    assert!(sent.elapsed() < Duration::from_millis(200));
    let message = &heard["RspMsgList"][0];
    let time = message["MsgTimeStamp"].as_u64().unwrap();
    assert_eq!(
        *message,
        json!({"Event": 3, "From_Account": "alice", "ToGroupId": "r", "MsgSeq": message["MsgSeq"],
               "MsgRandom": 1, "MsgTimeStamp": time, "MsgPriority": 2, "IsPlaceMsg": 0,
               "GroupInfo": {"GroupName": "group_name", "From_AccountNick": "alice"},
               "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]})
    );
    let mut expected = vec!["alice: hello".to_owned()];
    for n in 0..40 {
        let who = if n % 3 == 0 { &bob } else { &alice };
        assert_eq!(who.say("r", &n.to_string()).await, 0);
        expected.push(format!("{}: {n}", who.user));
    }
    for reader in [&mut alices, &mut bobs] {
        assert_eq!(reader.read().await, expected);
    }
    assert_eq!(bob.code(QUIT, json!({"GroupId": "r"})).await, 0);
    assert_eq!(bob.say("r", "still there").await, 10007);
    server.stop().await;
}

#[tokio::test]
async fn a_poll_with_nothing_new_is_held_and_then_empty_and_ok() {
    let (server, key) = server(|_| {}).await;
    room(&server, "r").await;
    let alice = Client::login(&server, &key, "alice").await;
    let mut reader = alice.join("r").await;
    let poll_id = alice.poll_id().await;
    let start = Instant::now();
    let (read, heard) = tokio::join!(reader.poll(), alice.listen(&poll_id, 0));
    let took = start.elapsed();
    assert!(
        took >= HOLD && took < HOLD + Duration::from_secs(1),
        "{took:?}"
    );
    let empty = json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "NextSeq": read["NextSeq"],
        "HoldTime": HOLD.as_secs(), "Key": reader.key, "RspMsgList": []});
    assert_eq!(read, empty);
    let empty = json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "EventArray": []});
    assert_eq!(heard, empty);
    // A client that must wait less says so.
    let start = Instant::now();
    let body = json!({"StartSeq": read["NextSeq"], "HoldTime": 1, "Key": reader.key});
    assert_eq!(alice.code(READ, body).await, 0);
    assert!(start.elapsed() < HOLD);
    server.stop().await;
}

#[tokio::test]
async fn users_write_to_each_other() {
    let (server, key) = server(|_| {}).await;
    let alice = Client::login(&server, &key, "alice").await;
    let bob = Client::login(&server, &key, "bob").await;
    let poll_id = bob.poll_id().await;
    let body = json!([{"MsgType": "TIMCustomElem",
        "MsgContent": {"Data": "{\"cmd\":\"sketchpad\"}", "Desc": "", "Ext": ""}}]);
    let letter = |seq: u64| {
        json!({"From_Account": "alice", "To_Account": "bob", "MsgTimeStamp": 1_700_000_010,
               "MsgSeq": seq, "MsgRandom": 7, "MsgBody": body})
    };
    let hearing = {
        let (bob, poll_id) = (bob.clone(), poll_id.clone());
        tokio::spawn(async move { bob.listen(&poll_id, 0).await })
    };
    sleep(Duration::from_millis(100)).await;
    assert_eq!(alice.code("v4/openim/sendmsg", letter(5)).await, 0);
    let heard = hearing.await.unwrap();
    let event = &heard["EventArray"][0];
    assert_eq!(event["Event"], 9);
    let message = &event["C2cMsgArray"][0];
    assert_eq!(message["From_Account"], "alice");
    assert_eq!(message["To_Account"], "bob");
    assert_eq!(
        (&message["MsgSeq"], &message["MsgRandom"]),
        (&json!(5), &json!(7))
    );
    assert_eq!(message["MsgBody"], body);
    // Unacknowledged messages come again, with those that came since.
    assert_eq!(alice.code("v4/openim/sendmsg", letter(6)).await, 0);
    let heard = bob.listen(&poll_id, 0).await;
    let messages = heard["EventArray"][0]["C2cMsgArray"].as_array().unwrap();
    let seqs: Vec<_> = messages
        .iter()
        .map(|m| m["MsgSeq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [5, 6]);
    let notice = messages[0]["NoticeSeq"].as_u64().unwrap();
    assert_eq!(bob.listen(&poll_id, notice).await["EventArray"], json!([]));
    // The other way to fetch.
    assert_eq!(alice.code("v4/openim/sendmsg", letter(7)).await, 0);
    let fetch = || bob.call("v4/openim/getmsg", json!({"Cookie": "", "SyncFlag": 0}));
    let fetched = fetch().await;
    assert_eq!(fetched["SyncFlag"], 2);
    assert_eq!(fetched["MsgList"][0]["MsgSeq"], 7);
    assert_eq!(fetch().await["MsgList"], json!([]));
    let read = json!({"C2CMsgReaded": {"Cookie": "", "C2CMsgReadedItem": [
        {"To_Account": "alice", "LastedMsgTime": 1_700_000_010}]}});
    assert_eq!(bob.code("v4/openim/msgreaded", read).await, 0);
    // Nobody of that name is there.
    let mut lost = letter(8);
    lost["To_Account"] = "carol".into();
    assert_eq!(alice.code("v4/openim/sendmsg", lost).await, 20003);
    server.stop().await;
}

#[tokio::test]
async fn the_older_of_two_logins_is_told_at_once() {
    let (server, key) = server(|_| {}).await;
    room(&server, "r").await;
    let first = Client::login(&server, &key, "alice").await;
    let poll_id = first.poll_id().await;
    let reader = first.join("r").await;
    let (reading, listening) = {
        let first = first.clone();
        let poll_id = poll_id.clone();
        let listening = tokio::spawn(async move { first.listen(&poll_id, 0).await });
        (reader.start(), listening)
    };
    sleep(Duration::from_millis(100)).await;
    let again = Instant::now();
    let second = Client::login(&server, &key, "alice").await;
    let told = listening.await.unwrap();
    assert_eq!(
        (&told["ActionStatus"], &told["ErrorCode"]),
        (&json!("FAIL"), &json!(91101))
    );
    assert!(again.elapsed() < Duration::from_millis(900));
    assert_eq!(reading.await.unwrap()["ErrorCode"], 10007);
    assert_eq!(first.listen(&poll_id, 0).await["ErrorCode"], 91101);
    assert_eq!(first.say("r", "I am still here").await, 91101);
    let mut reader = second.join("r").await;
    assert_eq!(second.say("r", "so am I").await, 0);
    assert_eq!(reader.read().await, ["alice: so am I"]);
    // A second poll loop of one login counts as another instance too.
    let [old, new] = [second.poll_id().await, second.poll_id().await];
    assert_eq!(second.listen(&old, 0).await["ErrorCode"], 91101);
    assert_eq!(second.listen(&new, 0).await["ErrorCode"], 0);
    let logged_out = second.code("v4/openim/longpollinglogout", json!({"LongPollingId": new}));
    assert_eq!(logged_out.await, 0);
    assert_eq!(second.code(JOIN, json!({"GroupId": "r"})).await, 70001);
    server.stop().await;
}

#[tokio::test]
async fn logs_in_with_every_kind_of_key_and_form() {
    for arguments in [
        "genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
    ] {
        let output = std::process::Command::new("openssl")
            .args(arguments.replace(" -quiet", "").split(' '))
            .output()
            .expect("this test needs the openssl program (Debian package openssl)");
        let pem = String::from_utf8(output.stdout).unwrap();
        let private = SigningKey::from_pem(&pem).unwrap();
        let (server, _) = server(|settings| {
            settings.auth.verifying_key = private.verifying_key();
        })
        .await;
        for form in [Form::Node, Form::Java] {
            let target = login_target("alice", &sign(&private, "alice", form, 0));
            let answer = post(server.addr, &target, "application/json", "{}")
                .await
                .json();
            assert_eq!(answer["ErrorCode"], 0, "{arguments} {form:?}: {answer}");
            for secret in ["TinyId", "A2Key"] {
                assert!(!answer[secret].as_str().unwrap().is_empty());
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn what_a_client_asks_around_its_login_is_answered() {
    let (server, key) = server(|_| {}).await;
    let alice = Client::login(&server, &key, "alice").await;
    let portrait = |tags: Value| {
        let body =
            json!({"From_Account": "alice", "To_Account": ["alice", "bob"], "TagList": tags});
        alice.call("v4/profile/portrait_get", body)
    };
    let both = json!(["Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"]);
    let set = json!({"From_Account": "alice", "ProfileItem": [
        {"Tag": "Tag_Profile_IM_Nick", "Value": "Alice"},
        {"Tag": "Tag_Profile_IM_Image", "Value": "http://h/a.png"},
        {"Tag": "Tag_Profile_IM_Gender", "Value": "unknown to us"}]});
    assert_eq!(alice.code("v4/profile/portrait_set", set).await, 0);
    let item = |tag: &str, value: &str| json!({"Tag": tag, "Value": value});
    assert_eq!(
        portrait(both).await["UserProfileItem"],
        json!([
            {"To_Account": "alice", "ResultCode": 0, "ResultInfo": "", "ProfileItem": [
                item("Tag_Profile_IM_Nick", "Alice"), item("Tag_Profile_IM_Image", "http://h/a.png")]},
            {"To_Account": "bob", "ResultCode": 0, "ResultInfo": "", "ProfileItem": [
                item("Tag_Profile_IM_Nick", "bob")]},
        ])
    );
    let only_image = portrait(json!(["Tag_Profile_IM_Image"])).await;
    let items = only_image["UserProfileItem"][0]["ProfileItem"]
        .as_array()
        .unwrap();
    assert_eq!(items.len(), 1);
    let joined = json!({"Member_Account": "alice", "Limit": 1000, "Offset": 0,
        "ResponseFilter": {"GroupBaseInfoFilter": ["NextMsgSeq"]}});
    let joined = alice
        .call("v4/group_open_http_svc/get_joined_group_list", joined)
        .await;
    assert_eq!(
        (&joined["TotalCount"], &joined["GroupIdList"]),
        (&json!(0), &json!([]))
    );
    let given = alice.call("v4/openim/authkey", json!({})).await;
    assert!(given["IpList"][0].is_string() && given["AuthKey"].is_string());
    let report = json!({"EvtItems": [], "MainVersion": "1.7.0", "Version": "0"});
    let nobody = Client::nobody(&server);
    assert_eq!(nobody.code("v4/imopenstat/web_report", report).await, 0);
    assert_eq!(nobody.code("v4/openim/authkey", json!({})).await, 70001);
    // From a web page of another origin.
    let preflight = server
        .send(
            b"OPTIONS /v4/openim/login HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
              Origin: https://desk.example\r\nAccess-Control-Request-Method: POST\r\n\
              Access-Control-Request-Headers: content-type\r\n\r\n",
        )
        .await;
    let origin = preflight.header("access-control-allow-origin");
    assert_eq!(
        (preflight.status, origin),
        (200, Some("https://desk.example"))
    );
    server.stop().await;
}

#[tokio::test]
async fn earlier_messages_can_be_asked_for_by_members() {
    let (server, key) = server(|_| {}).await;
    room(&server, "r").await;
    let alice = Client::login(&server, &key, "alice").await;
    let bob = Client::login(&server, &key, "bob").await;
    let mut reader = alice.join("r").await;
    for text in ["one", "two", "three"] {
        assert_eq!(alice.say("r", text).await, 0);
    }
    reader.read().await;
    let ask = json!({"GroupId": "r", "ReqMsgSeq": 100, "ReqMsgNumber": 2});
    let found = alice
        .call("v4/group_open_http_svc/group_msg_get", ask.clone())
        .await;
    let texts = found["RspMsgList"].as_array().unwrap().iter();
    let texts: Vec<_> = texts
        .map(|m| &m["MsgBody"][0]["MsgContent"]["Text"])
        .collect();
    assert_eq!(texts, ["two", "three"]);
    let stranger = bob.code("v4/group_open_http_svc/group_msg_get", ask);
    assert_eq!(stranger.await, 10007);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_ends_held_polls_at_once() {
    let (server, key) = server(|settings| settings.im.hold = Duration::from_secs(25)).await;
    room(&server, "r").await;
    let alice = Client::login(&server, &key, "alice").await;
    let reader = alice.join("r").await;
    let waiting = reader.start();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(server.handle.stats().polls, 1);
    let stop = Instant::now();
    server.stop().await;
    assert!(stop.elapsed() < Duration::from_secs(2));
    assert_eq!(waiting.await.unwrap()["ErrorCode"], 0);
}
