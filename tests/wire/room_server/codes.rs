//! The codes of refusals: identity, tokens, missing and wrong parameters, wrong paths.

use rtckiosk::protocol::user_sig::{self, Claims, Form, SigningKey};
use rtckiosk::protocol::{RoomType, Verb};
use serde_json::{Value, json};

use super::peer::{JSON, Server};

/// A whole body of every verb that has one, by `me` in room `r`.
fn bodies(me: &str) -> Vec<(Verb, Value)> {
    let of_room = json!({"roomID":"r","userID":me});
    vec![
        (Verb::GetPushUrl, json!({"userID":me})),
        (Verb::GetRoomList, json!({"index":0,"cnt":1})),
        (Verb::GetPushers, json!({"roomID":"r"})),
        (Verb::CreateRoom, json!({"userID":me,"roomInfo":""})),
        (Verb::DestroyRoom, of_room.clone()),
        (
            Verb::AddPusher,
            json!({"roomID":"r","userID":me,"userName":"","userAvatar":"",
                   "pushURL":"rtmp://h/live/s"}),
        ),
        (Verb::DeletePusher, of_room.clone()),
        (Verb::PusherHeartbeat, of_room.clone()),
        (
            Verb::MergeStream,
            json!({"roomID":"r","userID":me,"mergeParams":{}}),
        ),
        (Verb::GetCustomInfo, json!({"roomID":"r"})),
        (
            Verb::SetCustomField,
            json!({"roomID":"r","fieldName":"f","operation":"inc"}),
        ),
        (
            Verb::AddAudience,
            json!({"roomID":"r","userID":me,"userInfo":""}),
        ),
        (Verb::DeleteAudience, of_room),
        (Verb::GetAudiences, json!({"roomID":"r"})),
    ]
}

