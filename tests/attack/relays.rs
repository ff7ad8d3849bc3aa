//! A real nginx with its RTMP module as the relay of a locked server: it asks before it lets a client in, and sends
//! away whose right has ended. SRS cannot run here: its JSON is asked over HTTP, as its documents have it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::beside::USERS;
use crate::support::locked::Locked;
use crate::support::nginx::{self, free_port};
use crate::support::program::run;
use crate::support::{PATIENCE, turn, until_true};

const KEY: &str = "a-key-of-the-relay-alone";

/// nginx that asks the room server; killed when dropped.
struct Relay {
    process: Child,
    _folder: tempfile::TempDir,
    rtmp: u16,
}

impl Relay {
    fn start(rtmp: u16, http: u16, rooms: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ask = format!("http://{rooms}/relay/hooks/{KEY}");
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid nginx.pid; error_log error.log info;
events {{ worker_connections 256; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp}; application live {{
    live on; on_publish {ask}; on_play {ask}; on_done {ask};
}} }} }}
http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
server {{ listen 127.0.0.1:{http};
    location /stat {{ rtmp_stat all; }}
    location /control {{ rtmp_control all; }}
}} }}
"
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let process = nginx::run(folder.path(), ([127, 0, 0, 1], rtmp).into());
        Self {
            process,
            _folder: folder,
            rtmp,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// ffmpeg; killed when dropped.
struct Ffmpeg(Child);

impl Ffmpeg {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-loglevel", "error", "-nostdin"])
            .args(arguments);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }

    fn push(url: &str) -> Self {
        let source = "testsrc=size=160x120:rate=10";
        Self::start(&[
            "-re",
            "-f",
            "lavfi",
            "-i",
            source,
            "-c:v",
            "libx264",
            "-g",
            "10",
            "-preset",
            "ultrafast",
            "-f",
            "flv",
            url,
        ])
    }

    fn play(url: &str) -> Self {
        Self::start(&["-i", url, "-f", "null", "-"])
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Goes on for a while.
    fn goes_on(&mut self) -> bool {
        std::thread::sleep(Duration::from_secs(3));
        self.runs()
    }

    fn ends(&mut self, what: &str) {
        until_true(what, PATIENCE, || !self.runs());
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn relayed(rtmp: u16, http: u16) -> String {
    format!(
        "[relay.external]
push_url = \"rtmp://127.0.0.1:{rtmp}/live/{{stream}}?{{query}}\"
play_url = \"rtmp://127.0.0.1:{rtmp}/live/{{stream}}?{{query}}\"
status_url = \"http://127.0.0.1:{http}/stat\"
status_kind = \"nginx\"
hook_key = \"{KEY}\"
control_url = \"http://127.0.0.1:{http}/control\"
"
    )
}

#[test]
fn nginx_lets_in_whom_the_rooms_let_in_and_sends_away_whom_they_do_not() {
    let _turn = turn();
    let (rtmp, http) = (free_port(), free_port());
    let locked = Locked::start_with(USERS, &relayed(rtmp, http));
    let relay = Relay::start(rtmp, http, locked.server.address());
    assert_eq!(relay.rtmp, rtmp);
    let [host, guest, eve] =
        ["agent", "guest", "eve"].map(|user| locked.person(user, "double_room"));
    let push = host.push_url();
    let mut pushing = Ffmpeg::push(&push);
    assert!(pushing.goes_on(), "the owner pushes");
    assert_eq!(host.code("add_pusher", &host.joining("r", &push)), 0);
    let [(_, eves)] = &eve.play_urls("r")[..] else {
        panic!("the agent alone");
    };
    // A URL to play opens nothing for pushing; nor does a made-up one.
    Ffmpeg::push(eves).ends("a push by a play URL is refused");
    let stream = push.split('?').next().unwrap();
    Ffmpeg::push(&format!("{stream}x?txSecret=0&txTime=7FFFFFFF")).ends("a made-up URL is refused");
    Ffmpeg::play(stream).ends("a play without a signature is refused");
    let mut watching = Ffmpeg::play(eves);
    assert!(watching.goes_on(), "who could come in may look");
    let [(_, guests)] = &guest.play_urls("r")[..] else {
        panic!("the agent alone");
    };
    let mut playing = Ffmpeg::play(guests);
    assert_eq!(guest.enter("r"), 0);
    watching.ends("the stranger is sent away when the room is full");
    assert!(playing.goes_on(), "the guest plays");
    Ffmpeg::play(eves).ends("and does not come back");
    assert_eq!(guest.code("delete_pusher", &guest.of("r")), 0);
    assert_eq!(eve.enter("r"), 0);
    playing.ends("who has left plays no more");
    locked.revoke("agent");
    pushing.ends("a revoked user pushes no more");
}

#[test]
fn srs_asks_in_json_and_nobody_asks_without_the_key() {
    let locked = Locked::start_with(USERS, &relayed(free_port(), free_port()));
    let host = locked.person("agent", "double_room");
    let push = host.push_url();
    assert_eq!(host.code("add_pusher", &host.joining("r", &push)), 0);
    let (path, query) = push.split_once('?').unwrap();
    let stream = path.rsplit('/').next().unwrap();
    let ask = |key: &str, action: &str, query: &str| {
        let body = json!({ "action": action, "client_id": "c1", "ip": "10.0.0.7", "vhost": "__defaultVhost__",
            "app": "live", "stream": stream, "param": format!("?{query}"), "server_id": "vid-1" });
        let url = format!("http://{}/relay/hooks/{key}", locked.server.address());
        let output = run(
            "curl",
            &[
                "--silent",
                "--write-out",
                " %{http_code}",
                "--json",
                &body.to_string(),
                &url,
            ],
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(KEY, "on_publish", query), "0 200");
    assert_eq!(
        ask(KEY, "on_publish", "txSecret=0&txTime=7FFFFFFF"),
        "1 403"
    );
    assert_eq!(ask(KEY, "on_play", query), "1 403");
    let urls = host.play_urls("r");
    let play = urls[0].1.split_once('?').unwrap().1;
    assert_eq!(ask(KEY, "on_play", play), "0 200");
    assert_eq!(ask(KEY, "on_stop", ""), "0 200");
    for key in ["", "guess", "a-key-of-the-relay-alonf"] {
        assert!(ask(key, "on_publish", query).ends_with("404"), "{key}");
    }
    let log = locked.server.program.err();
    assert!(!log.contains(KEY), "the key is in the log");
}
