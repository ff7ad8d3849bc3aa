//! The room client against exact bytes: what it sends, and that every answer that servers,
//! proxies and broken networks are known to give ends in a result or a named error in time.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::time::{Duration, Instant};

use rtckiosk::config::kiosk::UserCredentials;
use rtckiosk::protocol::RoomType;
use rtckiosk::protocol::answer::{CustomInfo, Done};
use rtckiosk::protocol::request::{AddPusher, GetCustomInfo, MergeStream, SetCustomField};
use rtckiosk::room::{
    ClientSettings, Created, ErrorClass, Identity, RoomClient, RoomError, TransportKind,
};
use serde_json::{Value, json};

use crate::played::{Played, Reply};

fn client(url: impl Into<String>, kind: RoomType) -> RoomClient {
    RoomClient::new(&ClientSettings::new(url, kind)).unwrap()
}

/// For answers that never come.
const IMPATIENT: Duration = Duration::from_millis(600);
/// Any exchange is over by then, also on a machine that is busy with other tests.
const IN_TIME: Duration = Duration::from_secs(8);

fn me() -> Identity {
    Identity {
        user_id: "al/ice".into(),
        token: "9f0c*53724e01*MTIzNDU=/+".to_owned().into(),
        messages_here: false,
        calls: false,
        renews: false,
    }
}

fn add_pusher() -> AddPusher {
    AddPusher {
        room_id: "r1".into(),
        room_info: "i".into(),
        user_id: String::new(),
        user_name: "Alice".into(),
        user_avatar: String::new(),
        push_url: "rtmp://h/live/8525_a?bizid=8525".into(),
    }
}

