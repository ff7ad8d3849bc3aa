//! Floods of connections, by one address and by twenty, beside fifty kiosks behind another: no heartbeat of theirs
//! fails. `ATTACK_SECONDS=600` makes it last.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::beside::USERS;
use crate::support::locked::Locked;
use crate::support::turn;

const KIOSKS: usize = 50;

/// The address behind which the kiosks are.
const BRANCH: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 1);

fn seconds() -> Duration {
    let given = std::env::var("ATTACK_SECONDS").ok();
    Duration::from_secs(given.and_then(|text| text.parse().ok()).unwrap_or(20))
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(from), 0).into())?;
    timeout(Duration::from_secs(5), socket.connect(to)).await?
}

/// The ways in which a connection is held.
#[derive(Clone, Copy)]
enum Kind {
    Idle,
    SlowHead,
    SlowBody,
    Busy,
    HalfHandshake,
    HalfTls,
}

const KINDS: [Kind; 6] = [
    Kind::Idle,
    Kind::SlowHead,
    Kind::SlowBody,
    Kind::Busy,
    Kind::HalfHandshake,
    Kind::HalfTls,
];

/// Connects again and again, and holds each connection for as long as the server lets it.
async fn hold(from: Ipv4Addr, kind: Kind, http: SocketAddr, rtmp: SocketAddr, until: Instant) {
    while Instant::now() < until {
        let to = match kind {
            Kind::HalfHandshake => rtmp,
            _ => http,
        };
        let Ok(mut stream) = connect(from, to).await else {
            sleep(Duration::from_millis(200)).await;
            continue;
        };
        let begun = Instant::now();
        // The server may close at any time: then the next one comes.
        let _ = misbehave(&mut stream, kind, until).await;
        if begun.elapsed() < Duration::from_millis(200) {
            sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn misbehave(stream: &mut TcpStream, kind: Kind, until: Instant) -> std::io::Result<()> {
    let first: &[u8] = match kind {
        Kind::Idle => b"",
        Kind::SlowHead => b"POST /weapp/double_room/login HTTP/1.1\r\nHost: h\r\n",
        Kind::SlowBody => {
            b"POST /weapp/double_room/login HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n"
        }
        Kind::Busy => b"GET /weapp/utils/get_login_info HTTP/1.1\r\nHost: h\r\n\r\n",
        Kind::HalfHandshake => &[3; 700],
        Kind::HalfTls => &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
    };
    stream.write_all(first).await?;
    let mut answer = [0; 4096];
    while Instant::now() < until {
        let pause = match kind {
            Kind::Busy => Duration::from_millis(100),
            _ => Duration::from_secs(1),
        };
        let read = timeout(pause, stream.read(&mut answer)).await;
        if let Ok(Ok(0) | Err(_)) = read {
            return Ok(());
        }
        match kind {
            Kind::SlowHead => stream.write_all(b"X-A: b\r\n").await?,
            Kind::SlowBody => stream.write_all(b"x").await?,
            Kind::Busy => stream.write_all(first).await?,
            Kind::Idle | Kind::HalfHandshake | Kind::HalfTls => {}
        }
    }
    Ok(())
}

/// One request on a connection of its own kept open; `None` = it broke.
async fn ask(stream: &mut TcpStream, target: &str, body: &str) -> Option<String> {
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1)?;
            let length: usize = length.split("\r\n").next()?.trim().parse().ok()?;
            if body.len() >= length {
                return Some(body.to_owned());
            }
        }
        let count = stream.read_buf(&mut answer).await.ok()?;
        if count == 0 {
            return None;
        }
    }
}

/// The fate of fifty kiosks' heartbeats.
#[derive(Default)]
struct Met {
    beats: AtomicUsize,
    failed: AtomicUsize,
    slowest_ms: AtomicUsize,
}

