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
    assert_eq!(watcher.say("r", "anybody here?").await, 0);
    assert_eq!(reader.read().await, ["watcher: anybody here?"]);
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
