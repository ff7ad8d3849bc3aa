//! The front door without sockets: for fuzz targets, and for tests that ask as several users.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request as HttpRequest, StatusCode, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use crate::protocol::request::{self, Request};
use crate::protocol::user_sig::{self, Claims, DEFAULT_VALID_SECONDS, Form, SigningKey};
use crate::protocol::{RoomType, webim};
use crate::server::clock::unix_now;
use crate::server::http::{App, parse_body, reached, router};
use crate::server::limits::Rate;
use crate::server::relay::StreamState;
use crate::server::room_server::Ground;
use crate::server::rooms::Rules;
use crate::server::settings::Settings;
use crate::server::urls::{EmbeddedAddress, RelayAddress, StreamUrls};

/// Requests of one script; further ones are not looked at.
const MAX_REQUESTS: usize = 24;
/// Longest answer to a request of a script, which makes few and short things to answer with.
const MAX_ANSWER: usize = 256 << 10;
const APP: u64 = 1_400_000_001;
/// The user that commands the message service, by default.
const ADMINISTRATOR: &str = "admin";

/// A body of a room request, as every verb reads it. The content type is read as a host too.
pub fn room_request(content_type: Option<&str>, body: &[u8]) {
    if let Some(Ok(named)) = content_type.map(HeaderValue::from_str) {
        let headers = HeaderMap::from_iter([(header::HOST, named)]);
        let host = reached(&headers, None);
        assert!(!host.is_empty() && !host.contains(['/', '?', '@']));
    }
    let Ok(value) = parse_body(content_type, body) else {
        return;
    };
    same_again::<request::GetPushUrl>(&value);
    same_again::<request::GetRoomList>(&value);
    same_again::<request::GetPushers>(&value);
    same_again::<request::CreateRoom>(&value);
    same_again::<request::DestroyRoom>(&value);
    same_again::<request::AddPusher>(&value);
    same_again::<request::DeletePusher>(&value);
    same_again::<request::PusherHeartbeat>(&value);
    same_again::<request::MergeStream>(&value);
    same_again::<request::GetCustomInfo>(&value);
    same_again::<request::SetCustomField>(&value);
    same_again::<request::AddAudience>(&value);
    same_again::<request::DeleteAudience>(&value);
    same_again::<request::GetAudiences>(&value);
    same_again::<request::Call>(&value);
    same_again::<request::RenewUserSig>(&value);
}

/// Asserts that what was understood, sent as our client would, is understood again.
fn same_again<R: Request + PartialEq + std::fmt::Debug>(value: &Value) {
    match request::parse::<R>(value.clone()) {
        Ok(read) => {
            let sent = serde_json::to_value(&read).expect("no odd keys");
            assert_eq!(request::parse::<R>(sent).as_ref(), Ok(&read));
        }
        Err(error) => assert!(error.to_string().len() < 2048, "{error}"),
    }
}

/// Requests, one per line: method, path with query, content type and body, with a space between.
/// In them stand `$T0` for the room token of user u0 (as a query), `$I0` for their message login,
/// `$R` for a room server's signature, `$K` for the last group key and `$P` for the last poll id.
pub fn front_door(script: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O");
    runtime.block_on(async {
        // Polls are held for half a minute; it passes at once.
        tokio::time::pause();
        let mut guests = Guests::new(Door::new());
        for line in script.lines().take(MAX_REQUESTS) {
            guests.act(line).await;
        }
        guests.door.audit();
        guests.door.sweep();
        guests.door.audit();
    });
}

static KEY: LazyLock<SigningKey> = LazyLock::new(key);

fn key() -> SigningKey {
    SigningKey::p256_from_bytes(&[7; 32]).expect("not one of the few that are no key")
}

fn user_sig(user: &str) -> String {
    let claims = Claims {
        sdk_app_id: APP,
        account_type: "1".to_owned(),
        identifier: user.to_owned(),
        time: unix_now(),
        expire_after: DEFAULT_VALID_SECONDS,
    };
    user_sig::make(&KEY, &claims, Form::Node).expect("the key signs")
}

/// A room server that is asked without a connection, as often as one likes.
pub(crate) struct Door {
    pub(crate) app: Arc<App>,
    service: TowerToHyperService<axum::Router>,
}

impl Door {
    pub(crate) fn new() -> Self {
        let mut settings = Settings::on_free_ports().expect("no files to read");
        settings.auth.sdk_app_id = APP;
        settings.auth.verifying_key = KEY.verifying_key();
        settings.auth.signing_key = Some(key());
        let often = NonZeroU32::new(1_000_000).expect("not 0");
        let often = Rate {
            per_second: often,
            burst: often,
        };
        settings.http.per_user = often;
        settings.im.per_user = often;
        settings.im.messages = often;
        let relay = RelayAddress::Embedded(EmbeddedAddress {
            scheme: "rtmp",
            host: None,
            port: 1935,
            app: "live".to_owned(),
        });
        let urls = StreamUrls::new(settings.urls, relay);
        let (auth, im, http) = (settings.auth, settings.im, settings.http);
        let ground = Ground::new(Rules::default(), auth);
        let app = Arc::new(ground.assemble(im, urls, http));
        let service = TowerToHyperService::new(router(app.clone()));
        Self { app, service }
    }

