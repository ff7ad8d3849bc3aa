//! The conversations of the official clients, in their order and with their habits.

use rtckiosk::protocol::{RoomType, Verb, stream_url};
use serde_json::{Value, json};

use super::peer::{JSON, Server};

/// The mini-program: JSON bodies, `{}` at login, no roomID when it creates.
#[tokio::test]
async fn the_mini_program_makes_a_call() {
    let server = Server::start().await;
    let alice = server.login(RoomType::Double, "alice").await;
    let body = json!({"userID":"alice","roomInfo":"柜台三"});
    let created = alice.call(Verb::CreateRoom, body).await;
    assert_eq!(created["code"], 0);
    let room = created["roomID"].as_str().unwrap();
    assert!(room.starts_with("room_") && room.len() == 18, "{room}");
    assert_eq!(
        alice.code(Verb::GetPushers, json!({"roomID":room})).await,
        3
    );

    let pushed = alice.enter(room).await;
    let relay = format!("rtmp://{}:", server.addr.ip());
    assert!(pushed.starts_with(&relay), "{pushed}");
    let stream = stream_url::stream_id(&pushed);
    assert!(
        stream.starts_with("1000_alice_") && stream.len() == 15,
        "{stream}"
    );

    assert_eq!(alice.code(Verb::PusherHeartbeat, alice.of(room)).await, 0);
    let seen = alice.call(Verb::GetPushers, json!({"roomID":room})).await;
    assert_eq!(seen["roomInfo"], "柜台三");
    assert_eq!(seen["roomCreator"], "alice");
    assert_eq!(seen["custom"], "{}");
    let played = seen["pushers"][0]["accelerateURL"].as_str().unwrap();
    assert_eq!(stream_url::stream_id(played), stream);
    assert_eq!(seen["mixedPlayURL"], played);
    assert!(!seen.to_string().contains("pushURL"));

    let bob = server.login(RoomType::Double, "bob").await;
    let rooms = bob
        .call(Verb::GetRoomList, json!({"index":0,"cnt":20}))
        .await;
    assert_eq!(rooms["rooms"].as_array().unwrap().len(), 1);
    assert_eq!(rooms["rooms"][0]["roomID"], room);
    assert!(rooms["rooms"][0].get("audienceCount").is_none());
    bob.enter(room).await;
    assert_eq!(alice.members(room).await, ["alice", "bob"]);
    let carol = server.login(RoomType::Double, "carol").await;
    let stolen = carol.joining(room, &pushed);
    assert_eq!(carol.code(Verb::AddPusher, stolen).await, 1);
    let url = carol
        .call(Verb::GetPushUrl, json!({"userID":"carol"}))
        .await;
    let full = carol.joining(room, url["pushURL"].as_str().unwrap());
    assert_eq!(carol.code(Verb::AddPusher, full).await, 5001);
    let seen = carol.call(Verb::GetPushers, json!({"roomID":room})).await;
    assert_eq!(seen["code"], 5001);
    assert!(!seen.to_string().contains("rtmp"), "{seen}");

    assert_eq!(alice.code(Verb::DeletePusher, alice.of(room)).await, 0);
    assert_eq!(bob.members(room).await, ["bob"]);
    // Its heartbeat may fire once more, without a room.
    assert_eq!(alice.code(Verb::PusherHeartbeat, alice.of("")).await, 5);
    assert_eq!(bob.code(Verb::DeletePusher, bob.of(room)).await, 0);
    assert!(bob.members(room).await.is_empty());
    server.stop().await;
}

