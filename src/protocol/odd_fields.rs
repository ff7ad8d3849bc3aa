//! Every documented list with one field of one entry made odd in every way that the field knows:
//! all other entries arrive, and of the odd one all other fields.

use serde_json::{Value, json};

use super::answer::{Answer, Audiences, Room, RoomList};
use super::webim::{self, BigGroupPolled, LongPolled, PendingC2c, Portraits};

/// Stands for the odd value until the answer is text.
const MARK: &str = "@the odd value@";

/// Values as other programs write them, in place of any other.
fn odd_values() -> Vec<Vec<u8>> {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let texts = [
        r#""Anna \ud83d""#,
        r#""\udc00""#,
        r#""\u12 \x""#,
        "\"a\u{1b}[2J\tb\nc\"",
        "10086",
        "-1",
        "1e999",
        "007",
        "NaN",
        "true",
        "null",
        r#""""#,
        "{}",
        r#"{"a":{"b":[1]}}"#,
        "[]",
        r#"["x"]"#,
        &deep,
    ];
    let mut values: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    values.push(b"\"caf\xe9\"".to_vec());
    values.push(b"\"\xff\xfe\"".to_vec());
    values
}

/// The places of all fields of the entries of a list, also in what is inside of them.
fn places(list: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    match list {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}/{key}");
                found.extend(places(value, &at));
                found.push(at);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                found.extend(places(item, &format!("{at}/{index}")));
            }
        }
        _ => {}
    }
    found
}

/// The bytes of `answer` with the field at `place` odd in each way, or not there at all.
fn each_odd(answer: &Value, place: &str, mut check: impl FnMut(&[u8])) {
    let mut marked = answer.clone();
    *marked.pointer_mut(place).unwrap() = MARK.into();
    let text = marked.to_string();
    let (before, after) = text.split_once(&format!("\"{MARK}\"")).unwrap();
    for value in odd_values() {
        check(&[before.as_bytes(), &value, after.as_bytes()].concat());
    }
    let (parent, key) = place.rsplit_once('/').unwrap();
    let mut without = answer.clone();
    let parent = without.pointer_mut(parent).unwrap();
    parent.as_object_mut().unwrap().remove(key);
    check(without.to_string().as_bytes());
}

/// Entries of which every other arrives as it is, and the odd one unless it lost one of `ids`,
/// without which it means nothing. An odd field beside the list costs no entry at all.
fn others_arrive<T: PartialEq + std::fmt::Debug>(
    answer: &Value,
    list: &str,
    ids: &[&str],
    read: impl Fn(&[u8]) -> Vec<T>,
) {
    let whole = read(answer.to_string().as_bytes());
    assert_eq!(
        whole.len(),
        answer[list].as_array().unwrap().len(),
        "{list}"
    );
    for place in places(&answer[list], &format!("/{list}")) {
        let index: usize = place.split('/').nth(2).unwrap().parse().unwrap();
        let may_cost_it = ids.contains(&place.split('/').nth(3).unwrap());
        each_odd(answer, &place, |bytes| {
            let read = read(bytes);
            let lost = read.len() < whole.len();
            let others = read.iter().enumerate();
            let others = others.filter(|(at, _)| lost || *at != index);
            let wanted = whole.iter().enumerate().filter(|(at, _)| *at != index);
            let arrived = others
                .map(|(_, entry)| entry)
                .eq(wanted.map(|(_, entry)| entry));
            let shown = String::from_utf8_lossy(bytes);
            assert!(arrived && (may_cost_it || !lost), "{place}: {shown}");
        });
    }
    let envelope = [list, "code", "ActionStatus"];
    let beside = answer.as_object().unwrap().keys();
    for key in beside.filter(|key| !envelope.contains(&key.as_str())) {
        each_odd(answer, &format!("/{key}"), |bytes| {
            let shown = String::from_utf8_lossy(bytes);
            assert!(read(bytes) == whole, "{key}: {shown}");
        });
    }
}

fn pushers() -> Value {
    json!([
        { "userID": "a", "userName": "Anna", "userAvatar": "", "accelerateURL": "rtmp://h/l/a?x=1" },
        { "userID": "b", "userName": "柜员", "userAvatar": "http://h/b.png",
          "accelerateURL": "rtmp://h/l/b?x=1", "timestamp": 1_700_000_000 },
        { "userID": "c", "userName": "😀", "userAvatar": "", "accelerateURL": "" },
    ])
}

