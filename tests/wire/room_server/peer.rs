//! A client of the room server that writes its requests byte by byte, and a server to ask.

use std::net::SocketAddr;
use std::time::Duration;

use rtckiosk::protocol::{RoomType, Verb};
use rtckiosk::server::{RoomServer, ServerHandle, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A room server with its relay on free ports.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: ServerHandle,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::on_free_ports().unwrap();
        change(&mut settings);
        let server = RoomServer::bind(settings).await.unwrap();
        let (addr, handle) = (server.local_addr(), server.handle());
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone()));
        Self {
            addr,
            handle,
            stop,
            task,
        }
    }

    /// Returns when the server has stopped.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task)
            .await
            .expect("the server stops")
            .expect("the server does not panic");
    }

    /// Sends `request` as it is, and reads until the server closes.
    pub(crate) async fn send(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        // The server may answer before it has read everything.
        let _ = stream.write_all(request).await;
        Reply::read(&mut stream).await
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        self.send(head.as_bytes()).await
    }

    /// Posts `body` under `headers`, whose lines end with CR LF.
    pub(crate) async fn post(&self, target: &str, headers: &str, body: &[u8]) -> Reply {
        let length = body.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n",
            self.addr
        );
        self.send(&[head.as_bytes(), body].concat()).await
    }

    pub(crate) async fn post_json(&self, target: &str, body: &Value) -> Value {
        let body = body.to_string();
        let reply = self.post(target, JSON, body.as_bytes()).await;
        assert_eq!(reply.status, 200, "{target}: {reply:?}");
        reply.json()
    }

    /// An identity from the server itself: the query of a login.
    pub(crate) async fn identity(&self, user: &str) -> String {
        let target = format!("/weapp/utils/get_login_info?userID={user}");
        let info = self.get(&target).await.json();
        assert_eq!(info["code"], 0);
        format!(
            "sdkAppID={}&accountType={}&userID={}&userSig={}",
            info["sdkAppID"],
            info["accType"].as_str().unwrap(),
            info["userID"].as_str().unwrap(),
            info["userSig"].as_str().unwrap()
        )
    }

    pub(crate) async fn login<'a>(&'a self, kind: RoomType, user: &str) -> User<'a> {
        let identity = self.identity(user).await;
        let target = format!("/weapp/{kind}/login?{identity}");
        let answer = self.post_json(&target, &json!({})).await;
        assert_eq!(answer["code"], 0, "{answer}");
        User {
            server: self,
            kind,
            id: user.to_owned(),
            token: answer["token"].as_str().unwrap().to_owned(),
        }
    }
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// Somebody who is logged in.
pub(crate) struct User<'a> {
    server: &'a Server,
    pub(crate) kind: RoomType,
    pub(crate) id: String,
    pub(crate) token: String,
}

impl User<'_> {
    pub(crate) fn target(&self, verb: Verb) -> String {
        let Self {
            kind, id, token, ..
        } = self;
        format!("/weapp/{kind}/{verb}?userID={id}&token={token}")
    }

    pub(crate) async fn call(&self, verb: Verb, body: Value) -> Value {
        self.server.post_json(&self.target(verb), &body).await
    }

    pub(crate) async fn code(&self, verb: Verb, body: Value) -> i64 {
        let answer = self.call(verb, body).await;
        answer["code"].as_i64().unwrap()
    }

    /// Enters `room` with a push URL of this server; answers the push URL.
    pub(crate) async fn enter(&self, room: &str) -> String {
        let url = self
            .call(Verb::GetPushUrl, json!({"userID": self.id}))
            .await;
        let url = url["pushURL"].as_str().unwrap().to_owned();
        let added = self.code(Verb::AddPusher, self.joining(room, &url)).await;
        assert_eq!(added, 0);
        url
    }

    pub(crate) fn joining(&self, room: &str, push_url: &str) -> Value {
        json!({"roomID": room, "roomInfo": "", "userID": self.id, "userName": self.id,
               "userAvatar": "", "pushURL": push_url})
    }

    pub(crate) fn of(&self, room: &str) -> Value {
        json!({"roomID": room, "userID": self.id})
    }

    /// Lists the members of `room`; empty if there is no such room.
    pub(crate) async fn members(&self, room: &str) -> Vec<String> {
        let room = self.call(Verb::GetPushers, json!({"roomID": room})).await;
        let members = room["pushers"].as_array().cloned().unwrap_or_default();
        members
            .iter()
            .map(|member| member["userID"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        timeout(PATIENCE, Self::read_slowly(stream))
            .await
            .expect("the server answers and closes")
    }

    /// The same for an answer that may take its time.
    pub(crate) async fn read_slowly(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A reset after the answer is the end too.
        let _ = stream.read_to_end(&mut bytes).await;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            return Self {
                status: 0,
                head: String::new(),
                body: bytes,
            };
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap(),
            head: head.to_ascii_lowercase(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key == name).then_some(value.trim())
        })
    }
}
