//! The message channel against exact bytes: what the kiosk sends, everything that clients and
//! servers in the field are known to say, and that no answer ends a call.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::time::Duration;

use rtckiosk::config::kiosk::Role;
use rtckiosk::room::{ChannelState, RoomEvent, RoomSnapshot};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::im_call::{Call, PATIENCE};
use crate::played::{Played, Reply, Seen};
use crate::played_im::{HOLD, Service, ok};

const NOTIFY: &str = r#"{"cmd":"notifyPusherChange","data":""}"#;

fn requests(im: &Played, command: &str) -> Vec<Seen> {
    let mut seen = im.seen();
    seen.retain(|seen| seen.verb() == command);
    seen
}

/// The target with the time replaced, which nobody can know.
fn target(seen: &Seen) -> String {
    let time = seen.param("reqtime").unwrap();
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000);
    seen.target.replace(&time, "NOW")
}

fn custom(data: &str) -> Value {
    json!({"MsgType":"TIMCustomElem","MsgContent":{"Data":data,"Desc":"","Ext":""}})
}

fn text(text: &str) -> Value {
    json!({"MsgType":"TIMTextElem","MsgContent":{"Text":text}})
}

#[tokio::test]
async fn sends_exactly_the_documented_requests() {
    let call = Call::start().await;
    call.handle.send_text("hi \"there\"").await.unwrap();
    call.handle.send_custom("lamp", "on").await.unwrap();
    call.handle
        .send_c2c("agent", "sketchpad", "{}")
        .await
        .unwrap();
    sleep(HOLD * 2).await;
    call.handle.stop().await.unwrap();
    let im = &call.im;
    let first = |command: &str| requests(im, command).first().unwrap().clone();

    let login = first("login");
    assert_eq!(login.method, "POST");
    assert_eq!(login.header("content-type"), Some("application/json"));
    assert_eq!(
        target(&login),
        "/v4/openim/login?websdkappid=537048168&v=1.7.0&identifier=kiosk&usersig=s\
         &contenttype=json&sdkappid=1&accounttype=1&apn=1&reqtime=NOW&reqSeq=1"
    );
    assert_eq!(login.body, r#"{"State":"Online"}"#);
    let nick = first("portrait_set");
    let query = |seq: &str| {
        format!(
            "?websdkappid=537048168&v=1.7.0&tinyid=144115197&a2=a2b1&contenttype=json\
             &sdkappid=1&accounttype=1&apn=1&reqtime=NOW&reqSeq={seq}"
        )
    };
    assert_eq!(
        target(&nick),
        format!("/v4/profile/portrait_set{}", query("2"))
    );
    for (command, path, body) in [
        (
            "portrait_set",
            "/v4/profile/portrait_set",
            r#"{"From_Account":"kiosk","ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":"kiosk"}]}"#,
        ),
        ("getlongpollingid", "/v4/openim/getlongpollingid", "{}"),
        (
            "longpolling",
            "/v4/openim/longpolling",
            r#"{"Timeout":60,"Cookie":{"NotifySeq":0,"NoticeSeq":0,"LongPollingId":"lp1"}}"#,
        ),
        (
            "apply_join_group",
            "/v4/group_open_http_svc/apply_join_group",
            r#"{"GroupId":"r"}"#,
        ),
        (
            "get_msg",
            "/v1/group_open_long_polling_http_noauth_svc/get_msg",
            r#"{"StartSeq":0,"HoldTime":2,"Key":"k1f0"}"#,
        ),
        (
            "quit_group",
            "/v4/group_open_http_svc/quit_group",
            r#"{"GroupId":"r"}"#,
        ),
        (
            "longpollinglogout",
            "/v4/openim/longpollinglogout",
            r#"{"LongPollingId":"lp1"}"#,
        ),
    ] {
        let seen = first(command);
        let seq = seen.param("reqSeq").unwrap();
        assert_eq!(target(&seen), format!("{path}{}", query(&seq)));
        assert_eq!(seen.body, body, "{command}");
    }
    assert_eq!(
        requests(im, "get_msg")[1].body,
        r#"{"StartSeq":1,"HoldTime":2,"Key":"k1"}"#,
        "sequence and key are those of the last answer"
    );
    let mut seqs: Vec<u64> = im
        .seen()
        .iter()
        .map(|s| s.param("reqSeq").unwrap().parse().unwrap())
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    sent_bodies_are_documented(im);
    left_in_order(&call);
}

fn sent_bodies_are_documented(im: &Played) {
    let sent = requests(im, "send_group_msg");
    let body = |seen: &Seen, random: &str| {
        let json = seen.json();
        assert!(json[random].as_u64().unwrap() <= u64::from(u32::MAX));
        seen.body.replace(&format!("{}", json[random]), "RANDOM")
    };
    assert_eq!(
        body(&sent[0], "Random"),
        r#"{"GroupId":"r","From_Account":"kiosk","Random":RANDOM,"MsgBody":[{"MsgType":"TIMCustomElem","MsgContent":{"Data":"{\"cmd\":\"CustomTextMsg\",\"data\":{\"nickName\":\"Kiosk\",\"headPic\":\"\",\"headpic\":\"\"}}","Desc":"","Ext":""}},{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi \"there\""}}],"MsgPriority":"COMMON"}"#
    );
    assert_eq!(
        body(&sent[1], "Random"),
        r#"{"GroupId":"r","From_Account":"kiosk","Random":RANDOM,"MsgBody":[{"MsgType":"TIMCustomElem","MsgContent":{"Data":"{\"cmd\":\"CustomCmdMsg\",\"data\":{\"cmd\":\"lamp\",\"msg\":\"on\",\"userAvatar\":\"\",\"userName\":\"Kiosk\"}}","Desc":"","Ext":""}}],"MsgPriority":"COMMON"}"#
    );
    let c2c = requests(im, "sendmsg")[0].json();
    let keys: Vec<_> = c2c
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let documented = [
        "From_Account",
        "MsgBody",
        "MsgRandom",
        "MsgSeq",
        "MsgTimeStamp",
        "To_Account",
    ];
    assert_eq!(keys, documented);
    assert_eq!(c2c["To_Account"], "agent");
    assert_eq!(
        c2c["MsgBody"][0]["MsgContent"]["Data"],
        r#"{"cmd":"sketchpad","data":{"msg":"{}","userAvatar":"","userName":"Kiosk"}}"#
    );
}

/// `delete_pusher` comes before the group is left, as every known server wants it.
fn left_in_order(call: &Call) {
    assert_eq!(call.rooms.count("delete_pusher"), 1);
    let commands: Vec<_> = call.im.seen().iter().map(|s| s.verb().to_owned()).collect();
    let place = |command: &str| commands.iter().position(|c| c == command).unwrap();
    assert!(place("login") < place("portrait_set").min(place("getlongpollingid")));
    assert!(place("apply_join_group") < place("get_msg"));
    assert!(place("quit_group") < place("longpollinglogout"));
}

#[tokio::test]
async fn every_client_in_the_field_is_understood() {
    let mut call = Call::start().await;
    let mini = r#"{"cmd":"CustomTextMsg","data":{"nickName":"Alice","headPic":"http://x/a.png"}}"#;
    let win = "{\"cmd\":\"CustomTextMsg\",\"data\":{\"headpic\":\"\",\"nickName\":\"Alice\"}}\n";
    let broken = r#"{"cmd":"CustomTextMsg","data":{"nickName":"A"l","headPic":""}}"#;
    let face = json!({"MsgType":"TIMFaceElem","MsgContent":{"Index":3,"Data":"[ok]"}});
    for (elements, nick, said) in [
        (json!([custom(mini), text("1 &lt; 2")]), "Alice", "1 < 2"),
        (json!([custom(win), text("win")]), "Alice", "win"),
        (
            json!([custom(mini), text("a"), face, text("b")]),
            "Alice",
            "a[ok]b",
        ),
        (json!([custom(broken), text("who?")]), "agent", "who?"),
        (json!([text("bare")]), "agent", "bare"),
    ] {
        call.service.say("agent", &elements);
        let message = call.message("TextReceived").await;
        assert_eq!((message.nick.as_str(), message.text.as_str()), (nick, said));
        assert_eq!(message.from, "agent");
    }
    let command = r#"{"cmd":"CustomCmdMsg","data":{"cmd":"lamp","msg":"on","userAvatar":"","userName":"Alice"}}"#;
    let live = r#"{"cmd":"CustomCmdMsg","data":{"cmd":"lamp","nickName":"Alice","headPic":""}}"#;
    for elements in [
        json!([custom(command)]),
        json!([custom(&format!("{command}\n")), custom("on")]),
        json!([custom(live), text("on")]),
    ] {
        call.service.say("agent", &elements);
        let message = call.message("CustomReceived").await;
        assert_eq!(message.cmd.as_deref(), Some("lamp"));
        assert_eq!(
            (message.nick.as_str(), message.text.as_str()),
            ("Alice", "on")
        );
    }
    let state = call.handle.snapshot().borrow().clone();
    assert_eq!(state.channel.messages_received, 8);
}

#[tokio::test]
async fn what_is_not_for_us_is_passed_over_and_order_is_kept() {
    let mut call = Call::start().await;
    let service = &call.service;
    let entry = |from: &str, group: &str, place: u64| {
        json!({"Event":3,"From_Account":from,"ToGroupId":group,"MsgSeq":900 + place,
            "MsgRandom":9,"IsPlaceMsg":place,"MsgBody":[text("not for us")]})
    };
    let board = json!({"MsgType":"TIMCustomElem",
        "MsgContent":{"Data":"{\"seq\":1}","Desc":"","Ext":"TXWhiteBoardExt"}});
    for noise in [
        entry("agent", "other-room", 0),
        entry("agent", "r", 1),
        entry("kiosk", "r", 0),
        json!("x"),
        json!({"Event":3}),
        json!({"Event":4,"From_Account":"@TIM#SYSTEM","ToGroupId":"r","GroupInfo":{"GroupName":"g"},
            "MsgBody":{"OpType":1,"Operator_Account":"bob","List_Account":["bob"],"MemberNum":2}}),
        json!({"Event":5,"From_Account":"@TIM#SYSTEM","ToGroupId":"r","MsgBody":null}),
    ] {
        service.deliver(noise);
    }
    service.say("agent", &json!([board]));
    service.report(255, Some("not json"));
    for word in ["one", "two", "three"] {
        service.say("agent", &json!([text(word)]));
    }
    for word in ["one", "two", "three"] {
        assert_eq!(call.message("TextReceived").await.text, word);
    }
    // The same message again, as after a reconnect, is no second one.
    let again = json!({"Event":3,"From_Account":"agent","ToGroupId":"r","MsgSeq":77,"MsgRandom":7,
        "MsgBody":[text("once")]});
    call.service.deliver(again.clone());
    call.service.deliver(again);
    call.service.say("agent", &json!([text("last")]));
    assert_eq!(call.message("TextReceived").await.text, "once");
    assert_eq!(call.message("TextReceived").await.text, "last");
    call.goes_on().await;
}

#[tokio::test]
async fn a_notification_is_looked_after_at_once_once_twice_or_from_a_member() {
    for notify in [
        // Node.
        |service: &Service| service.report(255, Some(NOTIFY)),
        // Java, when somebody leaves.
        |service: &Service| {
            service.report(255, Some(NOTIFY));
            service.report(255, Some(NOTIFY));
        },
        // A member, as the Windows client takes it too.
        |service: &Service| service.say("agent", &json!([custom(NOTIFY)])),
    ] {
        let mut call = Call::start().await;
        sleep(Duration::from_millis(700)).await;
        let looks = call.rooms.count("get_pushers");
        call.replace_agent("bob");
        notify(&call.service);
        call.expect("MemberLeft").await;
        call.expect("MemberJoined").await;
        sleep(Duration::from_millis(300)).await;
        let more = call.rooms.count("get_pushers") - looks;
        assert!((1..=2).contains(&more), "{more} looks");
        while let Ok(event) = call.events.try_recv() {
            assert!(!format!("{event:?}").starts_with("Member"), "{event:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_room_is_believed_when_the_room_server_agrees() {
    // Node, and Java with its two notifications before: the room is gone with its last member.
    for java in [false, true] {
        let mut call = Call::start().await;
        call.world.remove_room("r");
        if java {
            call.service.report(255, Some(NOTIFY));
            call.service.report(255, Some(NOTIFY));
        }
        call.service.report(5, None);
        if !java {
            let closed = call.expect("RoomClosed").await;
            assert!(format!("{closed:?}").contains("Destroyed"), "{closed:?}");
            assert_eq!(call.world.members("r"), [""; 0], "not made anew");
        } else {
            // The notification may be looked after before the dissolution is read.
            let ended = async {
                call.until("over or back", |state| {
                    state.room_id.is_none() || state.re_adds > 0
                })
                .await;
            };
            timeout(Duration::from_secs(2), ended).await.unwrap();
        }
    }
    // Another room type's room of the same id was destroyed, and with it the group.
    for report in [5, 11, 4] {
        let call = Call::start().await;
        call.service.report(report, None);
        call.goes_on().await;
        assert_eq!(call.world.members("r").len(), 2);
    }
    let mut call = Call::start().await;
    call.world.remove("r", "kiosk");
    call.service.report(4, None);
    let kicked = call.expect("Kicked").await;
    assert!(format!("{kicked:?}").contains("Removed"), "{kicked:?}");
}

#[tokio::test]
async fn a_room_without_a_group_is_a_call_without_messages() {
    for code in [10_010, 10_015] {
        let mut call = Call::prepare(false).await;
        call.service.refuse("apply_join_group", code);
        call.enter(Role::Guest).await;
        call.until("refused", |state| state.channel.last_error.is_some())
            .await;
        let refused = call.handle.send_text("x").await.unwrap_err().to_string();
        assert!(refused.contains(&code.to_string()), "{refused}");
        call.replace_agent("bob");
        call.expect("MemberJoined").await;
        call.goes_on().await;
        assert_eq!(call.im.count("login"), 1, "the login is not to blame");
        // The room server made the group after all.
        call.service.release("apply_join_group");
        call.expect("ChannelUp").await;
        call.handle.send_text("x").await.unwrap();
    }
}

#[tokio::test]
async fn another_instance_takes_the_messages_and_not_the_call() {
    for command in ["longpolling", "get_msg"] {
        let mut call = Call::start().await;
        call.service.refuse(command, 91_101);
        let RoomEvent::ChannelDown { reason } = call.expect("ChannelDown").await else {
            unreachable!();
        };
        assert!(reason.contains("91101"), "{reason}");
        assert!(
            reason.contains("another device uses the user id \"kiosk\""),
            "{reason}"
        );
        call.replace_agent("bob");
        call.expect("MemberJoined").await;
        call.goes_on().await;
        assert_eq!(call.im.count("login"), 1, "two instances must not fight");
    }
}

#[tokio::test]
async fn a_service_that_answers_too_fast_is_not_asked_in_a_loop() {
    let list = |events: &str| ok(json!({"NextSeq":5,"HoldTime":90,"Key":"k",events:[]}));
    let timeout_code = json!({"ActionStatus":"FAIL","ErrorCode":60008,"ErrorInfo":"timeout"});
    let refusal = json!({"ActionStatus":"FAIL","ErrorCode":10002,"ErrorInfo":"internal"});
    let stuck = ok(json!({"NextSeq":0,"HoldTime":90,"Key":"k","RspMsgList":[
        {"Event":3,"From_Account":"agent","ToGroupId":"r","MsgSeq":1,"MsgRandom":1,"MsgBody":[text("x")]}]}));
    for (group, ordinary) in [
        (list("RspMsgList"), list("EventArray")),
        (timeout_code.to_string(), timeout_code.to_string()),
        (refusal.to_string(), refusal.to_string()),
        (stuck, "{}".into()),
        ("[]".into(), String::new()),
    ] {
        let call = Call::start().await;
        call.service.force("get_msg", Reply::json(group.clone()));
        call.service.force("longpolling", Reply::json(ordinary));
        sleep(HOLD).await;
        let before = call.im.seen().len();
        call.goes_on().await;
        let asked = call.im.seen().len() - before;
        assert!(asked <= 30, "{asked} requests in 1.5 s: {group}");
        let received = call.handle.snapshot().borrow().channel.messages_received;
        assert!(received <= 1, "{received} of one message");
    }
}

#[tokio::test]
async fn a_host_without_a_message_service_costs_nothing_but_a_look() {
    let html = "<html><body>HTTP Status 404</body></html>";
    for answer in [
        // Node's success for a path that it does not know.
        Reply::json(r#"{"code":0,"data":{}}"#),
        // Java.
        Reply::status(404, html),
        Reply::status(302, ""),
        Reply::HangUp,
        Reply::json(r#"{"ActionStatus":"OK","TinyId":"","A2Key":""}"#),
        Reply::json(format!("\"{}\"", "x".repeat(2 << 20))),
    ] {
        let mut call = Call::prepare(true).await;
        call.service.force("login", answer.clone());
        call.enter(Role::Guest).await;
        call.replace_agent("bob");
        call.expect("MemberJoined").await;
        sleep(Duration::from_secs(2)).await;
        assert!(call.told_down);
        let tries = call.im.seen().len();
        assert!((1..=3).contains(&tries), "{tries} tries: {answer:?}");
        let state = call.handle.snapshot().borrow().channel.clone();
        assert_eq!(state.state, ChannelState::Offline);
        assert!(state.last_error.is_some());
        call.goes_on().await;
    }
}

#[tokio::test]
async fn a_refused_login_asks_for_fresh_credentials() {
    let call = Call::prepare(false).await;
    call.service.refuse("login", 70_009);
    let asked = || call.rooms.count("get_login_info");
    call.until("refused", |state| state.channel.last_error.is_some())
        .await;
    timeout(PATIENCE, async {
        while asked() < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    call.service.release("login");
    let online = |state: &RoomSnapshot| state.channel.state == ChannelState::Online;
    call.until("online", online).await;
}

#[tokio::test]
async fn messages_to_us_alone_come_inline_or_are_fetched() {
    let mut call = Call::start().await;
    let message = |seq: u64, data: &str| {
        json!({"From_Account":"bob","To_Account":"kiosk","MsgSeq":seq,"MsgRandom":4242,
            "MsgTimeStamp":1_700_000_005,"NoticeSeq":seq,"MsgBody":[custom(data)]})
    };
    let sketch = r#"{"cmd":"sketchpad","data":{"msg":"{\"type\":\"request\",\"action\":\"currentPPT\"}","userAvatar":"","userName":"Bob"}}"#;
    call.service
        .happen(json!({"Event":9,"C2cMsgArray":[message(12, sketch)]}));
    let inline = call.message("C2cReceived").await;
    assert_eq!(inline.cmd.as_deref(), Some("sketchpad"));
    assert_eq!(inline.text, r#"{"type":"request","action":"currentPPT"}"#);
    assert_eq!((inline.from.as_str(), inline.nick.as_str()), ("bob", "Bob"));
    let more = ok(json!({"Cookie":"c1","SyncFlag":1,"MsgList":[message(13, sketch)]}));
    call.service.force("getmsg", Reply::json(more));
    call.service.happen(json!({"Event":1,"NotifySeq":8}));
    call.message("C2cReceived").await;
    let fetched = requests(&call.im, "getmsg");
    assert_eq!(fetched[0].body, r#"{"Cookie":"","SyncFlag":0}"#);
    assert_eq!(fetched[1].body, r#"{"Cookie":"c1","SyncFlag":1}"#);
    assert_eq!(fetched.len(), 10, "a list that never ends is given up");
    sleep(HOLD).await;
    let last = requests(&call.im, "longpolling").last().unwrap().json();
    assert_eq!(
        last["Cookie"],
        json!({"NotifySeq":8,"NoticeSeq":13,"LongPollingId":"lp1"})
    );
    // Link-mic belongs to live rooms, and our own come back from other devices.
    let link = r#"{"cmd":"linkmic","data":{"type":"request","roomID":"r","userID":"bob"}}"#;
    let mut own = message(15, sketch);
    own["From_Account"] = "kiosk".into();
    call.service
        .happen(json!({"Event":9,"C2cMsgArray":[message(14, link), own]}));
    call.goes_on().await;
    assert_eq!(call.handle.snapshot().borrow().channel.messages_received, 2);
}

#[tokio::test]
async fn without_a_polling_id_the_room_is_heard_all_the_same() {
    let mut call = Call::prepare(false).await;
    call.service.refuse("getlongpollingid", 10_002);
    call.service.refuse("portrait_set", 40_003);
    call.enter(Role::Guest).await;
    let joined = |state: &RoomSnapshot| state.channel.state == ChannelState::Joined;
    call.until("joined", joined).await;
    call.service.say("agent", &json!([text("hello")]));
    assert_eq!(call.message("TextReceived").await.text, "hello");
    assert_eq!(call.im.count("longpolling"), 0);
}
