//! Holds that the front door keeps out: too much, too often, too slow, from the wrong page.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use rtckiosk::protocol::{RoomType, Verb};
use rtckiosk::server::Rate;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::peer::{JSON, Reply, Server};

const INFO: &str = "/weapp/utils/get_login_info";

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate {
        per_second: NonZeroU32::new(per_second).unwrap(),
        burst: NonZeroU32::new(burst).unwrap(),
    }
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let server = Server::with(|settings| settings.http.max_body = 100_000).await;
    let user = server.login(RoomType::Double, "u").await;
    let list = user.target(Verb::GetRoomList);
    let mut body = br#"{"index":0,"cnt":1,"x":""#.to_vec();
    body.resize(99_998, b'x');
    body.extend(b"\"}");
    assert_eq!(server.post(&list, JSON, &body).await.status, 200);
    body.push(b' ');
    assert_eq!(server.post(&list, JSON, &body).await.status, 413);
    // The same without an announced length.
    let head = format!(
        "POST {list} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{JSON}\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    );
    let chunked = [head.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(server.send(&chunked).await.status, 413);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(server.post(&list, form, &body[..57_345]).await.status, 413);
    // A length that only frightens is answered without waiting for it.
    let head = format!(
        "POST {list} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{JSON}\
         Content-Length: 99999999999\r\n\r\n{{"
    );
    let start = Instant::now();
    assert_eq!(server.send(head.as_bytes()).await.status, 413);
    assert!(start.elapsed() < Duration::from_secs(2));
    server.stop().await;
}

#[tokio::test]
async fn garbage_is_answered_or_cut_and_hurts_nobody() {
    let server = Server::start().await;
    let long_head = format!("GET {INFO}?x={} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    for garbage in [
        &b"\0\x01\x02\xff\xfe"[..],
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /weapp/live_room/login HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
          Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        long_head.as_bytes(),
    ] {
        let reply = server.send(garbage).await;
        assert!([0, 400, 414, 431, 505].contains(&reply.status), "{reply:?}");
    }
    let user = server.login(RoomType::Double, "u").await;
    for body in [&b"\xff\xfe"[..], b"nul", b"7", b"\"x\"", &[b'['; 50_000]] {
        let reply = server
            .post(&user.target(Verb::GetPushers), JSON, body)
            .await;
        assert_eq!((reply.status, &reply.json()["code"]), (200, &json!(-1)));
    }
    assert_eq!(server.get(INFO).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call() {
    let server = Server::start().await;
    let origin = "Origin: https://desk.example.com\r\n";
    let reply = server.post("/weapp/live_room/login", origin, b"").await;
    let allowed = reply.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://desk.example.com"));
    let preflight = format!(
        "OPTIONS /weapp/live_room/login HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{origin}\
         Access-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: content-type\r\n\r\n"
    );
    let reply = server.send(preflight.as_bytes()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("access-control-allow-methods"),
        Some("get,post")
    );
    assert_eq!(
        reply.header("access-control-allow-headers"),
        Some("content-type")
    );
    server.stop().await;

    let server = Server::with(|settings| {
        settings.http.cors_origins = Some(vec!["https://desk.example.com".into()]);
    })
    .await;
    let reply = server.send(preflight.as_bytes()).await;
    assert!(reply.header("access-control-allow-origin").is_some());
    let other = preflight.replace("desk", "evil");
    let reply = server.send(other.as_bytes()).await;
    assert!(reply.header("access-control-allow-origin").is_none());
    server.stop().await;
}

#[tokio::test]
async fn one_address_cannot_ask_too_often() {
    let server = Server::with(|settings| {
        settings.http.per_address = rate(1, 5);
        settings.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(server.get(INFO).await.status);
    }
    assert_eq!(&statuses[..5], [200; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    let refused = server.get(INFO).await;
    if refused.status == 429 {
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(refused.json()["code"], -1);
    }
    // A proxy that is trusted tells who asks.
    let request = format!(
        "GET {INFO} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 10.9.8.7\r\n\r\n"
    );
    assert_eq!(server.send(request.as_bytes()).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn one_user_cannot_ask_too_often() {
    let server = Server::with(|settings| settings.http.per_user = rate(1, 3)).await;
    let greedy = server.login(RoomType::Double, "greedy").await;
    let modest = server.login(RoomType::Double, "modest").await;
    let list = br#"{"index":0,"cnt":1}"#;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let target = greedy.target(Verb::GetRoomList);
        statuses.push(server.post(&target, JSON, list).await.status);
    }
    assert_eq!(&statuses[..3], [200; 3]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    let target = modest.target(Verb::GetRoomList);
    assert_eq!(server.post(&target, JSON, list).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn slow_clients_are_cut_and_delay_nobody() {
    let server = Server::with(|settings| {
        settings.http.header_timeout = Duration::from_millis(400);
        settings.http.request_timeout = Duration::from_millis(400);
        settings.http.max_connections = 3;
    })
    .await;
    let start = Instant::now();
    // Two that never finish their head, one that never finishes its body.
    let mut slow = Vec::new();
    for begun in [
        "GET / HT".to_owned(),
        String::new(),
        format!(
            "POST /weapp/live_room/login HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 9\r\n\r\n{{"
        ),
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // All places are taken; as soon as the slow ones are cut, the next is served.
    assert_eq!(server.get(INFO).await.status, 200);
    assert!(start.elapsed() < Duration::from_secs(3));
    let replies = {
        let mut replies = Vec::new();
        for mut stream in slow {
            replies.push(Reply::read(&mut stream).await.status);
        }
        replies
    };
    assert_eq!(replies[2], 408, "{replies:?}");
    assert!(
        replies[..2].iter().all(|status| [0, 408].contains(status)),
        "{replies:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn stopping_lets_requests_finish_but_waits_for_nobody() {
    let server = Server::with(|settings| {
        settings.http.shutdown_timeout = Duration::from_secs(1);
    })
    .await;
    let addr = server.addr;
    let request = format!(
        "POST /weapp/live_room/login HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 2\r\n\r\n"
    );
    let begin = async || {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let (mut finishing, _hanging) = (begin().await, begin().await);
    let _idle = TcpStream::connect(addr).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        TcpStream::connect(addr).await.is_err(),
        "nobody new comes in"
    );
    finishing.write_all(b"{}").await.unwrap();
    assert_eq!(Reply::read(&mut finishing).await.status, 200);
    stopping.await.unwrap();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}
