//! A webim client that writes its requests byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use rtckiosk::protocol::user_sig::{self, Claims, Form, SigningKey};
use rtckiosk::server::Settings;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::room_server::peer::{Reply, Server};

pub(crate) const APP: u64 = 1_400_000_001;

/// A poll is held so long in these tests.
pub(crate) const HOLD: Duration = Duration::from_secs(2);

/// A server of these tests, with the key that it trusts.
pub(crate) async fn server(change: impl FnOnce(&mut Settings)) -> (Server, SigningKey) {
    let key = || SigningKey::p256_from_bytes(&[9; 32]).unwrap();
    let server = Server::with(|settings| {
        settings.auth.verifying_key = key().verifying_key();
        settings.auth.signing_key = Some(key());
        settings.im.hold = HOLD;
        change(settings);
    });
    (server.await, key())
}

pub(crate) fn unix_now() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A userSig that holds for an hour from `age` seconds ago.
pub(crate) fn sign(key: &SigningKey, user: &str, form: Form, age: u64) -> String {
    let claims = Claims {
        sdk_app_id: APP,
        account_type: "1".into(),
        identifier: user.into(),
        time: unix_now() - age,
        expire_after: 3600,
    };
    user_sig::make(key, &claims, form).unwrap()
}

/// Posts one request on a connection of its own.
pub(crate) async fn post(addr: SocketAddr, target: &str, content_type: &str, body: &str) -> Reply {
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    Reply::read(&mut stream).await
}

pub(crate) fn login_target(user: &str, user_sig: &str) -> String {
    format!(
        "/v4/openim/login?websdkappid=537048168&v=1.7.0&identifier={user}&usersig={user_sig}\
         &contenttype=json&sdkappid={APP}&accounttype=1&apn=1&reqtime=1700000000&reqSeq=1"
    )
}

/// Somebody, logged in for messages.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) addr: SocketAddr,
    pub(crate) user: String,
    /// `tinyid` and `a2`, as they stand in a query.
    pub(crate) identity: String,
}

/// The polls of one group.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    client: Client,
    pub(crate) key: Value,
    next: Value,
    hold: Value,
}

impl Client {
    pub(crate) async fn login(server: &Server, key: &SigningKey, user: &str) -> Self {
        let target = login_target(user, &sign(key, user, Form::Node, 0));
        let answer = post(
            server.addr,
            &target,
            "application/json",
            r#"{"State":"Online"}"#,
        )
        .await;
        let answer = answer.json();
        assert_eq!(answer["ActionStatus"], "OK", "{answer}");
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        Self {
            addr: server.addr,
            user: user.into(),
            identity: format!("tinyid={}&a2={}", text("TinyId"), text("A2Key")),
        }
    }

    /// Not logged in.
    pub(crate) fn nobody(server: &Server) -> Self {
        Self {
            addr: server.addr,
            user: String::new(),
            identity: String::new(),
        }
    }

    pub(crate) async fn call(&self, command: &str, body: Value) -> Value {
        let target = format!(
            "/{command}?websdkappid=537048168&v=1.7.0&{}&contenttype=json&sdkappid={APP}\
             &accounttype=1&apn=1&reqtime=1700000000&reqSeq=2",
            self.identity
        );
        let reply = post(self.addr, &target, "application/json", &body.to_string()).await;
        assert_eq!(reply.status, 200, "{command}: {reply:?}");
        reply.json()
    }

    pub(crate) async fn code(&self, command: &str, body: Value) -> i64 {
        let answer = self.call(command, body).await;
        let code = answer["ErrorCode"].as_i64().unwrap();
        assert_eq!(answer["ActionStatus"] == "OK", code == 0, "{answer}");
        code
    }

    pub(crate) async fn join(&self, group: &str) -> Reader {
        let answer = self.call(JOIN, json!({"GroupId": group})).await;
        assert_eq!(answer["JoinedStatus"], "JoinedSuccess", "{answer}");
        Reader {
            client: self.clone(),
            key: answer["LongPollingKey"].clone(),
            next: json!(0),
            hold: json!(90),
        }
    }

    pub(crate) fn text(&self, group: &str, text: &str) -> Value {
        json!({"GroupId": group, "From_Account": self.user, "Random": 1, "MsgPriority": "COMMON",
               "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]})
    }

    pub(crate) async fn say(&self, group: &str, text: &str) -> i64 {
        self.code(SEND, self.text(group, text)).await
    }

    pub(crate) async fn poll_id(&self) -> Value {
        let answer = self.call("v4/openim/getlongpollingid", json!({})).await;
        answer["LongPollingId"].clone()
    }

    pub(crate) async fn listen(&self, poll_id: &Value, notice: u64) -> Value {
        let cookie = json!({"NotifySeq": 0, "NoticeSeq": notice, "LongPollingId": poll_id});
        self.call(LISTEN, json!({"Timeout": 60, "Cookie": cookie}))
            .await
    }
}

pub(crate) const JOIN: &str = "v4/group_open_http_svc/apply_join_group";
pub(crate) const QUIT: &str = "v4/group_open_http_svc/quit_group";
pub(crate) const SEND: &str = "v4/group_open_http_svc/send_group_msg";
pub(crate) const READ: &str = "v1/group_open_long_polling_http_noauth_svc/get_msg";
pub(crate) const LISTEN: &str = "v4/openim/longpolling";

impl Reader {
    /// One poll as the official client does it: all three values are copied from the answer.
    pub(crate) async fn poll(&mut self) -> Value {
        let body = json!({"StartSeq": self.next, "HoldTime": self.hold, "Key": self.key});
        let answer = self.client.call(READ, body).await;
        for (kept, name) in [
            (&mut self.next, "NextSeq"),
            (&mut self.hold, "HoldTime"),
            (&mut self.key, "Key"),
        ] {
            assert!(!answer[name].is_null(), "{name} is missing: {answer}");
            *kept = answer[name].clone();
        }
        answer
    }

    /// The messages of one poll, in a few words each.
    pub(crate) async fn read(&mut self) -> Vec<String> {
        let answer = self.poll().await;
        assert_eq!(answer["ErrorCode"], 0, "{answer}");
        let list = answer["RspMsgList"].as_array().unwrap();
        list.iter().map(in_words).collect()
    }

    /// A poll that runs meanwhile.
    pub(crate) fn start(&self) -> JoinHandle<Value> {
        let mut reader = self.clone();
        tokio::spawn(async move { reader.poll().await })
    }
}

/// `bob: hello`, `system 5` or `system 255 {...}`.
fn in_words(entry: &Value) -> String {
    let body = &entry["MsgBody"];
    match entry["Event"].as_u64() {
        Some(3) => {
            let texts = body.as_array().unwrap().iter();
            let texts: Vec<_> = texts
                .map(|e| e["MsgContent"]["Text"].as_str().unwrap())
                .collect();
            format!(
                "{}: {}",
                entry["From_Account"].as_str().unwrap(),
                texts.join("|")
            )
        }
        Some(5) => {
            let field = body["UserDefinedField"].as_str().unwrap_or_default();
            format!("system {} {field}", body["ReportType"])
                .trim()
                .to_owned()
        }
        other => panic!("event {other:?}: {entry}"),
    }
}