/// The Windows client: an empty body at login, nothing percent-encoded, no roomInfo when it
/// enters, and a pushURL with recording parameters.
#[tokio::test]
async fn the_windows_client_makes_a_call() {
    let server = Server::start().await;
    let charset = "Content-Type: application/json; charset=utf-8\r\n";
    let identity = server.identity("win-1").await;
    let target = format!("/weapp/multi_room/login?{identity}");
    let reply = server.post(&target, charset, b"").await;
    assert_eq!((reply.status, &reply.json()["code"]), (200, &json!(0)));
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let ask = async |verb: &str, body: Value| {
        let target = format!("/weapp/multi_room/{verb}?userID=win-1&token={token}");
        let body = body.to_string();
        server.post(&target, charset, body.as_bytes()).await.json()
    };
    let url = ask("get_push_url", json!({"userID":"win-1","roomID":""})).await;
    let url = url["pushURL"].as_str().unwrap();
    let room = json!({"userID":"win-1","roomID":"counter 3","roomInfo":"{\"a\":1}"});
    assert_eq!(
        ask("create_room", room.clone()).await["roomID"],
        "counter 3"
    );
    let again = ask("create_room", room).await;
    assert_eq!(
        (&again["code"], &again["roomID"]),
        (&json!(11), &json!("counter 3"))
    );
    let added = json!({"roomID":"counter 3","userID":"win-1","userName":"W","userAvatar":"",
                       "pushURL":format!("{url}&record=mp4&record_interval=7200")});
    assert_eq!(ask("add_pusher", added).await["code"], 0);
    let seen = ask("get_pushers", json!({"roomID":"counter 3"})).await;
    let played = seen["pushers"][0]["accelerateURL"].as_str().unwrap();
    assert_eq!(stream_url::stream_id(played), stream_url::stream_id(url));
    let of_room = json!({"roomID":"counter 3","userID":"win-1"});
    assert_eq!(ask("pusher_heartbeat", of_room.clone()).await["code"], 0);
    assert_eq!(ask("delete_pusher", of_room).await["code"], 0);
    let out = server
        .post(
            &format!("/weapp/multi_room/logout?userID=win-1&token={token}"),
            charset,
            b"",
        )
        .await;
    assert_eq!(out.json()["code"], 0);
    assert_eq!(
        ask("get_room_list", json!({"index":0,"cnt":1})).await["code"],
        7
    );
    server.stop().await;
}

