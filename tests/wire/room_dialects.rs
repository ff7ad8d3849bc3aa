//! The exact bytes in which Node and Java differ, beside those of `room_client` and `im_client`:
//! both must lead to the same step.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::sync::Mutex;

use rtckiosk::protocol::RoomType;
use rtckiosk::room::{ClientSettings, ErrorClass, Identity, RoomClient, RoomError};

use crate::played::{Played, Reply};

fn me() -> Identity {
    Identity {
        user_id: "kiosk".into(),
        token: "t".to_owned().into(),
        messages_here: false,
        calls: false,
        renews: false,
    }
}

/// Asks a server that has one answer.
async fn ask<T>(reply: Reply, request: impl AsyncFnOnce(RoomClient) -> T) -> (T, Vec<String>) {
    let left = Mutex::new(Some(reply));
    let server = Played::start(move |_| left.lock().unwrap().take().unwrap_or(Reply::HangUp)).await;
    let client = RoomClient::new(&ClientSettings::new(server.url(), RoomType::Double)).unwrap();
    let result = request(client).await;
    let targets = server
        .seen()
        .iter()
        .map(|seen| seen.target.clone())
        .collect();
    (result, targets)
}

fn class<T: std::fmt::Debug>(result: &Result<T, RoomError>) -> ErrorClass {
    result.as_ref().unwrap_err().class()
}

const JAVA_500: &str =
    "<html><head><title>Apache Tomcat/8.5.5 - Error report</title></head></html>";

#[tokio::test]
async fn creating_a_room_whose_group_fails_is_tried_again() {
    let create = async |client: RoomClient| client.create_room(&me(), "r", "i").await;
    for reply in [
        // Both: the message service answered nothing.
        Reply::json(r#"{"code":6,"message":"创建群失败"}"#),
        // Node: it could not be reached; it answered another status than 200.
        Reply::json(r#"{"code":-1,"error":"connect ECONNREFUSED 127.0.0.1:443"}"#),
        Reply::status(500, "Internal Server Error"),
        // Java.
        Reply::status(500, JAVA_500),
    ] {
        let (result, _) = ask(reply.clone(), create).await;
        assert_eq!(class(&result), ErrorClass::Retry, "{reply:?}");
    }
    // The limit of roomInfo: Node 10; Java says 11, as for a room that exists.
    let node = Reply::json(r#"{"code":10,"message":"房间信息超过1024字节","roomID":null}"#);
    let (result, _) = ask(node, create).await;
    assert_eq!(class(&result), ErrorClass::Fatal);
}

#[tokio::test]
async fn missing_parameters_are_our_bug_on_both() {
    for code in [1, 2] {
        let body = format!(r#"{{"code":{code},"message":"请求失败，缺少参数"}}"#);
        let enter = async |client: RoomClient| client.get_push_url(&me(), "r").await;
        let (result, _) = ask(Reply::json(body.clone()), enter).await;
        assert_eq!(class(&result), ErrorClass::Fatal, "{body}");
        let beat = async |client: RoomClient| client.heartbeat(&me(), "r").await;
        let (result, _) = ask(Reply::json(body.clone()), beat).await;
        assert_eq!(class(&result), ErrorClass::Fatal, "{body}");
    }
}

#[tokio::test]
async fn a_room_that_nobody_entered_is_missing_or_empty() {
    let look = async |client: RoomClient| client.get_pushers(&me(), "r").await;
    let node = r#"{"code":3,"message":"房间不存在"}"#;
    let (result, _) = ask(Reply::json(node), look).await;
    assert_eq!(class(&result), ErrorClass::RoomGone);
    let java = r#"{"code":0,"message":"请求成功","roomID":"r","roomInfo":"i","roomCreator":"","mixedPlayURL":"","pushers":[]}"#;
    let (result, _) = ask(Reply::json(java), look).await;
    assert_eq!(result.unwrap().pushers.len(), 0);
}

#[tokio::test]
async fn lists_differ_in_what_they_add() {
    let list = async |client: RoomClient| client.get_room_list(&me()).await;
    let node = r#"{"code":0,"message":"请求成功","rooms":[{"roomID":"r","roomInfo":"i","roomCreator":"a","mixedPlayURL":"https://p/live/s.flv","custom":"{}","audienceCount":0,"pushers":[{"userID":"a","userName":"A","userAvatar":"","accelerateURL":"rtmp://p/live/s"}]}]}"#;
    let java = r#"{"code":0,"message":"请求成功","rooms":[{"code":0,"message":"","roomID":"r","roomInfo":"i","roomCreator":"a","mixedPlayURL":"http://p/live/s.flv","pushers":[{"code":0,"message":"","userID":"a","userName":"A","userAvatar":"","accelerateURL":"rtmp://p/live/s"}]}]}"#;
    for body in [node, java] {
        let (rooms, _) = ask(Reply::json(body), list).await;
        let rooms = rooms.unwrap();
        assert_eq!(rooms[0].pushers[0].accelerate_url, "rtmp://p/live/s");
    }
    // Java names every field of a refusal, with nothing in it.
    let refused = r#"{"code":7,"message":"错误码:7","rooms":null}"#;
    let (result, _) = ask(Reply::json(refused), list).await;
    assert_eq!(class(&result), ErrorClass::LoginAgain);
}

#[tokio::test]
async fn entering_an_existing_room_names_it_or_not() {
    let request = || rtckiosk::protocol::request::AddPusher {
        room_id: "r".into(),
        room_info: String::new(),
        user_id: String::new(),
        user_name: "K".into(),
        user_avatar: String::new(),
        push_url: "rtmp://h/live/1_k?x".into(),
    };
    let add = async |client: RoomClient| client.add_pusher(&me(), &request()).await;
    for body in [
        r#"{"code":0,"message":"请求成功"}"#,
        r#"{"code":0,"message":"请求成功","roomID":""}"#,
        r#"{"code":0,"message":"请求成功","roomID":"r"}"#,
    ] {
        let (result, targets) = ask(Reply::json(body), add).await;
        result.unwrap();
        assert_eq!(targets.len(), 1);
    }
}

#[tokio::test]
async fn a_slash_in_a_query_is_escaped_for_node() {
    let who = Identity {
        user_id: "a/b".into(),
        token: "t/+*=".to_owned().into(),
        messages_here: false,
        calls: false,
        renews: false,
    };
    let beat = async |client: RoomClient| client.heartbeat(&who, "r").await;
    let (_, targets) = ask(Reply::json(r#"{"code":0,"message":""}"#), beat).await;
    let query = targets[0].split_once('?').unwrap().1;
    assert!(!query.contains('/'), "{query}");
    assert!(query.contains("a%2Fb"), "{query}");
}
