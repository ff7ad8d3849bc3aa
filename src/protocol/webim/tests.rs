//! Holds messages against the documented bytes, both ways, and reading against hostile ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn app() -> App {
    App {
        sdk_app_id: 1_400_000_001,
        account_type: "12345".into(),
    }
}

#[test]
fn queries_are_those_of_the_official_client() {
    let login = Caller::LoggingIn {
        identifier: "al ice",
        user_sig: "eJx*-_",
    };
    assert_eq!(
        RequestQuery::compose(login, &app(), 1_700_000_000, 1),
        "websdkappid=537048168&v=1.7.0&identifier=al%20ice&usersig=eJx*-_&contenttype=json\
         &sdkappid=1400000001&accounttype=12345&apn=1&reqtime=1700000000&reqSeq=1"
    );
    let logged_in = Caller::LoggedIn {
        tiny_id: "1441",
        a2_key: "a2b1",
    };
    let query = RequestQuery::compose(logged_in, &app(), 1_700_000_000, 2);
    assert_eq!(
        query,
        "websdkappid=537048168&v=1.7.0&tinyid=1441&a2=a2b1&contenttype=json\
         &sdkappid=1400000001&accounttype=12345&apn=1&reqtime=1700000000&reqSeq=2"
    );
    let read = RequestQuery::parse(&query);
    assert_eq!(
        (read.tiny_id.as_str(), read.a2_key.as_str()),
        ("1441", "a2b1")
    );
    assert!(!format!("{read:?} {logged_in:?} {login:?}").contains("a2b1"));
    assert!(!format!("{login:?}").contains("eJx"));
}

#[test]
fn paths_map_both_ways() {
    for command in ImCommand::ALL {
        assert_eq!(ImCommand::from_path(command.path()), Some(*command));
    }
    assert_eq!(ImCommand::from_path("v4/openim/nothing"), None);
    assert_eq!(ImCommand::BigGroupPoll.to_string(), "get_msg");
}

#[test]
fn bodies_are_the_documented_ones() {
    let poll = LongPollRequest {
        timeout: 60,
        cookie: LongPollCookie {
            notify_seq: 0,
            notice_seq: 0,
            long_polling_id: "id".into(),
        },
    };
    let send = SendGroupRequest {
        group_id: "g".into(),
        from_account: "alice".into(),
        random: 2_864_434_397,
        msg_body: vec![Element::Text("hi".into())],
        msg_priority: "COMMON".into(),
    };
    let big = BigGroupPollRequest {
        start_seq: 0,
        hold_time: 90,
        key: "k1f0".into(),
    };
    for (body, expected) in [
        (
            serde_json::to_string(&poll),
            r#"{"Timeout":60,"Cookie":{"NotifySeq":0,"NoticeSeq":0,"LongPollingId":"id"}}"#,
        ),
        (
            serde_json::to_string(&send),
            r#"{"GroupId":"g","From_Account":"alice","Random":2864434397,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}],"MsgPriority":"COMMON"}"#,
        ),
        (
            serde_json::to_string(&big),
            r#"{"StartSeq":0,"HoldTime":90,"Key":"k1f0"}"#,
        ),
        (serde_json::to_string(&Empty {}), "{}"),
    ] {
        assert_eq!(body.unwrap(), expected);
    }
}