    /// The answer to one request; not JSON gives null.
    pub(crate) async fn ask(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        body: String,
    ) -> Option<(StatusCode, Value)> {
        let request = HttpRequest::builder()
            .method(method)
            .uri(target)
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::from(body));
        let response = self.service.call(request.ok()?).await;
        let response = response.unwrap_or_else(|never| match never {});
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await;
        let body = body.expect("a short answer");
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Value {
        let answer = self.ask(Method::POST, target, "application/json", body.to_string());
        answer.await.map_or(Value::Null, |(_, body)| body)
    }

    /// The token of a new login to the rooms.
    pub(crate) async fn log_in(&self, user: &str) -> String {
        let sig = user_sig(user);
        let target = format!(
            "/weapp/double_room/login?sdkAppID={APP}&accountType=1&userID={user}&userSig={sig}"
        );
        let answer = self.post(&target, &Value::Null).await;
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// The query of a new login to the message service.
    pub(crate) async fn log_in_for_messages(&self, user: &str) -> String {
        let sig = user_sig(user);
        let target = format!(
            "/{}?sdkappid={APP}&accounttype=1&identifier={user}&usersig={sig}",
            webim::ImCommand::Login.path()
        );
        let answer = self.post(&target, &Value::Null).await;
        let text = |key: &str| answer[key].as_str().expect("logged in").to_owned();
        format!(
            "sdkappid={APP}&tinyid={}&a2={}",
            text("TinyId"),
            text("A2Key")
        )
    }

    /// Drops everybody that is late, as if no stream ran.
    pub(crate) fn sweep(&self) {
        let now = self.app.clock.now();
        for late in self.app.rooms.sweep(now).late {
            self.app.rooms.judge(&late, &StreamState::NotLive, now);
        }
        self.app.tidy();
    }

    /// No room is over-full, and no open one is empty.
    pub(crate) fn audit(&self) {
        for kind in RoomType::ALL {
            for room in self.app.rooms.list(kind, |_| true, 0, usize::MAX) {
                assert!((1..=kind.default_capacity()).contains(&room.members.len()));
            }
        }
    }
}

/// The users of a script, and what they remember.
struct Guests {
    door: Door,
    /// The texts that stand for the placeholders so far.
    known: HashMap<String, String>,
}

impl Guests {
    fn new(door: Door) -> Self {
        Self {
            door,
            known: HashMap::new(),
        }
    }

    async fn act(&mut self, line: &str) {
        let line = self.filled(line).await;
        let mut parts = line.splitn(4, ' ');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (method, target, content_type, body) = (next(), next(), next(), next());
        let Ok(method) = Method::from_bytes(method.as_bytes()) else {
            return;
        };
        let answer = self.door.ask(method.clone(), &target, &content_type, body);
        let Some((status, answer)) = answer.await else {
            return;
        };
        assert!(!status.is_server_error(), "{status}: {line}");
        // HEAD has no body, and CORS answers OPTIONS.
        if status == StatusCode::OK && [Method::GET, Method::POST].contains(&method) {
            assert!(answer.is_object(), "{answer}: {line}");
        }
        for (name, key) in [("$K", "LongPollingKey"), ("$P", "LongPollingId")] {
            if let Some(value) = answer.get(key).and_then(Value::as_str) {
                self.known.insert(name.to_owned(), value.to_owned());
            }
        }
        self.door.audit();
    }

    async fn filled(&mut self, line: &str) -> String {
        let mut line = line.to_owned();
        for user in ["u0", "u1", "u2"] {
            let number = &user[1..];
            for name in [format!("$T{number}"), format!("$I{number}")] {
                if !line.contains(&name) {
                    continue;
                }
                if !self.known.contains_key(&name) {
                    let value = if name.starts_with("$T") {
                        let token = self.door.log_in(user).await;
                        format!("userID={user}&token={token}")
                    } else {
                        self.door.log_in_for_messages(user).await
                    };
                    self.known.insert(name.clone(), value);
                }
                line = line.replace(&name, &self.known[&name]);
            }
        }
        if line.contains("$R") {
            let sig = user_sig(ADMINISTRATOR);
            let query = format!("sdkappid={APP}&identifier={ADMINISTRATOR}&usersig={sig}");
            line = line.replace("$R", &query);
        }
        for name in ["$K", "$P"] {
            if let Some(value) = self.known.get(name) {
                line = line.replace(name, value);
            }
        }
        line
    }
}
