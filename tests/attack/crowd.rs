//! Ten thousand rooms with the longest texts that they may have: `call` answers as quickly as with one,
//! lists are bounded, and the server's memory stays below its bound.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::support::locked::Locked;
use crate::support::turn;

const ROOMS: usize = 10_000;
/// Rooms that one user may have by default.
const EACH: usize = 8;

/// The limits are those of a server behind which there are that many agents, all at one address here.
const LIMITS: &str = "
[http.per_address]
per_second = 100000
[http.per_user]
per_second = 1000
[rooms]
max_rooms = 20000
[auth]
agent_prefixes = [\"agent-\"]
kiosk_prefixes = [\"kiosk-\"]
";

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn new(locked: &Locked) -> Self {
        // Another test may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: format!("{}/double_room", locked.server.url),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/{path}", self.base);
        let answer = self.http.post(url).body(body.to_string());
        let answer = answer
            .header("content-type", "application/json")
            .send()
            .await;
        let text = answer.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    async fn login(&self, user: &str, sig: &str) -> String {
        let target = format!("login?sdkAppID=1400000001&accountType=1&userID={user}&userSig={sig}");
        let answer = self.post(&target, json!({})).await;
        answer["token"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    async fn ask(&self, (user, token): (&str, &str), verb: &str, mut body: Value) -> Value {
        body["userID"] = user.into();
        self.post(&format!("{verb}?userID={user}&token={token}"), body)
            .await
    }
}

/// An agent's rooms, in each of which they wait alone.
async fn open(client: &Client, user: String, sig: String) {
    let token = client.login(&user, &sig).await;
    let me = (user.as_str(), token.as_str());
    let url = client.ask(me, "get_push_url", json!({})).await;
    for n in 0..EACH {
        let added = json!({ "roomID": format!("{user} {n}"), "roomInfo": "i".repeat(1024),
            "userName": "n".repeat(256), "userAvatar": "a".repeat(2048), "pushURL": url["pushURL"] });
        let added = client.ask(me, "add_pusher", added).await;
        assert_eq!(added["code"], 0, "{added}");
    }
}

/// Most memory that a process has had, in MiB.
pub(crate) fn peak_mib(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib >> 10
}

#[test]
fn ten_thousand_rooms_make_nothing_slow() {
    let _turn = turn();
    let runtime = Runtime::new().unwrap();
    let locked = Locked::start(&[], LIMITS);
    let client = Arc::new(Client::new(&locked));
    let users = (0..ROOMS / EACH).map(|n| format!("agent-{n:04}"));
    let signed: Vec<_> = users
        .map(|user| (user.clone(), locked.sign(&user)))
        .collect();
    let kiosk = locked.sign("kiosk-1");
    runtime.block_on(async {
        for some in signed.chunks(50) {
            let mut opening = JoinSet::new();
            for (user, sig) in some.iter().cloned() {
                let client = client.clone();
                opening.spawn(async move { open(&client, user, sig).await });
            }
            opening.join_all().await;
        }
        let token = client.login("kiosk-1", &kiosk).await;
        let me = ("kiosk-1", token.as_str());
        let mut times = Vec::new();
        for n in 0..500 {
            let begun = Instant::now();
            let called = client
                .ask(me, "call", json!({ "agents": ["agent-12*"] }))
                .await;
            times.push(begun.elapsed());
            assert_eq!(called["result"], "offered", "{n}: {called}");
            assert!(
                called["roomCreator"]
                    .as_str()
                    .unwrap()
                    .starts_with("agent-12"),
                "{called}"
            );
        }
        times.sort();
        let p99 = times[times.len() * 99 / 100];
        println!(
            "call among {ROOMS} rooms: p50 {:?}, p99 {p99:?}",
            times[times.len() / 2]
        );
        assert!(
            p99 < Duration::from_millis(if cfg!(debug_assertions) { 50 } else { 5 }),
            "{p99:?}"
        );
        let nobody = client
            .ask(me, "call", json!({ "agents": ["nobody"] }))
            .await;
        assert_eq!(nobody["result"], "nobody");
        // A list has as much as fits, and goes on where it ended.
        let mut seen = 0;
        for _ in 0..5 {
            let list = client
                .ask(
                    me,
                    "get_room_list",
                    json!({ "index": seen, "cnt": 100_000 }),
                )
                .await;
            assert!(list.to_string().len() < 2 << 20);
            let rooms = list["rooms"].as_array().unwrap();
            assert!((50..=100).contains(&rooms.len()), "{}", rooms.len());
            seen += rooms.len();
        }
    });
    let memory = peak_mib(locked.server.program.id());
    println!("{ROOMS} rooms: {memory} MiB");
    assert!(memory < 512, "{memory} MiB");
}