#[test]
fn answers_are_judged_by_action_status_alone() {
    let joined: Joined = parse(
        br#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","JoinedStatus":"JoinedSuccess","LongPollingKey":"k"}"#,
    )
    .unwrap();
    assert_eq!(joined.long_polling_key, "k");
    let refused =
        parse::<Empty>(br#"{"ActionStatus":"FAIL","ErrorCode":10010,"ErrorInfo":"no group"}"#);
    assert_eq!(refused.unwrap_err().code(), Some(ERR_NO_GROUP));
    let odd = parse::<LoggedIn>(br#"{"ActionStatus":"OK","TinyId":144115,"A2Key":null}"#).unwrap();
    assert_eq!((odd.tiny_id.as_str(), odd.a2_key.as_str()), ("144115", ""));
    for (body, error) in [
        (&b""[..], ImAnswerError::NotJson { bytes: 0 }),
        (b"<html>", ImAnswerError::NotJson { bytes: 6 }),
        (b"[]", ImAnswerError::NotJson { bytes: 2 }),
        (
            br#"{"code":0,"data":{}}"#,
            ImAnswerError::Missing("ActionStatus"),
        ),
    ] {
        assert_eq!(parse::<Empty>(body), Err(error));
    }
    let ours = fail_with(10_002, "x", &BigGroupPolled::default());
    assert_eq!(ours["NextSeq"], 0);
    assert_eq!(ours["ErrorCode"], 10_002);
    assert_eq!(
        ok(&Empty {}),
        json!({"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""})
    );
}

fn chat(body: Vec<Element>) -> GroupMessage {
    GroupMessage {
        from: "bob".into(),
        group_id: "branch7-c3".into(),
        seq: 17,
        random: 3_735_928_559,
        time: 1_700_000_010,
        priority: 2,
        group_name: "group_name".into(),
        nick: "bob".into(),
        to: String::new(),
        content: Content::Chat(body),
    }
}

#[test]
fn group_messages_survive_the_round() {
    let system = GroupMessage {
        from: SYSTEM_ACCOUNT.into(),
        nick: String::new(),
        to: "alice".into(),
        content: Content::System {
            report: ReportType::Custom,
            operator: "admin".into(),
            user_defined: Some(r#"{"cmd":"notifyPusherChange","data":""}"#.into()),
        },
        ..chat(vec![])
    };
    let json = system.to_json();
    assert_eq!(json["Event"], 5);
    assert_eq!(
        json["MsgBody"],
        json!({"ReportType":255,"Operator_Account":"admin",
            "UserDefinedField":"{\"cmd\":\"notifyPusherChange\",\"data\":\"\"}"})
    );
    let tip = GroupMessage {
        from: SYSTEM_ACCOUNT.into(),
        nick: String::new(),
        content: Content::Tip {
            op_type: TIP_JOIN,
            operator: "bob".into(),
            accounts: vec!["bob".into()],
            member_num: 2,
        },
        ..chat(vec![])
    };
    for message in [chat(vec![Element::Text("hello".into())]), system, tip] {
        assert_eq!(
            GroupMessage::from_json(&message.to_json()),
            Some(message.clone())
        );
    }
}

#[test]
fn what_a_client_skips_is_skipped() {
    let good = chat(vec![Element::Text("x".into())]).to_json();
    for (key, value) in [
        ("IsPlaceMsg", json!(1)),
        ("From_Account", json!("")),
        ("MsgBody", json!([])),
        ("MsgBody", json!(null)),
        ("Event", json!(99)),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert_eq!(messages(&[bad, json!(7), good.clone()]).len(), 1, "{key}");
    }
}

#[test]
fn ordinary_polls_bring_c2c_and_pending() {
    let message = json!({"From_Account":"bob","To_Account":"alice","MsgSeq":77,"MsgRandom":4242,
        "MsgTimeStamp":1_700_000_005,"NoticeSeq":12,
        "MsgBody":[Element::custom("{}").to_json()]});
    let events = poll_events(&[
        json!({"Event":9,"C2cMsgArray":[message, 3]}),
        json!({"Event":1,"NotifySeq":5}),
        json!({"Event":7,"FriendListMod":[]}),
        json!("x"),
    ]);
    let PollEvent::C2c(c2c) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!((c2c.len(), c2c[0].notice_seq), (1, 12));
    assert_eq!(
        events[1..],
        [
            PollEvent::C2cPending { notify_seq: 5 },
            PollEvent::Other(7),
            PollEvent::Other(0)
        ]
    );
    assert_eq!(poll_events(&[events[0].to_json()])[0], events[0]);
}

/// Reads a message as a mini-program does: all strings together, cut behind the first "}}".
fn as_mini_reads(body: &[Element]) -> (Value, String) {
    let all: String = body
        .iter()
        .map(|element| match element {
            Element::Custom { data, .. } => data.as_str(),
            Element::Text(text) => text.as_str(),
            _ => "",
        })
        .collect();
    let (head, text) = all.split_once("}}").unwrap();
    (
        serde_json::from_str(&format!("{head}}}}}")).unwrap(),
        text.to_owned(),
    )
}

fn text(nick: &str, avatar: &str, text: &str) -> ChatText {
    ChatText {
        nick: nick.into(),
        avatar: avatar.into(),
        text: text.into(),
    }
}

#[test]
fn a_text_goes_out_in_the_form_that_all_read() {
    let said = text("Alice", "http://x/a.png", "hello");
    let body = text_body(&said).unwrap();
    assert_eq!(
        body,
        [
            Element::custom(
                r#"{"cmd":"CustomTextMsg","data":{"nickName":"Alice","headPic":"http://x/a.png","headpic":"http://x/a.png"}}"#
            ),
            Element::Text("hello".into())
        ]
    );
    let too_long = text_body(&text("a", "", &"x".repeat(GROUP_LIMIT)));
    assert_eq!(too_long.unwrap_err().limit, GROUP_LIMIT);
}

#[test]
fn every_known_way_to_say_a_text_is_read() {
    let mini = r#"{"cmd":"CustomTextMsg","data":{"nickName":"Al","headPic":"p"}}"#;
    let win = "{\"cmd\":\"CustomTextMsg\",\"data\":{\"headpic\":\"p\",\"nickName\":\"Al\"}}\n";
    let broken = r#"{"cmd":"CustomTextMsg","data":{"nickName":"A"l","headPic":"p"}}"#;
    let say = |text: &str| Element::Text(text.into());
    let face = Element::Face {
        index: 1,
        data: "[wx]".into(),
    };
    let whiteboard = Element::Custom {
        data: "{}".into(),
        desc: String::new(),
        ext: "TXWhiteBoardExt_gzip_9000".into(),
    };
    for (body, expected) in [
        (
            vec![Element::custom(mini), say("hi")],
            text("Al", "p", "hi"),
        ),
        (vec![Element::custom(win), say("hi")], text("Al", "p", "hi")),
        (
            vec![Element::custom(mini), say("a"), face, say("b")],
            text("Al", "p", "a[wx]b"),
        ),
        (
            vec![Element::custom(mini), say("1 &lt; 2 &amp;&nbsp;&quot;")],
            text("Al", "p", "1 < 2 &amp; \""),
        ),
        (vec![Element::custom(broken), say("hi")], text("", "", "hi")),
        (vec![say("hi")], text("", "", "hi")),
        (vec![say(&format!("{mini}hi"))], text("Al", "p", "hi")),
        (
            vec![whiteboard.clone(), Element::custom(mini), say("hi")],
            text("Al", "p", "hi"),
        ),
    ] {
        assert_eq!(read_group(&body), GroupChat::Text(expected), "{body:?}");
    }
    for nothing in [
        vec![],
        vec![whiteboard],
        vec![Element::custom("{")],
        vec![Element::custom(r#"{"cmd":"other","data":{}}"#)],
    ] {
        assert_eq!(read_group(&nothing), GroupChat::Nothing, "{nothing:?}");
    }
}

#[test]
fn every_known_way_to_send_a_command_is_read() {
    let command = CustomCommand {
        cmd: "lamp".into(),
        msg: "on".into(),
        user_name: "Al".into(),
        user_avatar: "p".into(),
    };
    let body = command_body(&command).unwrap();
    assert_eq!(
        body,
        [Element::custom(
            r#"{"cmd":"CustomCmdMsg","data":{"cmd":"lamp","msg":"on","userAvatar":"p","userName":"Al"}}"#
        )]
    );
    let mut win = body.clone();
    win.push(Element::custom("on"));
    let mini = vec![
        Element::custom(
            r#"{"cmd":"CustomCmdMsg","data":{"cmd":"lamp","nickName":"Al","headPic":"p"}}"#,
        ),
        Element::Text("on".into()),
    ];
    for body in [body, win, mini] {
        assert_eq!(read_group(&body), GroupChat::Command(command.clone()));
    }
    let c2c = c2c_body(&command).unwrap();
    assert_eq!(
        c2c,
        [Element::custom(
            r#"{"cmd":"lamp","data":{"msg":"on","userAvatar":"p","userName":"Al"}}"#
        )]
    );
    assert_eq!(read_c2c(&c2c), C2cChat::Command(command));
}

#[test]
fn the_link_mic_dialogue_is_read() {
    for (data, expected) in [
        (
            r#"{"cmd":"linkmic","data":{"type":"request","roomID":"r","userID":"u","userName":"n","userAvatar":""}}"#,
            Some(LinkMic::Request {
                room_id: "r".into(),
                user_id: "u".into(),
                user_name: "n".into(),
            }),
        ),
        (
            r#"{"cmd":"linkmic","data":{"type":"response","result":"reject","message":"","roomID":"r"}}"#,
            Some(LinkMic::Response {
                accepted: false,
                message: String::new(),
                room_id: "r".into(),
            }),
        ),
        (
            r#"{"cmd":"linkmic","data":{"type":"kickout","roomID":"r"}}"#,
            Some(LinkMic::KickOut {
                room_id: "r".into(),
            }),
        ),
        (r#"{"cmd":"linkmic","data":{"type":"dance"}}"#, None),
    ] {
        let expected = expected.map_or(C2cChat::Nothing, C2cChat::LinkMic);
        assert_eq!(read_c2c(&[Element::custom(data)]), expected);
    }
}

#[test]
fn notifications_are_recognised_however_they_come() {
    let notify = r#"{"cmd":"notifyPusherChange","data":""}"#;
    assert!(is_pushers_changed(notify));
    assert!(!is_pushers_changed("not json"));
    assert!(!is_pushers_changed(r#"{"cmd":7}"#));
    assert_eq!(
        read_group(&[Element::custom(notify)]),
        GroupChat::PushersChanged
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-z]{0,4}",
        Just("Event".to_owned()),
        Just("MsgBody".to_owned()),
        Just("MsgType".to_owned()),
        Just("MsgContent".to_owned()),
        Just("From_Account".to_owned()),
        Just("GroupInfo".to_owned()),
        Just("C2cMsgArray".to_owned()),
        Just("Data".to_owned()),
        Just("cmd".to_owned()),
        Just("data".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u64..10).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(Value::from("TIMCustomElem")),
        Just(Value::from("{\"cmd\":\"CustomTextMsg\",\"data\":7}")),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_does_harm(json in any_json()) {
        let list = [json.clone()];
        let mut group = messages(&list);
        for event in poll_events(&list) {
            match event {
                PollEvent::Group(messages) => group.extend(messages),
                PollEvent::C2c(messages) => {
                    for message in messages {
                        let _ = read_c2c(&message.elements);
                    }
                }
                PollEvent::C2cPending { .. } | PollEvent::Other(_) => {}
            }
        }
        for message in group {
            if let Content::Chat(elements) = &message.content {
                let _ = read_group(elements);
            }
            prop_assert_eq!(GroupMessage::from_json(&message.to_json()), Some(message));
        }
        if let Value::Object(mut fields) = json {
            fields.insert("ActionStatus".into(), "OK".into());
            let body = Value::Object(fields).to_string();
            // Whatever the fields hold, an OK is read as one.
            prop_assert!(parse::<BigGroupPolled>(body.as_bytes()).is_ok());
            prop_assert!(parse::<LongPolled>(body.as_bytes()).is_ok());
        }
    }

    #[test]
    fn no_bytes_do_harm(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse::<BigGroupPolled>(&body);
        let _ = RequestQuery::parse(&String::from_utf8_lossy(&body));
    }

    #[test]
    fn a_text_survives_the_round_and_mini_reads_it(
        nick in "[^&]{0,20}", avatar in "[a-z}\"\\\\]{0,10}", said in "[^&]{0,40}",
    ) {
        let out = text(&nick, &avatar, &said);
        let body = text_body(&out).unwrap();
        let (head, mini) = as_mini_reads(&body);
        prop_assert_eq!(head["data"]["nickName"].as_str(), Some(nick.as_str()));
        prop_assert_eq!(&mini, &said);
        prop_assert_eq!(read_group(&body), GroupChat::Text(out));
    }
}
