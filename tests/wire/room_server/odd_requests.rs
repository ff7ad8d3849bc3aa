//! Requests as clients of Tencent's Node server may write them: what that one takes is taken.

use encoding_rs::GBK;
use rtckiosk::protocol::{RoomType, Verb};
use serde_json::json;

use super::peer::{JSON, Server};

#[tokio::test]
async fn requests_that_are_not_quite_json_are_taken() {
    let server = Server::start().await;
    let user = server.login(RoomType::Multi, "u").await;
    let url = user.call(Verb::GetPushUrl, json!({"userID":"u"})).await;
    let url = url["pushURL"].as_str().unwrap();
    let body = |name: &str| {
        format!(
            r#"{{"roomID":"r","userID":"u","userName":{name},"userAvatar":"","pushURL":"{url}"}}"#
        )
    };
    let plain = body("\"\u{67dc}\u{5458}\"");
    for (what, body, name) in [
        ("plain", plain.clone().into_bytes(), "\u{67dc}\u{5458}"),
        (
            "half an emoji",
            body(r#""Anna \ud83d""#).into(),
            "Anna \u{fffd}",
        ),
        ("a number", body("10086").into(), "10086"),
        (
            "a mark",
            format!("\u{feff}{plain}").into(),
            "\u{67dc}\u{5458}",
        ),
        ("GBK", GBK.encode(&plain).0.into_owned(), "\u{67dc}\u{5458}"),
        ("an escape", body("\"An\u{1b}[2Jna\"").into(), "An[2Jna"),
    ] {
        let target = user.target(Verb::AddPusher);
        let reply = server.post(&target, JSON, &body).await.json();
        assert_eq!(reply["code"], 0, "{what}: {reply}");
        let seen = user.call(Verb::GetPushers, json!({"roomID":"r"})).await;
        assert_eq!(seen["pushers"][0]["userName"], name, "{what}: {seen}");
        let left = user
            .code(Verb::DeletePusher, json!({"roomID":"r","userID":"u"}))
            .await;
        assert_eq!(left, 0, "{what}");
    }
    server.stop().await;
}
