//! The rooms of the server itself: their groups, and what members are told.

use rtckiosk::protocol::{RoomType, Verb};
use serde_json::json;

use super::peer::{Client, JOIN, server};

const CHANGED: &str = r#"system 255 {"cmd":"notifyPusherChange","data":""}"#;
const DISSOLVED: &str = "system 5";

#[tokio::test]
async fn members_learn_of_every_change_and_of_the_end() {
    let (server, key) = server(|_| {}).await;
    let host = server.login(RoomType::Double, "host").await;
    let guest = server.login(RoomType::Double, "guest").await;
    let watcher = Client::login(&server, &key, "watcher").await;
    assert_eq!(watcher.code(JOIN, json!({"GroupId": "r"})).await, 10010);
    let created = json!({"userID": "host", "roomInfo": "", "roomID": "r"});
    assert_eq!(host.code(Verb::CreateRoom, created).await, 0);
    // The group is there as soon as the room is.
    let mut reader = watcher.join("r").await;
    host.enter("r").await;
    let answer = reader.poll().await;
    let message = &answer["RspMsgList"][0];
    assert_eq!(
        *message,
        json!({"Event": 5, "From_Account": "@TIM#SYSTEM", "ToGroupId": "r", "MsgSeq": 1,
               "MsgRandom": message["MsgRandom"], "MsgTimeStamp": message["MsgTimeStamp"],
               "GroupInfo": {"GroupName": "group_name", "To_Account": "watcher"},
               "MsgBody": {"ReportType": 255, "Operator_Account": "admin",
                   "UserDefinedField": "{\"cmd\":\"notifyPusherChange\",\"data\":\"\"}"}})
    );
    guest.enter("r").await;
    assert_eq!(reader.read().await, [CHANGED]);
    // A new stream of who is in already.
    guest.enter("r").await;
    assert_eq!(reader.read().await, [CHANGED]);
    // A sign of life is no change.
    assert_eq!(guest.code(Verb::PusherHeartbeat, guest.of("r")).await, 0);
    assert_eq!(guest.code(Verb::DeletePusher, guest.of("r")).await, 0);
    assert_eq!(reader.read().await, [CHANGED]);
    assert_eq!(host.code(Verb::DeletePusher, host.of("r")).await, 0);
    assert_eq!(reader.read().await, [DISSOLVED]);
    assert_eq!(watcher.code(JOIN, json!({"GroupId": "r"})).await, 10010);
    // The reader may go on asking: it is held and gets nothing.
    assert_eq!(reader.read().await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn a_destroyed_room_and_one_that_nobody_enters_are_dissolved_too() {
    let (server, key) = server(|settings| {
        settings.sweep = std::time::Duration::from_millis(100);
        settings.rules.idle_timeout = std::time::Duration::from_millis(500);
    })
    .await;
    let host = server.login(RoomType::Multi, "host").await;
    let watcher = Client::login(&server, &key, "watcher").await;
    host.enter("r").await;
    let mut reader = watcher.join("r").await;
    assert_eq!(host.code(Verb::DestroyRoom, host.of("r")).await, 0);
    assert_eq!(reader.read().await, [DISSOLVED]);
    let created = json!({"userID": "host", "roomInfo": "", "roomID": "unused"});
    assert_eq!(host.code(Verb::CreateRoom, created).await, 0);
    let mut reader = watcher.join("unused").await;
    assert_eq!(reader.read().await, [DISSOLVED]);
    server.stop().await;
}

#[tokio::test]
async fn two_rooms_of_one_id_share_a_group_that_outlives_the_first() {
    let (server, key) = server(|_| {}).await;
    let double = server.login(RoomType::Double, "alice").await;
    double.enter("r").await;
    let multi = server.login(RoomType::Multi, "bob").await;
    multi.enter("r").await;
    let watcher = Client::login(&server, &key, "watcher").await;
    let mut reader = watcher.join("r").await;
    assert_eq!(double.code(Verb::DeletePusher, double.of("r")).await, 0);
    let bob = Client::login(&server, &key, "bob").await;
    let mut bobs = bob.join("r").await;
    assert_eq!(bob.say("r", "anybody here?").await, 0);
    assert_eq!(bobs.read().await, ["bob: anybody here?"]);
    assert_eq!(multi.code(Verb::DeletePusher, multi.of("r")).await, 0);
    assert_eq!(reader.read().await, [DISSOLVED]);
    server.stop().await;
}

#[tokio::test]
async fn a_room_made_again_at_once_has_a_group_of_its_own() {
    let (server, key) = server(|settings| {
        let many = std::num::NonZeroU32::new(10_000).unwrap();
        for rate in [
            &mut settings.http.per_user,
            &mut settings.http.per_address,
            &mut settings.im.per_user,
        ] {
            (rate.per_second, rate.burst) = (many, many);
        }
    })
    .await;
    let host = server.login(RoomType::Double, "host").await;
    let watcher = Client::login(&server, &key, "watcher").await;
    for _ in 0..50 {
        host.enter("r").await;
        let mut reader = watcher.join("r").await;
        assert_eq!(host.code(Verb::DeletePusher, host.of("r")).await, 0);
        assert_eq!(reader.read().await, [DISSOLVED]);
    }
    server.stop().await;
}

#[tokio::test]
async fn texts_of_a_call_are_its_members_from_when_they_came() {
    let (server, key) = server(|_| {}).await;
    let history = |id: &str| json!({"GroupId": id, "ReqMsgSeq": 99, "ReqMsgNumber": 50});
    const HISTORY: &str = "v4/group_open_http_svc/group_msg_get";
    let host = server.login(RoomType::Double, "host").await;
    host.enter("r").await;
    let hosts = Client::login(&server, &key, "host").await;
    let mut heard = hosts.join("r").await;
    // Would-be members hear that something changed, and nothing of what is said.
    let eve = Client::login(&server, &key, "eve").await;
    let mut eves = eve.join("r").await;
    let guests = Client::login(&server, &key, "guest").await;
    let mut late = guests.join("r").await;
    assert_eq!(hosts.say("r", "before you came").await, 0);
    assert_eq!(eve.say("r", "let me in").await, 10007);
    let guest = server.login(RoomType::Double, "guest").await;
    guest.enter("r").await;
    assert_eq!(hosts.say("r", "welcome").await, 0);
    assert_eq!(guests.say("r", "hello").await, 0);
    let texts = ["host: welcome", "guest: hello"];
    assert_eq!(late.read().await, [&[CHANGED], &texts[..]].concat());
    assert_eq!(
        heard.read().await,
        [&["host: before you came", CHANGED], &texts[..]].concat()
    );
    assert_eq!(eves.read().await, [CHANGED]);
    let seen = eve.call(HISTORY, history("r")).await;
    assert!(!seen.to_string().contains("hello"), "{seen}");
    // Who has left is a stranger again.
    assert_eq!(guest.code(Verb::DeletePusher, guest.of("r")).await, 0);
    assert_eq!(hosts.say("r", "among us").await, 0);
    assert_eq!(guests.say("r", "still here").await, 10007);
    assert_eq!(late.read().await, [CHANGED]);
    // One waits before one room at a time.
    let other = server.login(RoomType::Double, "other").await;
    other.enter("s").await;
    eve.join("s").await;
    assert_eq!(eves.poll().await["ErrorCode"], 10007);
    // Nobody reads without a login.
    let nobody = Client::nobody(&server);
    let join = "v1/group_open_http_noauth_svc/apply_join_group";
    assert_eq!(nobody.code(join, json!({"GroupId": "r"})).await, 10007);
    server.stop().await;
}