/// Answers every verb with success.
fn friendly(seen: &crate::played::Seen) -> Reply {
    let fields = match seen.verb() {
        "get_login_info" => {
            r#","userID":"u","sdkAppID":1400000001,"accType":"12345","userSig":"eJ*-_""#
        }
        "login" => r#","userID":"u","token":"t""#,
        "get_push_url" => r#","pushURL":"rtmp://h/live/s?x""#,
        "create_room" => r#","roomID":"r1""#,
        "get_room_list" => r#","rooms":[]"#,
        "get_pushers" => r#","roomID":"r1","pushers":[]"#,
        _ => "",
    };
    Reply::json(format!(r#"{{"code":0,"message":"ok"{fields}}}"#))
}

#[tokio::test]
async fn sends_exactly_the_documented_requests() {
    let server = Played::start(friendly).await;
    let client = client(format!("{}/double_room/", server.url()), RoomType::Double);
    let me = me();
    let who = client.get_login_info(Some("al/ice")).await.unwrap();
    client.get_login_info(None).await.unwrap();
    client.login(&who).await.unwrap();
    client.logout(&me).await.unwrap();
    client.get_push_url(&me, "r1").await.unwrap();
    client.get_room_list(&me).await.unwrap();
    client.get_pushers(&me, "r1").await.unwrap();
    let created = client.create_room(&me, "", "i").await.unwrap();
    assert_eq!(created, Created::New("r1".into()));
    client.destroy_room(&me, "r1").await.unwrap();
    client.add_pusher(&me, &add_pusher()).await.unwrap();
    client.delete_pusher(&me, "r1").await.unwrap();
    client.heartbeat(&me, "r1").await.unwrap();

    let who = "userID=al%2Fice&token=9f0c*53724e01*MTIzNDU%3D%2F%2B";
    let room = |verb: &str| format!("POST /weapp/double_room/{verb}?{who}");
    let member = json!({"roomID":"r1","userID":"al/ice"});
    let expected: Vec<(String, Value)> = vec![
        (
            "GET /weapp/utils/get_login_info?userID=al%2Fice".into(),
            Value::Null,
        ),
        ("GET /weapp/utils/get_login_info".into(), Value::Null),
        (
            "POST /weapp/double_room/login?sdkAppID=1400000001&accountType=12345&userID=u\
             &userSig=eJ*-_"
                .into(),
            json!({}),
        ),
        (room("logout"), json!({})),
        (room("get_push_url"), member.clone()),
        (room("get_room_list"), json!({"index":0,"cnt":20})),
        (room("get_pushers"), json!({"roomID":"r1"})),
        (
            room("create_room"),
            json!({"userID":"al/ice","roomInfo":"i","roomID":""}),
        ),
        (room("destroy_room"), member.clone()),
        (
            room("add_pusher"),
            json!({"roomID":"r1","roomInfo":"i","userID":"al/ice","userName":"Alice",
                   "userAvatar":"","pushURL":"rtmp://h/live/8525_a?bizid=8525"}),
        ),
        (room("delete_pusher"), member.clone()),
        (room("pusher_heartbeat"), member),
    ];
    let seen = server.seen();
    assert_eq!(seen.len(), expected.len());
    for (seen, (line, body)) in seen.iter().zip(expected) {
        assert_eq!(format!("{} {}", seen.method, seen.target), line);
        if body.is_null() {
            assert_eq!(seen.body, "", "{line}");
        } else {
            assert_eq!(seen.json(), body, "{line}");
            assert_eq!(seen.header("content-type"), Some("application/json"));
        }
        assert_eq!(seen.header("host"), Some(server.addr.to_string().as_str()));
        assert_eq!(seen.header("referer"), None);
    }
}

#[tokio::test]
async fn live_rooms_have_their_own_forms() {
    let server = Played::start(friendly).await;
    let client = client(server.url(), RoomType::Live);
    client.get_push_url(&me(), "r1").await.unwrap();
    let mix = MergeStream {
        room_id: "r1".into(),
        user_id: "al/ice".into(),
        merge_params: json!({"timestamp":1}),
    };
    let merged: Result<Done, _> = client.call(&me(), &mix).await;
    merged.unwrap();
    let seen = server.seen();
    assert!(seen[0].target.starts_with("/weapp/live_room/get_push_url?"));
    assert_eq!(seen[0].json(), json!({"userID":"al/ice"}));
    assert_eq!(
        seen[1].json(),
        json!({"roomID":"r1","userID":"al/ice","mergeParams":{"timestamp":1}})
    );
}

#[tokio::test]
async fn reads_the_room_list_page_by_page() {
    let rooms = |from: usize, to: usize| -> Vec<Value> {
        (from..to)
            .map(|n| json!({"roomID":format!("r{n}"),"pushers":[]}))
            .collect()
    };
    // The second page begins with the last room of the first, as when a room was closed.
    let server = Played::start(move |seen| {
        let page = match seen.json()["index"].as_u64().unwrap() {
            0 => rooms(0, 20),
            20 => rooms(19, 39),
            _ => rooms(39, 43),
        };
        Reply::json(json!({"code":0,"message":"","rooms":page}).to_string())
    })
    .await;
    let client = client(server.url(), RoomType::Multi);
    let listed = client.get_room_list(&me()).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|room| room.room_id.clone()).collect();
    let wanted: Vec<_> = (0..43).map(|n| format!("r{n}")).collect();
    assert_eq!(ids, wanted);
    assert_eq!(server.count("get_room_list"), 4);
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let page: Vec<_> = (0..20)
        .map(|n| json!({"roomID":n.to_string(),"pushers":[]}))
        .collect();
    let body = json!({"code":0,"message":"","rooms":page}).to_string();
    let server = Played::start(move |_| Reply::json(body.clone())).await;
    let listed = client(server.url(), RoomType::Double)
        .get_room_list(&me())
        .await
        .unwrap();
    assert_eq!((listed.len(), server.count("get_room_list")), (20, 2));
}

/// Plays `replies` in turn and returns what `ask` made of them.
async fn with_replies<T>(
    replies: Vec<Reply>,
    ask: impl AsyncFnOnce(RoomClient) -> T,
) -> (T, Vec<String>) {
    let left = std::sync::Mutex::new(replies.into_iter());
    let server = Played::start(move |_| left.lock().unwrap().next().unwrap_or(Reply::HangUp)).await;
    let result = ask(client(server.url(), RoomType::Double)).await;
    let verbs = server
        .seen()
        .iter()
        .map(|seen| seen.verb().to_owned())
        .collect();
    (result, verbs)
}

fn class<T: std::fmt::Debug>(result: &Result<T, RoomError>) -> ErrorClass {
    result.as_ref().unwrap_err().class()
}

#[tokio::test]
async fn node_and_java_quirks_of_login() {
    let credentials = || UserCredentials {
        sdk_app_id: 1,
        account_type: "1".into(),
        user_id: "u".into(),
        user_sig: "s".to_owned().into(),
    };
    let login = async |client: RoomClient| client.login(&credentials()).await;
    for refusal in [
        // Node: a userSig that is no base64. Java: a broken one. Both: a wrong one.
        r#"{"code":-1,"error":"incorrect header check"}"#,
        r#"{"code":4,"message":"签名校验出错","userID":"","token":""}"#,
        r#"{"code":7,"message":"鉴权失败","result":"x"}"#,
    ] {
        let (result, _) = with_replies(vec![Reply::json(refusal)], login).await;
        assert_eq!(class(&result), ErrorClass::LoginAgain, "{refusal}");
    }
    let empty = r#"{"code":0,"message":"","userID":"u","token":""}"#;
    let (result, _) = with_replies(vec![Reply::json(empty)], login).await;
    assert!(result.unwrap_err().to_string().contains("has no token"));

    // Java answers success with empty fields when it could not sign.
    let unsigned = r#"{"code":0,"message":"","userID":"","sdkAppID":0,"accType":"","userSig":""}"#;
    let info = async |client: RoomClient| client.get_login_info(None).await;
    let (result, _) = with_replies(vec![Reply::json(unsigned)], info).await;
    assert!(result.unwrap_err().to_string().contains("has no userID"));

    // Node: logout always fails.
    let never = r#"{"code":-1,"error":"auth.delLoginSession is not a function"}"#;
    let logout = async |client: RoomClient| client.logout(&me()).await;
    let (result, _) = with_replies(vec![Reply::json(never)], logout).await;
    assert_eq!(class(&result), ErrorClass::Retry);
}

#[tokio::test]
async fn node_and_java_quirks_of_rooms() {
    let create = async |client: RoomClient| client.create_room(&me(), "r1", "i").await;
    for (answer, expected) in [
        (
            r#"{"code":0,"message":"","roomID":"r1"}"#,
            Some(Created::New("r1".into())),
        ),
        (
            r#"{"code":11,"message":"","roomID":"r1"}"#,
            Some(Created::Existed("r1".into())),
        ),
        (
            r#"{"code":11,"message":"","roomID":null}"#,
            Some(Created::Existed("r1".into())),
        ),
        // Node's success for a path it does not know.
        (r#"{"code":0,"data":{}}"#, None),
    ] {
        let (result, _) = with_replies(vec![Reply::json(answer)], create).await;
        assert_eq!(result.ok(), expected, "{answer}");
    }
    let long = "ä".repeat(513);
    let create = async |client: RoomClient| client.create_room(&me(), "r1", &long).await;
    let (result, verbs) = with_replies(vec![], create).await;
    assert!(matches!(
        result,
        Err(RoomError::RoomInfoTooLong {
            bytes: 1026,
            limit: 1024
        })
    ));
    assert!(verbs.is_empty());

    let look = async |client: RoomClient| client.get_pushers(&me(), "r1").await;
    for gone in [
        r#"{"code":3,"message":"房间不存在"}"#,
        r#"{"code":1,"message":"","roomID":"","roomInfo":"","roomCreator":"","pushers":null}"#,
    ] {
        let (result, _) = with_replies(vec![Reply::json(gone)], look).await;
        assert_eq!(class(&result), ErrorClass::RoomGone, "{gone}");
    }
    // Java: the creator stale, code and message in each member, no custom.
    let java = r#"{"code":0,"message":"","roomID":"r1","roomInfo":"","roomCreator":"gone",
        "mixedPlayURL":"http://h/live/s.flv","pushers":[{"code":0,"message":"","userID":"b",
        "userName":"B","userAvatar":null,"accelerateURL":"rtmp://h/live/s"}]}"#;
    let (result, _) = with_replies(vec![Reply::json(java)], look).await;
    assert_eq!(result.unwrap().pushers[0].user_avatar, "");

    let leave = async |client: RoomClient| client.delete_pusher(&me(), "r1").await;
    for (answer, ok) in [
        (r#"{"code":0,"message":""}"#, true),
        (r#"{"code":5,"message":"not a member"}"#, true),
        (r#"{"code":7,"message":"错误码:3"}"#, false),
    ] {
        let (result, _) = with_replies(vec![Reply::json(answer)], leave).await;
        assert_eq!(result.is_ok(), ok, "{answer}");
    }
    let beat = async |client: RoomClient| client.heartbeat(&me(), "r1").await;
    for (answer, expected) in [
        (r#"{"code":5,"message":""}"#, ErrorClass::ReAdd),
        (r#"{"code":7,"message":"错误码:1"}"#, ErrorClass::LoginAgain),
        (r#"{"code":"7","message":""}"#, ErrorClass::LoginAgain),
    ] {
        let (result, _) = with_replies(vec![Reply::json(answer)], beat).await;
        assert_eq!(class(&result), expected, "{answer}");
    }
}

#[tokio::test]
async fn a_failed_add_pusher_looks_whether_it_worked() {
    let add = async |client: RoomClient| client.add_pusher(&me(), &add_pusher()).await;
    let listed =
        Reply::json(r#"{"code":0,"message":"","roomID":"r1","pushers":[{"userID":"al/ice"}]}"#);
    let not_listed = Reply::json(r#"{"code":0,"message":"","roomID":"r1","pushers":[]}"#);
    let exception = Reply::json(r#"{"code":-1,"error":"notify failed"}"#);
    let broken = Reply::status(500, "Internal Server Error");
    let full = Reply::json(r#"{"code":5001,"message":"房间成员已满"}"#);
    let java_html = Reply::status(500, "<html><body>HTTP Status 500</body></html>");
    for (replies, verbs, expected) in [
        (vec![exception.clone(), listed.clone()], 2, Ok(())),
        (vec![broken.clone(), listed.clone()], 2, Ok(())),
        (vec![java_html, listed], 2, Ok(())),
        (
            vec![exception.clone(), not_listed],
            2,
            Err(ErrorClass::Retry),
        ),
        (vec![exception, Reply::HangUp], 2, Err(ErrorClass::Retry)),
        (vec![full], 1, Err(ErrorClass::Full)),
    ] {
        let (result, seen) = with_replies(replies, add).await;
        assert_eq!(result.map_err(|error| error.class()), expected);
        assert_eq!(seen.len(), verbs);
        assert!(seen[1..].iter().all(|verb| verb == "get_pushers"));
    }
}

#[tokio::test]
async fn node_and_java_quirks_of_custom_fields() {
    let set = SetCustomField {
        room_id: "r1".into(),
        field_name: "like".into(),
        operation: "inc".into(),
        value: None,
    };
    let ask = async |client: RoomClient| client.call::<_, CustomInfo>(&me(), &set).await;
    // Java: 200 and nothing. Node: success with the text "room missing".
    let (result, _) = with_replies(vec![Reply::status(200, "")], ask).await;
    result.unwrap();
    let node = r#"{"code":0,"message":"房间不存在","custom":"{}"}"#;
    let (result, _) = with_replies(vec![Reply::json(node)], ask).await;
    assert_eq!(result.unwrap().custom, json!("{}"));
    let get = GetCustomInfo {
        room_id: "r1".into(),
    };
    let ask = async |client: RoomClient| client.call::<_, CustomInfo>(&me(), &get).await;
    let java = r#"{"code":0,"message":"","customInfo":"{\"like\":3}"}"#;
    let (result, _) = with_replies(vec![Reply::json(java)], ask).await;
    assert_eq!(result.unwrap().custom, json!("{\"like\":3}"));
}

#[tokio::test]
async fn garbage_is_a_named_error_in_time() {
    let ten_megabytes = format!(r#"{{"code":0,"message":"{}"}}"#, "x".repeat(10 << 20));
    let chunked = |body: &str| {
        let size = body.len();
        let text = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
        );
        Reply::Bytes(text.into_bytes())
    };
    let raw = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
    for (name, reply, expected) in [
        (
            "html",
            Reply::status(200, "<html>login to the wifi</html>"),
            "is not JSON",
        ),
        (
            "500",
            Reply::status(500, "Internal Server Error"),
            "HTTP 500: 21 bytes, \"Internal Server Error\"",
        ),
        (
            "502",
            Reply::status(502, "<h1>Bad Gateway</h1>"),
            "HTTP 502",
        ),
        ("404", Reply::status(404, "no"), "HTTP 404"),
        ("204", raw("HTTP/1.1 204 No Content\r\n\r\n"), "HTTP 204"),
        (
            "half json",
            Reply::json(r#"{"code":0,"message":"#),
            "is not JSON",
        ),
        ("array", Reply::json("[]"), "is not JSON"),
        ("empty", Reply::status(200, ""), "answer is empty"),
        ("no code", Reply::json("{}"), "has no code"),
        ("code is text", Reply::json(r#"{"code":"x"}"#), "wrong type"),
        (
            "wrong types",
            Reply::json(r#"{"code":0,"message":"","roomID":7,"pushers":7}"#),
            "wrong type",
        ),
        (
            "pushers is null",
            Reply::json(r#"{"code":0,"message":"","pushers":null}"#),
            "has no pushers",
        ),
        (
            "not utf-8",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\"\xff\"".into()),
            "is not JSON",
        ),
        (
            "10 MB",
            Reply::status(200, &ten_megabytes),
            "larger than 1048576 bytes",
        ),
        (
            "10 MB in chunks",
            chunked(&ten_megabytes),
            "larger than 1048576 bytes",
        ),
        (
            "10 MB with 500",
            Reply::status(500, &ten_megabytes),
            "larger than 1048576 bytes",
        ),
        (
            "cut off",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
            "broke",
        ),
        (
            "not http",
            raw("SSH-2.0-OpenSSH_9.2\r\n"),
            "does not speak HTTP",
        ),
        ("hang up", Reply::HangUp, "broke"),
        ("silence", Reply::Silence, "no answer in time"),
        ("never ends", Reply::Trickle, "no answer in time"),
        (
            "huge head",
            raw(&format!(
                "HTTP/1.1 200 OK\r\nX: {}\r\n\r\n",
                "x".repeat(1 << 20)
            )),
            "broke",
        ),
    ] {
        let endless = matches!(reply, Reply::Silence | Reply::Trickle);
        let look = async |client: RoomClient| {
            let limit = if endless { IMPATIENT } else { IN_TIME };
            client.with_deadline(limit).get_pushers(&me(), "r1").await
        };
        let started = Instant::now();
        let (result, _) = with_replies(vec![reply], look).await;
        let error = result.unwrap_err();
        let text = error.reason();
        assert!(
            text.starts_with("get_pushers: ") && text.contains(expected),
            "{name}: {text}"
        );
        assert_eq!(error.class(), ErrorClass::Retry, "{name}");
        assert!(text.len() < 400, "{name}: {text}");
        assert!(
            started.elapsed() < IN_TIME,
            "{name}: {:?}",
            started.elapsed()
        );
        assert!(
            !format!("{error:?}").contains("53724e01"),
            "{name}: token in {error:?}"
        );
    }
}

#[tokio::test]
async fn connections_that_fail_are_told_apart() {
    let look = async |url: String| {
        let client = client(url, RoomType::Double);
        let started = Instant::now();
        let error = client.get_pushers(&me(), "r1").await.unwrap_err();
        assert!(started.elapsed() < IN_TIME, "{:?}", started.elapsed());
        assert!(!format!("{error:?} {}", error.reason()).contains("53724e01"));
        match error {
            RoomError::Transport { kind, .. } => kind,
            other => panic!("{other}"),
        }
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(
        look(format!("http://{closed}")).await,
        TransportKind::Connect
    );
    let unknown = look("http://no-such-host.invalid".into()).await;
    assert!(
        matches!(unknown, TransportKind::Dns | TransportKind::Timeout),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Played::start(friendly).await;
    let target = other.url();
    let server = Played::start(move |_| {
        let text = format!("HTTP/1.1 307 T\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
        Reply::Bytes(text.into_bytes())
    })
    .await;
    let error = client(server.url(), RoomType::Double)
        .heartbeat(&me(), "r1")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("HTTP 307"), "{error}");
    assert!(other.seen().is_empty());
}
