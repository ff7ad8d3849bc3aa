//! `rtcroomd` as a process, and curl to ask it with.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::nginx::Nginx;
use super::program::{Program, RTCROOMD, run};
use super::{PATIENCE, until};

/// A running room server on a free port.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) program: Program,
    folder: tempfile::TempDir,
    /// Keys before the first table.
    first: String,
    rest: String,
    /// Its verbs: `http://127.0.0.1:port/weapp`
    pub(crate) url: String,
}

/// Configuration that carries the streams by this nginx, and asks it which of them run.
pub(crate) fn relayed_by(nginx: &Nginx, app: &str) -> String {
    let (rtmp, http) = (nginx.rtmp_port, nginx.http_port);
    format!(
        "[relay.external]
push_url = \"rtmp://127.0.0.1:{rtmp}/{app}/{{stream}}?{{query}}\"
play_url = \"rtmp://127.0.0.1:{rtmp}/{app}/{{stream}}?{{query}}\"
status_url = \"http://127.0.0.1:{http}/stat\"
status_kind = \"nginx\"
"
    )
}

/// Configuration of a relay inside the room server.
pub(crate) const OWN_RELAY: &str = "[relay.embedded]\nlisten = \"127.0.0.1:0\"\n";

impl Server {
    /// Starts it with all of its configuration but `[http]`.
    pub(crate) fn start(rest: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "", rest)
    }

    /// The same in a folder that has files of its own, with keys before the first table.
    pub(crate) fn start_in(folder: tempfile::TempDir, first: &str, rest: &str) -> Self {
        let program = start(folder.path(), "127.0.0.1:0", first, rest);
        let address = until("rtcroomd listens", PATIENCE, || {
            let out = program.out();
            let (_, rest) = out.split_once("http://")?;
            Some(rest.split_once('/')?.0.to_owned())
        });
        Self {
            program,
            folder,
            first: first.to_owned(),
            rest: rest.to_owned(),
            url: format!("http://{address}/weapp"),
        }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url
            .trim_start_matches("http://")
            .trim_end_matches("/weapp")
    }

    /// Starts it again on the same port, with nothing in its memory.
    pub(crate) fn restart(&mut self) {
        self.program.kill();
        self.program = start(self.folder.path(), self.address(), &self.first, &self.rest);
        until("rtcroomd listens again", PATIENCE, || {
            self.program.out().contains("listening").then_some(())
        });
    }

    /// Asks as a user of its own, who logs in for it.
    pub(crate) fn ask(&self, verb: &str, body: &Value) -> Value {
        self.ask_in("double_room", verb, body)
    }

    /// The same in rooms of another type.
    pub(crate) fn ask_in(&self, room_type: &str, verb: &str, body: &Value) -> Value {
        let info = curl(
            &format!("{}/utils/get_login_info?userID=tester", self.url),
            "",
        );
        let login = format!(
            "{}/{room_type}/login?sdkAppID={}&accountType={}&userID=tester&userSig={}",
            self.url,
            info["sdkAppID"],
            info["accType"].as_str().unwrap(),
            info["userSig"].as_str().unwrap(),
        );
        let token = curl(&login, "{}");
        let token = token["token"].as_str().expect("a token");
        let url = format!(
            "{}/{room_type}/{verb}?userID=tester&token={token}",
            self.url
        );
        curl(&url, &body.to_string())
    }

    /// The members of a room by their user ids, as the list of rooms tells them, or for a room whose
    /// creator has left `get_pushers`; none when there is no such room.
    pub(crate) fn members(&self, room: &str) -> Vec<String> {
        let list = self.ask("get_room_list", &json!({ "index": 0, "cnt": 100 }));
        let rooms = list["rooms"].as_array().into_iter().flatten();
        let listed = { rooms }.find(|listed| listed["roomID"] == room).cloned();
        let room = listed.unwrap_or_else(|| self.ask("get_pushers", &json!({ "roomID": room })));
        let members = room["pushers"].as_array();
        members
            .into_iter()
            .flatten()
            .map(|member| member["userID"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn start(folder: &Path, listen: &str, first: &str, rest: &str) -> Program {
    let config = folder.join("rtcroomd.toml");
    let text = format!("log = \"trace\"\n{first}\n[http]\nlisten = \"{listen}\"\n{rest}");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(RTCROOMD);
    Program::start("rtcroomd", folder, command.arg("--config").arg(config))
}

/// GET, or POST when there is a body.
pub(crate) fn curl(url: &str, body: &str) -> Value {
    let mut arguments = vec!["curl", "--silent", "--show-error", "--max-time", "5", url];
    if !body.is_empty() {
        arguments.extend(["--json", body]);
    }
    let output = run(arguments[0], &arguments[1..]);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{url} does not answer JSON: {error}: {output:?}"))
}