/// A kiosk behind the branch's address: beats every two seconds, on connections that it opens anew now and then.
async fn kiosk(user: String, sig: String, http: SocketAddr, until: Instant, met: Arc<Met>) {
    let login = format!(
        "/weapp/double_room/login?sdkAppID=1400000001&accountType=1&userID={user}&userSig={sig}"
    );
    let mut stream = connect(BRANCH, http).await.expect("the first connection");
    let answer = ask(&mut stream, &login, "{}").await.expect("a login");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let token = answer["token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned();
    let verb = |verb: &str| format!("/weapp/double_room/{verb}?userID={user}&token={token}");
    let url = ask(
        &mut stream,
        &verb("get_push_url"),
        &json!({ "userID": user }).to_string(),
    )
    .await
    .unwrap();
    let url: serde_json::Value = serde_json::from_str(&url).unwrap();
    let joining = json!({ "roomID": user, "roomInfo": "", "userID": user, "userName": "", "userAvatar": "",
        "pushURL": url["pushURL"] });
    let added = ask(&mut stream, &verb("add_pusher"), &joining.to_string())
        .await
        .unwrap();
    assert!(added.contains("\"code\":0"), "{added}");
    let beat = json!({ "roomID": user, "userID": user }).to_string();
    let mut count = 0;
    while Instant::now() < until {
        let begun = Instant::now();
        let once = async {
            // Every other beat comes by a new connection, as after a proxy has closed the old one.
            count += 1;
            if count % 2 == 0 {
                stream = connect(BRANCH, http).await.ok()?;
            }
            ask(&mut stream, &verb("pusher_heartbeat"), &beat).await
        };
        let answer = timeout(Duration::from_secs(5), once).await.ok().flatten();
        met.beats.fetch_add(1, Ordering::Relaxed);
        if !answer.is_some_and(|answer| answer.contains("\"code\":0")) {
            met.failed.fetch_add(1, Ordering::Relaxed);
        }
        let took = usize::try_from(begun.elapsed().as_millis()).unwrap_or(usize::MAX);
        met.slowest_ms.fetch_max(took, Ordering::Relaxed);
        sleep(Duration::from_secs(2).saturating_sub(begun.elapsed())).await;
    }
}

/// Runs a flood beside the kiosks.
fn flood(what: &str, sources: &[Ipv4Addr], each: usize) {
    let _turn = turn();
    let runtime = Runtime::new().unwrap();
    let locked = Locked::start(USERS, "");
    let http: SocketAddr = locked.server.address().parse().unwrap();
    let out = locked.server.program.out();
    let rtmp = out
        .split("rtmp://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap();
    let rtmp: SocketAddr = rtmp.parse().unwrap();
    let kiosks: Vec<_> = (0..KIOSKS).map(|n| format!("kiosk-{n}")).collect();
    let signed: Vec<_> = kiosks
        .into_iter()
        .map(|user| (locked.sign(&user), user))
        .collect();
    let met = Arc::new(Met::default());
    runtime.block_on(async {
        let until = Instant::now() + seconds();
        let mut tasks = JoinSet::new();
        for source in sources {
            for n in 0..each {
                tasks.spawn(hold(*source, KINDS[n % KINDS.len()], http, rtmp, until));
            }
        }
        // The flood is there before the branch opens.
        sleep(Duration::from_secs(2)).await;
        for (sig, user) in signed {
            tasks.spawn(kiosk(user, sig, http, until, met.clone()));
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("nobody panicked");
        }
    });
    let [beats, failed, slowest] =
        [&met.beats, &met.failed, &met.slowest_ms].map(|n| n.load(Ordering::Relaxed));
    println!("{what}: {beats} heartbeats, {failed} failed, the slowest took {slowest} ms");
    assert!(beats >= KIOSKS * 5, "{beats} heartbeats");
    assert_eq!(failed, 0, "of {beats}; the slowest took {slowest} ms");
}

#[test]
fn one_address_with_thousands_of_connections_stops_no_heartbeat() {
    flood("one address", &[Ipv4Addr::new(127, 0, 1, 1)], 6000);
}

#[test]
fn twenty_addresses_with_two_hundred_connections_stop_no_heartbeat() {
    let sources: Vec<_> = (1..=20).map(|n| Ipv4Addr::new(127, 0, 1, n)).collect();
    flood("twenty addresses", &sources, 200);
}

/// With few files that it may open, the server turns clients away in order, says so once in a while, and is back
/// when they have gone.
#[test]
fn a_server_without_files_neither_spins_nor_dies() {
    let _turn = turn();
    let locked = Locked::start(USERS, "");
    let pid = locked.server.program.id().to_string();
    // Far fewer than it has places.
    let limited = crate::support::program::run("prlimit", &["--pid", &pid, "--nofile=60:60"]);
    assert!(limited.status.success(), "{limited:?}");
    let http: SocketAddr = locked.server.address().parse().unwrap();
    let before = locked.server.program.err().lines().count();
    let connections: Vec<_> = (0..200)
        .filter_map(|_| std::net::TcpStream::connect(http).ok())
        .collect();
    std::thread::sleep(Duration::from_secs(5));
    let log = locked.server.program.err();
    let told = log.lines().count() - before;
    assert!(log.contains("cannot accept a connection"), "{log}");
    assert!(told < 50, "{told} lines in 5 s");
    drop(connections);
    let person = locked.person("agent", "double_room");
    assert_eq!(person.enter("r"), 0);
}