#[tokio::test]
async fn nobody_acts_for_somebody_else() {
    let server = Server::start().await;
    let mallory = server.login(RoomType::Live, "mallory").await;
    for (verb, body) in bodies("alice") {
        if body.get("userID").is_some() {
            assert_eq!(mallory.code(verb, body).await, 7, "{verb}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn every_key_is_required_and_has_its_type() {
    let server = Server::with(|settings| {
        let often = std::num::NonZeroU32::new(1000).unwrap();
        settings.http.per_user.burst = often;
    })
    .await;
    let user = server.login(RoomType::Live, "u").await;
    for (verb, body) in bodies("u") {
        for key in body.as_object().unwrap().keys() {
            let mut without = body.clone();
            without.as_object_mut().unwrap().remove(key);
            assert_eq!(user.code(verb, without).await, 1, "{verb} without {key}");
            let mut null = body.clone();
            null[key] = Value::Null;
            assert_eq!(user.code(verb, null).await, 1, "{verb} with {key} null");
            // An object stands for the text that it would be; no number can be made of it.
            let expected = match key.as_str() {
                "userID" => 7,
                _ if body[key].is_number() => -1,
                _ => continue,
            };
            let mut wrong = body.clone();
            wrong[key] = json!({"a":[1]});
            assert_eq!(
                user.code(verb, wrong).await,
                expected,
                "{verb} with {key} wrong"
            );
        }
        let unknown_key = {
            let mut body = body.clone();
            body["extra"] = json!(1);
            user.code(verb, body).await
        };
        assert!([0, 3, 5].contains(&unknown_key), "{verb}: {unknown_key}");
    }
    let bad = json!({"roomID":"r","userID":"u","mergeParams":"{"});
    assert_eq!(user.code(Verb::MergeStream, bad).await, 10);
    let long = json!({"userID":"u","roomInfo":"ä".repeat(513)});
    assert_eq!(user.code(Verb::CreateRoom, long).await, 10);
    let mut long = user.joining("r", "rtmp://h/live/s");
    long["userName"] = "x".repeat(257).into();
    assert_eq!(user.code(Verb::AddPusher, long).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn tokens_end_with_logout_expiry_and_the_next_login() {
    let server = Server::with(|settings| {
        settings.auth.token_life = std::time::Duration::from_secs(2);
    })
    .await;
    let list = json!({"index":0,"cnt":1});
    let first = server.login(RoomType::Double, "alice").await;
    assert_eq!(first.code(Verb::GetRoomList, list.clone()).await, 0);
    // One token serves all room types, and there is one per user.
    let target = first.target(Verb::GetRoomList).replace("double", "multi");
    assert_eq!(server.post_json(&target, &list).await["code"], 0);
    let second = server.login(RoomType::Live, "alice").await;
    assert_eq!(first.code(Verb::GetRoomList, list.clone()).await, 7);
    assert_eq!(second.code(Verb::GetRoomList, list.clone()).await, 0);
    assert_eq!(second.code(Verb::Logout, json!({})).await, 0);
    assert_eq!(second.code(Verb::GetRoomList, list.clone()).await, 7);
    assert_eq!(second.code(Verb::Logout, json!({})).await, 7);

    let third = server.login(RoomType::Live, "alice").await;
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(third.code(Verb::GetRoomList, list.clone()).await, 7);
    for query in ["", "?userID=alice", "?token=x", "?userID=alice&token="] {
        let target = format!("/weapp/double_room/get_room_list{query}");
        assert_eq!(server.post_json(&target, &list).await["code"], 7, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn login_needs_a_valid_signature() {
    let key = || SigningKey::p256_from_bytes(&[9; 32]).unwrap();
    let server = Server::with(|settings| {
        settings.auth.verifying_key = key().verifying_key();
        settings.auth.access = rtckiosk::config::server::Access::Locked;
    })
    .await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let sign = |key: &SigningKey, form, time| {
        let claims = Claims {
            sdk_app_id: 1_400_000_001,
            account_type: "1".into(),
            identifier: "alice".into(),
            time,
            expire_after: 60,
        };
        user_sig::make(key, &claims, form).unwrap()
    };
    let login = async |app: &str, user: &str, sig: &str| {
        let target = format!(
            "/weapp/double_room/login?sdkAppID={app}&accountType=1&userID={user}&userSig={sig}"
        );
        server.post_json(&target, &json!({})).await
    };
    let (app, good) = ("1400000001", sign(&key(), Form::Node, now));
    assert_eq!(login(app, "alice", &good).await["code"], 0);
    let java = sign(&key(), Form::Java, now);
    assert_eq!(login(app, "alice", &java).await["code"], 0);
    let other_key = SigningKey::p256_from_bytes(&[8; 32]).unwrap();
    for (app, user, sig) in [
        (app, "bob", good.as_str()),
        ("1400000002", "alice", &good),
        ("app", "alice", &good),
        (app, "alice", &sign(&key(), Form::Node, now - 61)),
        (app, "alice", &sign(&key(), Form::Node, now + 86_400)),
        (app, "alice", &sign(&other_key, Form::Node, now)),
        (app, "alice", "garbage"),
        (app, "alice", "eJx"),
        (app, "alice", "%00%ff"),
    ] {
        let answer = login(app, user, sig).await;
        assert_eq!(answer["code"], 7, "{app} {user} {sig}");
        assert!(answer.get("token").is_none());
    }
    for missing in ["", "sdkAppID=1400000001&accountType=1&userID=alice"] {
        let target = format!("/weapp/double_room/login?{missing}");
        let answer = server.post_json(&target, &json!({})).await;
        assert_eq!(answer["code"], 7);
        assert!(answer.get("result").is_some(), "{answer}");
    }
    // This server signs for nobody.
    for path in ["get_login_info", "get_test_pushurl", "get_test_rtmpaccurl"] {
        let answer = server.get(&format!("/weapp/utils/{path}")).await.json();
        assert_eq!(answer["code"], 7, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_paths_and_methods_are_no_success() {
    let server = Server::start().await;
    for path in [
        "/",
        "/weapp/double_room",
        "/weapp/double_room/",
        "/weapp/double_room/merge_stream",
        "/weapp/multi_room/get_audiences",
        "/weapp/rtc_room/login",
        "/weapp/utils/report",
        "/weapp/utils/getlogfile",
    ] {
        let reply = server.post(path, JSON, b"{}").await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["code"], -1);
    }
    for verb in Verb::ALL {
        let kind = RoomType::ALL
            .into_iter()
            .find(|kind| verb.exists_for(*kind));
        let path = format!("/weapp/{}/{verb}", kind.unwrap());
        let reply = server.get(&path).await;
        assert_eq!(reply.status, 405, "{path}");
        assert_eq!(reply.header("allow"), Some("post"));
    }
    let reply = server
        .post("/weapp/utils/get_login_info", JSON, b"{}")
        .await;
    assert_eq!(reply.status, 405);
    server.stop().await;
}