/// A browser limited to forms sends everything as text.
#[tokio::test]
async fn forms_and_xml_labels_are_read() {
    let server = Server::start().await;
    let user = server.login(RoomType::Live, "web").await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let list = user.target(Verb::GetRoomList);
    let reply = server.post(&list, form, b"index=0&cnt=20").await.json();
    assert_eq!(reply["code"], 0, "{reply}");
    let reply = server
        .post(
            &user.target(Verb::MergeStream),
            form,
            b"roomID=r&userID=web&mergeParams=%7B%7D",
        )
        .await
        .json();
    assert_eq!(reply["code"], 0, "{reply}");
    assert_ne!(reply["result"]["code"], 0, "nothing was mixed");
    let xml = "Content-Type: text/xml\r\n";
    let reply = server.post(&list, xml, br#"{"index":0,"cnt":20}"#).await;
    assert_eq!(reply.json()["code"], 0);
    for headers in ["Content-Type: text/plain\r\n", ""] {
        let reply = server
            .post(&list, headers, br#"{"index":0,"cnt":20}"#)
            .await;
        assert_eq!(reply.json()["code"], 1, "ignored, so everything is missing");
    }
    let reply = server.post(&list, JSON, b"{\"index\":0,").await;
    assert_eq!((reply.status, &reply.json()["code"]), (200, &json!(-1)));
    assert!(reply.json()["error"].as_str().unwrap().contains("JSON"));
    server.stop().await;
}

#[tokio::test]
async fn live_rooms_have_counters_and_an_audience() {
    let server = Server::start().await;
    let host = server.login(RoomType::Live, "host").await;
    let fan = server.login(RoomType::Live, "fan").await;
    host.enter("show").await;
    let field = |operation: &str| json!({"roomID":"show","fieldName":"like","operation":operation});
    assert_eq!(
        fan.call(Verb::SetCustomField, field("inc")).await["custom"],
        r#"{"like":1}"#
    );
    fan.call(Verb::SetCustomField, field("inc")).await;
    assert_eq!(fan.code(Verb::SetCustomField, field("set")).await, 1);
    let info = fan
        .call(Verb::GetCustomInfo, json!({"roomID":"show"}))
        .await;
    assert_eq!(info["custom"], r#"{"like":2}"#);
    assert_eq!(
        fan.code(Verb::GetCustomInfo, json!({"roomID":"none"}))
            .await,
        3
    );

    let watch = json!({"roomID":"show","userID":"fan","userInfo":"{\"userName\":\"F\"}"});
    assert_eq!(fan.code(Verb::AddAudience, watch).await, 0);
    let seen = host
        .call(Verb::GetAudiences, json!({"roomID":"show"}))
        .await;
    assert_eq!(seen["audienceCount"], 1);
    assert_eq!(seen["audiences"][0]["userID"], "fan");
    let rooms = fan
        .call(Verb::GetRoomList, json!({"index":0,"cnt":9}))
        .await;
    assert_eq!(rooms["rooms"][0]["audienceCount"], 1);
    assert_eq!(rooms["rooms"][0]["custom"], r#"{"like":2}"#);
    assert_eq!(fan.code(Verb::DeleteAudience, fan.of("show")).await, 0);
    let seen = host
        .call(Verb::GetAudiences, json!({"roomID":"show"}))
        .await;
    assert_eq!(seen["audienceCount"], 0);

    fan.enter("show").await;
    assert_eq!(host.code(Verb::DeletePusher, host.of("show")).await, 0);
    assert!(
        fan.members("show").await.is_empty(),
        "the host took it along"
    );
    server.stop().await;
}

/// A push URL of somebody else's relay is taken; the play URL is ours.
#[tokio::test]
async fn foreign_push_urls_keep_their_stream_id() {
    let server = Server::start().await;
    let user = server.login(RoomType::Multi, "cam").await;
    let foreign = "rtmp://cdn.example.com/app/8525_cam_77c0?bizid=8525&txSecret=a/b&txTime=0";
    assert_eq!(
        user.code(Verb::AddPusher, user.joining("r", foreign)).await,
        0
    );
    let seen = user.call(Verb::GetPushers, json!({"roomID":"r"})).await;
    let played = seen["pushers"][0]["accelerateURL"].as_str().unwrap();
    assert_eq!(stream_url::stream_id(played), "8525_cam_77c0");
    assert!(played.starts_with("rtmp://127.0.0.1:"), "{played}");
    for nonsense in ["", "hello", "rtmp://h/live/?x"] {
        let body = user.joining("r", nonsense);
        assert_eq!(user.code(Verb::AddPusher, body).await, -1, "{nonsense}");
    }
    server.stop().await;
}

/// Holds that a server that listens on all addresses hands out the one by which it was reached.
#[tokio::test]
async fn stream_urls_name_the_host_that_the_client_used() {
    let server = Server::with(|settings| {
        if let rtckiosk::server::RelaySettings::Embedded { public_host, .. } = &mut settings.relay {
            *public_host = None;
        }
    })
    .await;
    let target = "/weapp/utils/get_test_pushurl";
    for (host, expected) in [
        ("kiosk-server.lan:5757", "rtmp://kiosk-server.lan:"),
        ("[fe80::1]:5757", "rtmp://[fe80::1]:"),
        ("a/../b", "rtmp://127.0.0.1:"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let urls = server.send(request.as_bytes()).await.json();
        for key in ["url_push", "url_play_rtmp", "url_play_acc"] {
            assert!(urls[key].as_str().unwrap().starts_with(expected), "{urls}");
        }
    }
    let acc = server.get("/weapp/utils/get_test_rtmpaccurl").await.json();
    assert!(
        acc["url_rtmpacc"]
            .as_str()
            .unwrap()
            .contains("/live/1000_testclock_rtmpacc?")
    );
    server.stop().await;
}
