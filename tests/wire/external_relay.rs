//! External relays, asked which streams run: a real nginx with its RTMP module, and servers
//! that answer badly.

use std::time::Duration;

use rtckiosk::config::server::Status;
use rtckiosk::server::relay::{ExternalRelay, StreamProbe, StreamState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use url::Url;

use super::nginx::Nginx;
use super::process::{ffmpeg_push, spawn};

fn nginx_at(port: u16) -> ExternalRelay {
    let url = Url::parse(&format!("http://127.0.0.1:{port}/stat")).unwrap();
    ExternalRelay::new(&Status::Nginx(url), None, None, || 0).unwrap()
}

async fn until(relay: &ExternalRelay, stream: &str, wanted: StreamState) {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        let state = relay.state(stream).await;
        if state == wanted {
            return;
        }
        assert!(
            Instant::now() < end,
            "{stream} is {state:?}, not {wanted:?}"
        );
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_tells_which_streams_run() {
    let nginx = Nginx::start();
    let relay = nginx_at(nginx.http_port);
    let url = |stream| format!("rtmp://127.0.0.1:{}/live/{stream}", nginx.rtmp_port);
    assert_eq!(relay.state("a").await, StreamState::NotLive);
    let mut pusher = ffmpeg_push(&url("a"), 25, 300);
    // A stream that is only waited for does not run.
    let _waiting = spawn(
        "ffmpeg",
        &["-loglevel", "quiet", "-i", &url("b"), "-f", "null", "-"],
    );
    until(&relay, "a", StreamState::Live).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(relay.state("b").await, StreamState::NotLive);
    // One that hangs is kept by nginx for as long as its connection stands.
    let pid = pusher.id().unwrap().to_string();
    let mut stop = spawn("kill", &["-STOP", &pid]);
    assert!(stop.wait().await.unwrap().success());
    until(&relay, "a", StreamState::NotLive).await;
    let mut go_on = spawn("kill", &["-CONT", &pid]);
    assert!(go_on.wait().await.unwrap().success());
    until(&relay, "a", StreamState::Live).await;
    pusher.kill().await.unwrap();
    until(&relay, "a", StreamState::NotLive).await;
    drop(nginx);
    sleep(Duration::from_secs(1)).await;
    let gone = relay.state("a").await;
    assert!(
        matches!(&gone, StreamState::Unknown(why) if why.contains("refused")),
        "{gone:?}"
    );
}

/// A server that answers every connection with `answer`, then keeps it open.
async fn answering(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 1024]).await;
                let _ = socket.write_all(&answer).await;
                sleep(Duration::from_secs(30)).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_answers_are_unknown_and_end_in_time() {
    let long = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b' '; 5 << 20]].concat();
    for (answer, reason) in [
        (
            b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "500",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "302",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>".to_vec(),
            "not XML",
        ),
        (long, "longer than"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n<rtmp>".to_vec(),
            "no answer within",
        ),
        (vec![], "no answer within"),
    ] {
        let relay = nginx_at(answering(answer).await);
        let asked = Instant::now();
        let state = relay.state("a").await;
        assert!(
            matches!(&state, StreamState::Unknown(why) if why.contains(reason)),
            "{state:?}"
        );
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "{:?}",
            asked.elapsed()
        );
    }
}
