//! A locked room server with identities of its own, as an operator sets it up; and people that ask it,
//! good and bad.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rtckiosk::config::server::UserRole;
use rtckiosk::protocol::user_sig::{self, Claims, Form, SigningKey};
use rtckiosk::server::users::Users;
use serde_json::{Value, json};

use super::program::run;
use super::server::{OWN_RELAY, Server, curl};

const APP: u64 = 1_400_000_001;

/// The server, and what signs for it.
pub(crate) struct Locked {
    pub(crate) server: Server,
    key: SigningKey,
    users: PathBuf,
}

fn unix_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

impl Locked {
    /// Starts it with these users, its own relay, and more of its configuration.
    pub(crate) fn start(users: &[(&str, UserRole)], rest: &str) -> Self {
        Self::start_with(users, &format!("{rest}{OWN_RELAY}"))
    }

    /// The same with another relay.
    pub(crate) fn start_with(users: &[(&str, UserRole)], rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [pem, file] = ["usersig-key.pem", "users.json"].map(|name| folder.path().join(name));
        let made = Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
            ])
            .arg(&pem)
            .output();
        assert!(made.unwrap().status.success());
        let key = SigningKey::from_pem(&fs::read_to_string(&pem).unwrap()).unwrap();
        let mut known = Users::default();
        for (user, role) in users {
            known.add(user, *role, unix_now());
        }
        known.save(&file).unwrap();
        let first = format!("open = false\nstate_dir = \"{}\"", folder.path().display());
        let server = Server::start_in(folder, &first, rest);
        Self {
            server,
            key,
            users: file,
        }
    }

    /// A genuine userSig.
    pub(crate) fn sign(&self, user: &str) -> String {
        self.sign_for(user, 0, 86_400)
    }

    /// One that was signed `age` seconds ago for a life of `life`.
    pub(crate) fn sign_for(&self, user: &str, age: u64, life: u64) -> String {
        let claims = Claims {
            sdk_app_id: APP,
            account_type: "1".to_owned(),
            identifier: user.to_owned(),
            time: unix_now() - age,
            expire_after: life,
        };
        user_sig::make(&self.key, &claims, Form::Node).unwrap()
    }

    /// The lines of `[room]` that a device of this user has.
    pub(crate) fn credentials(&self, user: &str) -> String {
        Self::credentials_with(&self.sign(user))
    }

    /// The same with a userSig of one's own.
    pub(crate) fn credentials_with(sig: &str) -> String {
        format!("sdk_app_id = {APP}\naccount_type = \"1\"\nuser_sig = \"{sig}\"\n")
    }

    /// Shuts a user out, as `rtcroomd user revoke` does.
    pub(crate) fn revoke(&self, user: &str) {
        let mut users = Users::load(&self.users).unwrap();
        users.revoke(user, UserRole::Plain, unix_now());
        users.save(&self.users).unwrap();
    }

    /// Somebody with a genuine identity, logged in to rooms of this type and to messages.
    pub(crate) fn person(&self, user: &str, room_type: &'static str) -> Person {
        let sig = self.sign(user);
        let base = &self.server.url;
        let login = format!(
            "{base}/{room_type}/login?sdkAppID={APP}&accountType=1&userID={user}&userSig={sig}"
        );
        let answer = curl(&login, "{}");
        let token = answer["token"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"));
        let host = base.trim_end_matches("/weapp");
        let login = format!(
            "{host}/v4/openim/login?identifier={user}&usersig={sig}&sdkappid={APP}&accounttype=1"
        );
        let answer = curl(&login, r#"{"State":"Online"}"#);
        let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("{answer}"));
        Person {
            host: host.to_owned(),
            room_type,
            user: user.to_owned(),
            token: token.to_owned(),
            identity: format!(
                "tinyid={}&a2={}&sdkappid={APP}",
                text("TinyId"),
                text("A2Key")
            ),
        }
    }
}

/// A user with a token of their own.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    host: String,
    room_type: &'static str,
    pub(crate) user: String,
    token: String,
    identity: String,
}

impl Person {
    /// A verb under the person's own name.
    pub(crate) fn ask(&self, verb: &str, body: &Value) -> Value {
        let Self {
            host,
            room_type,
            user,
            token,
            ..
        } = self;
        let url = format!("{host}/weapp/{room_type}/{verb}?userID={user}&token={token}");
        curl(&url, &body.to_string())
    }

    /// The same with a form as its body.
    pub(crate) fn form(&self, verb: &str, form: &str) -> Value {
        let Self {
            host,
            room_type,
            user,
            token,
            ..
        } = self;
        let url = format!("{host}/weapp/{room_type}/{verb}?userID={user}&token={token}");
        let output = run("curl", &["--silent", "--data", form, &url]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    pub(crate) fn code(&self, verb: &str, body: &Value) -> i64 {
        let answer = self.ask(verb, body);
        answer["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{answer}"))
    }

    /// A command of the message service.
    pub(crate) fn im(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}/{command}?{}", self.host, self.identity);
        curl(&url, &body.to_string())
    }

    pub(crate) fn push_url(&self) -> String {
        let answer = self.ask("get_push_url", &json!({ "userID": self.user }));
        answer["pushURL"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// The body of `add_pusher`.
    pub(crate) fn joining(&self, room: &str, push_url: &str) -> Value {
        json!({ "roomID": room, "roomInfo": "", "userID": self.user, "userName": self.user,
                "userAvatar": "", "pushURL": push_url })
    }

    /// Enters a room with a stream of its own, which nobody pushes.
    pub(crate) fn enter(&self, room: &str) -> i64 {
        self.code("add_pusher", &self.joining(room, &self.push_url()))
    }

    pub(crate) fn of(&self, room: &str) -> Value {
        json!({ "roomID": room, "userID": self.user })
    }

    /// The play URLs that `get_pushers` gives, by user; none if it is refused.
    pub(crate) fn play_urls(&self, room: &str) -> Vec<(String, String)> {
        let answer = self.ask("get_pushers", &json!({ "roomID": room }));
        let members = answer["pushers"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        members
            .map(|member| (text(&member["userID"]), text(&member["accelerateURL"])))
            .collect()
    }

    /// Joins a message group; its key, or the refusal.
    pub(crate) fn join(&self, group: &str) -> Result<String, Value> {
        let answer = self.im(
            "v4/group_open_http_svc/apply_join_group",
            &json!({ "GroupId": group }),
        );
        answer["LongPollingKey"]
            .as_str()
            .map(str::to_owned)
            .ok_or(answer.clone())
    }

    pub(crate) fn say(&self, group: &str, text: &str) -> Value {
        let body = json!({ "GroupId": group, "From_Account": self.user, "Random": 1,
            "MsgBody": [{ "MsgType": "TIMTextElem", "MsgContent": { "Text": text } }] });
        self.im("v4/group_open_http_svc/send_group_msg", &body)
    }

    /// All that a group says from a number on.
    pub(crate) fn read(&self, key: &str, from: u64) -> Value {
        self.im(
            "v1/group_open_long_polling_http_noauth_svc/get_msg",
            &json!({ "StartSeq": from, "HoldTime": 1, "Key": key }),
        )
    }
}