fn answer<A: Answer>(bytes: &[u8]) -> A {
    let text = String::from_utf8_lossy(bytes);
    super::answer::parse(200, bytes).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn members_of_a_room() {
    let room = json!({ "code": 0, "message": "", "roomID": "r", "roomInfo": "", "custom": "{}",
        "roomCreator": "a", "mixedPlayURL": "", "pushers": pushers() });
    others_arrive(&room, "pushers", &["userID"], |bytes| {
        answer::<Room>(bytes).pushers
    });
}

#[test]
fn rooms_of_a_list_and_viewers_of_a_live_room() {
    let room = |id: &str| {
        json!({ "roomID": id, "roomInfo": "info", "roomCreator": "a", "mixedPlayURL": "",
            "custom": "{}", "audienceCount": 3, "pushers": pushers() })
    };
    let list = json!({ "code": 0, "message": "", "rooms": [room("r1"), room("r2"), room("r3")] });
    others_arrive(&list, "rooms", &["roomID"], |bytes| {
        answer::<RoomList>(bytes).rooms
    });
    let viewers = json!({ "code": 0, "message": "", "audienceCount": 2, "audiences": [
        { "userID": "a", "userInfo": "{\"userName\":\"A\"}" }, { "userID": "b", "userInfo": "" }] });
    others_arrive(&viewers, "audiences", &["userID"], |bytes| {
        answer::<Audiences>(bytes).audiences
    });
}

fn im<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    let text = String::from_utf8_lossy(bytes);
    webim::parse(bytes).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn ok(fields: &Value) -> Value {
    let mut all = json!({ "ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "" });
    let fields: Vec<_> = fields.as_object().unwrap().clone().into_iter().collect();
    all.as_object_mut().unwrap().extend(fields);
    all
}

fn chat(seq: u64) -> Value {
    json!({ "Event": 3, "From_Account": "a", "ToGroupId": "r", "MsgSeq": seq, "MsgRandom": 7,
        "MsgTimeStamp": 1_700_000_000, "MsgPriority": 2, "IsPlaceMsg": 0,
        "GroupInfo": { "GroupName": "g", "From_AccountNick": "Anna" },
        "MsgBody": [
            { "MsgType": "TIMCustomElem", "MsgContent": { "Data": "{}", "Desc": "", "Ext": "" } },
            { "MsgType": "TIMTextElem", "MsgContent": { "Text": "柜员" } }] })
}

#[test]
fn messages_of_a_group() {
    let tip = json!({ "Event": 4, "From_Account": "a", "ToGroupId": "r", "MsgSeq": 2, "MsgRandom": 7,
        "MsgTimeStamp": 1, "GroupInfo": { "GroupName": "g" }, "MsgBody": { "OpType": 1,
        "Operator_Account": "a", "List_Account": ["a", "b"], "MemberNum": 2 } });
    let system = json!({ "Event": 5, "From_Account": "@TIM#SYSTEM", "ToGroupId": "r", "MsgSeq": 3,
        "MsgRandom": 7, "MsgTimeStamp": 1, "GroupInfo": { "GroupName": "g", "To_Account": "" },
        "MsgBody": { "ReportType": 255, "Operator_Account": "x", "UserDefinedField": "{}" } });
    let polled = ok(&json!({ "NextSeq": 5, "HoldTime": 0, "Key": "k",
        "RspMsgList": [chat(1), tip, system, chat(4)] }));
    // An entry without these means nothing, or another thing.
    let ids = ["Event", "From_Account", "IsPlaceMsg", "MsgBody"];
    others_arrive(&polled, "RspMsgList", &ids, |bytes| {
        webim::messages(&im::<BigGroupPolled>(bytes).rsp_msg_list)
    });
}

#[test]
fn messages_between_users_and_their_profiles() {
    let message = |seq: u64| {
        json!({ "From_Account": "a", "To_Account": "b", "MsgSeq": seq, "MsgRandom": 1,
            "MsgTimeStamp": 2, "NoticeSeq": 3, "MsgBody": chat(1)["MsgBody"] })
    };
    let read = |list: &[Value]| -> Vec<_> {
        list.iter()
            .filter_map(webim::C2cMessage::from_json)
            .collect()
    };
    let ids = ["From_Account", "MsgBody"];
    let fetched = ok(&json!({ "Cookie": "c", "SyncFlag": 2, "EventArray": [],
        "MsgList": [message(1), message(2), message(3)] }));
    others_arrive(&fetched, "MsgList", &ids, |bytes| {
        read(&im::<PendingC2c>(bytes).msg_list)
    });
    let events = ok(&json!({ "EventArray": [
        { "Event": 9, "C2cMsgArray": [message(1), message(2)] },
        { "Event": 3, "GroupMsgArray": [chat(1), chat(2)] },
        { "Event": 1, "NotifySeq": 7 }] }));
    others_arrive(&events, "EventArray", &[], |bytes| {
        webim::poll_events(&im::<LongPolled>(bytes).event_array)
    });
    let portrait = |id: &str| {
        json!({ "To_Account": id, "ResultCode": 0, "ResultInfo": "",
            "ProfileItem": [{ "Tag": "Tag_Profile_IM_Nick", "Value": "Anna" }] })
    };
    let portraits = ok(&json!({ "UserProfileItem": [portrait("a"), portrait("b")] }));
    others_arrive(&portraits, "UserProfileItem", &[], |bytes| {
        im::<Portraits>(bytes).user_profile_item
    });
}
