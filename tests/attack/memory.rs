//! Attempts to use up the server's memory: publishers that never finish a message, players that never read, long
//! texts, nested JSON. What is well-behaved beside them is served, and memory stays below its bound.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtckiosk::protocol::stream_url::signed_query;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::beside::USERS;
use crate::crowd::peak_mib;
use crate::rtmp_client::Client;
use crate::strangers::{name, publish, relay};
use crate::support::locked::Locked;
use crate::support::turn;

/// All users are at one address here.
const LIMITS: &str = "
[http.per_address]
per_second = 100000
[http.per_user]
per_second = 1000
[im.per_user]
per_second = 1000
[im.messages]
per_second = 1000
[stream]
push_key = \"0123456789abcdef\"
play_key = \"fedcba9876543210\"
";

/// Publishers; each user has three, the most that no room knows.
const PUBLISHERS: usize = 1000;

/// Bytes of a chunk, as the client has announced.
const CHUNK: usize = 4096;

/// The name by which a user publishes a stream.
fn push_name(user: usize, stream: usize) -> String {
    let id = format!("1000_p{user}_{stream:04x}");
    let query = signed_query("0123456789abcdef", "1000", &id, 0x7fff_ffff);
    format!("{id}?{query}")
}

/// The beginning of a video message of 3 MiB on chunk stream 6, and as much of it as one likes to send.
fn unfinished(chunks: usize) -> Vec<u8> {
    let length: u32 = 3 << 20;
    let mut bytes = vec![0x06, 0, 0, 0];
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([9, 1, 0, 0, 0]);
    for n in 0..chunks {
        if n > 0 {
            bytes.push(0xc6);
        }
        bytes.extend([0x27; CHUNK]);
    }
    bytes
}

#[test]
fn memory_stays_below_its_bound_and_the_others_are_served() {
    let _turn = turn();
    let runtime = Runtime::new().unwrap();
    let locked = Locked::start(USERS, LIMITS);
    let pid = locked.server.program.id();
    let good = locked.person("agent", "double_room");
    assert_eq!(good.enter("good"), 0);
    let mut beats = Vec::new();
    let mut beat = || {
        let begun = Instant::now();
        assert_eq!(good.code("pusher_heartbeat", &good.of("good")), 0);
        beats.push(begun.elapsed());
    };
    // A thousand publishers that send 2 MiB of a message and no more: 2 GiB if all were kept.
    let half = Arc::new(unfinished(512));
    let to = relay(&good.push_url());
    let mut publishers = Vec::new();
    for some in (0..PUBLISHERS).collect::<Vec<_>>().chunks(50) {
        let publishing = some.iter().map(|n| {
            let (half, name) = (half.clone(), push_name(n / 3, n % 3));
            runtime.spawn(async move {
                let (mut client, code) = Client::publish(to, &name).await;
                assert_eq!(code, "NetStream.Publish.Start");
                // Whoever is refused meanwhile is cut off.
                let sent = timeout(Duration::from_secs(5), client.socket.write_all(&half)).await;
                (client, sent.is_ok_and(|sent| sent.is_ok()))
            })
        });
        let publishing: Vec<_> = publishing.collect();
        for one in publishing {
            publishers.push(runtime.block_on(one).unwrap());
        }
        beat();
    }
    let after_publishers = peak_mib(pid);
    let kept = publishers.iter().filter(|(_, whole)| *whole).count();
    println!("{kept} of {PUBLISHERS} publishers could send all of it");
    assert!(
        after_publishers > 30,
        "{after_publishers} MiB: nothing was kept"
    );
    drop(publishers);
    // A stream at full rate with players that never read.
    let push = good.push_url();
    let (mut publisher, _) = publish(&runtime, &push);
    assert_eq!(good.code("add_pusher", &good.joining("good", &push)), 0);
    let mut lazy = Vec::new();
    for n in 0..40 {
        let viewer = locked.person(&format!("viewer-{n}"), "double_room");
        let urls = viewer.play_urls("good");
        lazy.push(runtime.block_on(Client::play(relay(&urls[0].1), name(&urls[0].1))));
    }
    for n in 0..60 {
        runtime.block_on(publisher.send_picture(n % 10 == 0, 1, n * 40, 1 << 20));
    }
    beat();
    drop(lazy);
    // Texts as long as they may be, into as many rooms as they may.
    for n in 0..20 {
        let user = locked.person(&format!("writer-{n}"), "live_room");
        for room in 0..8 {
            let id = format!("w{n}-{room}");
            assert_eq!(user.enter(&id), 0);
            user.join(&id).unwrap();
            for _ in 0..10 {
                user.say(&id, &"x".repeat(8898));
            }
        }
        beat();
    }
    // Bodies that promise a mebibyte and bring a little, and JSON that is nothing but depth.
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut socket = TcpStream::connect(locked.server.address()).unwrap();
        let head = "POST /weapp/double_room/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
            Content-Length: 1000000\r\n\r\n";
        // It may be turned away at once.
        let _ = socket.write_all(head.as_bytes());
        let _ = socket.write_all(&[b'['; 60_000]);
        slow.push(socket);
    }
    beat();
    let deep = json!({ "userID": "agent", "roomID": "[".repeat(100_000) });
    assert_ne!(good.code("get_pushers", &deep), 0);
    for _ in 0..10 {
        beat();
        std::thread::sleep(Duration::from_millis(100));
    }
    beats.sort();
    let slowest = beats.last().copied().unwrap_or_default();
    let memory = peak_mib(pid);
    println!("publishers: {after_publishers} MiB, all: {memory} MiB, slowest beat {slowest:?}");
    assert!(memory < 512, "{memory} MiB");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
