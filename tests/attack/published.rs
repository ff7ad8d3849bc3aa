//! The published clients against a locked server, with identities of their own: the order of calls of
//! each, and its habits, bugs included. All of them work.

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::beside::USERS;
use crate::rtmp_client::Client;
use crate::strangers::{play, publish};
use crate::support::locked::{Locked, Person};
use crate::support::program::run;

/// A client of the field: its user, and the streams that it pushes and plays.
struct Device<'a> {
    runtime: &'a Runtime,
    me: Person,
    push_url: String,
    pushing: Option<Client>,
    playing: Vec<Client>,
    /// The play URLs of the last look, which clients compare.
    known: Vec<(String, String)>,
}

impl<'a> Device<'a> {
    fn new(runtime: &'a Runtime, locked: &Locked, user: &str, room_type: &'static str) -> Self {
        Self {
            runtime,
            me: locked.person(user, room_type),
            push_url: String::new(),
            pushing: None,
            playing: Vec::new(),
            known: Vec::new(),
        }
    }

    /// `get_push_url`, with what the client puts into it, and the push up to event 1002.
    fn push(&mut self, body: &Value) {
        let answer = self.me.ask("get_push_url", body);
        answer["pushURL"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .clone_into(&mut self.push_url);
        let (client, code) = publish(self.runtime, &self.push_url);
        assert_eq!(code, "NetStream.Publish.Start");
        self.pushing = Some(client);
    }

    fn user(&self) -> Value {
        json!({ "userID": self.me.user })
    }

    fn add(&self, room: &str) {
        let body = self.me.joining(room, &self.push_url);
        assert_eq!(self.me.code("add_pusher", &body), 0);
    }

    fn beat(&self, room: &str) {
        assert_eq!(self.me.code("pusher_heartbeat", &self.me.of(room)), 0);
    }

    /// `get_pushers`, and a play of everybody else that is new; a known member's URL is the same.
    fn look(&mut self, room: &str) -> Vec<String> {
        let members = self.me.play_urls(room);
        for (user, url) in &members {
            if let Some((_, before)) = self.known.iter().find(|(known, _)| known == user) {
                assert_eq!(before, url, "a client takes another URL for another stream");
            } else if *user != self.me.user {
                let (client, code) = play(self.runtime, url);
                assert_eq!(
                    code, "NetStream.Play.Start",
                    "{} plays {user}",
                    self.me.user
                );
                self.playing.push(client);
            }
        }
        let users = members.iter().map(|(user, _)| user.clone()).collect();
        self.known = members;
        users
    }

    fn join(&self, group: &str) -> String {
        self.me
            .join(group)
            .unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    fn says(&self, group: &str, text: &str) {
        let said = self.me.say(group, text);
        assert_eq!(said["ErrorCode"], 0, "{said}");
    }

    fn hears(&self, key: &str, text: &str) {
        let read = self.me.read(key, 0);
        assert!(
            read.to_string().contains(text),
            "{} reads {read}",
            self.me.user
        );
    }

    /// Leaves as Windows and the mini-program do, with a heartbeat that comes too late.
    fn leave(mut self, room: &str) {
        self.playing.clear();
        self.pushing = None;
        assert_eq!(self.me.code("delete_pusher", &self.me.of(room)), 0);
        // Windows has forgotten the name of the group by then.
        self.me.im(
            "v4/group_open_http_svc/quit_group",
            &json!({ "GroupId": "" }),
        );
        assert_eq!(self.me.code("pusher_heartbeat", &self.me.of("")), 5);
    }
}

/// A room that a client has made.
fn created(device: &Device<'_>, room: Option<&str>) -> String {
    let mut body = device.user();
    body["roomInfo"] = "{\"title\":\"柜台\"}".into();
    if let Some(room) = room {
        body["roomID"] = room.into();
    }
    let answer = device.me.ask("create_room", &body);
    assert_eq!(answer["code"], 0, "{answer}");
    answer["roomID"].as_str().unwrap().to_owned()
}

fn listed(device: &Device<'_>) -> Vec<String> {
    let list = device
        .me
        .ask("get_room_list", &json!({ "index": 0, "cnt": 20 }));
    let rooms = list["rooms"].as_array().unwrap_or_else(|| panic!("{list}"));
    rooms
        .iter()
        .map(|room| room["roomID"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn windows_clients_call_each_other() {
    let (runtime, locked) = (Runtime::new().unwrap(), Locked::start(USERS, ""));
    // Push, create, and then all at once: group, heartbeat, add_pusher.
    let mut host = Device::new(&runtime, &locked, "win-1", "double_room");
    host.push(&json!({ "userID": "win-1", "roomID": "" }));
    let room = created(&host, Some("counter 3"));
    let key = host.join(&room);
    host.me.code("pusher_heartbeat", &host.me.of(&room));
    host.add(&room);
    assert_eq!(host.look(&room), ["win-1"]);
    let mut guest = Device::new(&runtime, &locked, "win-2", "double_room");
    assert_eq!(listed(&guest), [room.as_str()]);
    guest.push(&json!({ "userID": "win-2", "roomID": "" }));
    guest.beat_or_not(&room);
    guest.add(&room);
    let guests = guest.join(&room);
    assert_eq!(guest.look(&room), ["win-1", "win-2"]);
    assert_eq!(host.look(&room), ["win-1", "win-2"]);
    guest.says(&room, "hello");
    host.hears(&key, "hello");
    host.says(&room, "welcome");
    guest.hears(&guests, "welcome");
    host.beat(&room);
    guest.leave(&room);
    assert_eq!(host.look(&room), ["win-1"]);
    host.leave(&room);
}

impl Device<'_> {
    /// The Windows client's timer starts before `add_pusher`, and nobody reads the answer.
    fn beat_or_not(&self, room: &str) {
        assert_eq!(self.me.code("pusher_heartbeat", &self.me.of(room)), 5);
    }
}

/// The mini-program: as many as the type of room holds.
fn mini_programs(room_type: &'static str, guests: usize) {
    let (runtime, locked) = (Runtime::new().unwrap(), Locked::start(USERS, ""));
    let mut host = Device::new(&runtime, &locked, "mini", room_type);
    let room = created(&host, None);
    host.push(&host.user());
    host.add(&room);
    host.beat(&room);
    let key = host.join(&room);
    host.look(&room);
    let mut others = Vec::new();
    for n in 0..guests {
        let mut guest = Device::new(&runtime, &locked, &format!("mini-{n}"), room_type);
        assert_eq!(listed(&guest), [room.as_str()]);
        // It asks who is there, and plays them, before it enters.
        assert_eq!(guest.look(&room).len(), n + 1);
        guest.push(&json!({ "userID": guest.me.user, "roomID": room }));
        guest.add(&room);
        guest.beat(&room);
        let guests = guest.join(&room);
        assert_eq!(guest.look(&room).len(), n + 2);
        guest.says(&room, &format!("here is {n}"));
        guest.hears(&guests, &format!("here is {n}"));
        host.hears(&key, &format!("here is {n}"));
        others.push(guest);
    }
    assert_eq!(host.look(&room).len(), guests + 1);
    let late = Device::new(&runtime, &locked, "late", room_type);
    assert_eq!(
        late.me.ask("get_pushers", &json!({ "roomID": room }))["code"],
        5001
    );
    assert_eq!(late.me.enter(&room), 5001);
    // The one who made the room may go first; the others stay together.
    let last = others.pop().unwrap();
    host.leave(&room);
    for guest in others {
        guest.leave(&room);
    }
    last.leave(&room);
    assert_eq!(listed(&late), [""; 0]);
}

#[test]
fn mini_programs_meet_in_double_rooms() {
    mini_programs("double_room", 1);
}

#[test]
fn mini_programs_meet_in_multi_rooms() {
    mini_programs("multi_room", 3);
}

#[test]
fn a_live_room_has_an_audience() {
    let (runtime, locked) = (Runtime::new().unwrap(), Locked::start(USERS, ""));
    let mut main = Device::new(&runtime, &locked, "anchor", "live_room");
    let room = created(&main, None);
    main.push(&main.user());
    main.add(&room);
    let key = main.join(&room);
    main.beat(&room);
    // The audience plays from the list, and writes without being a pusher.
    let mut fan = Device::new(&runtime, &locked, "fan", "live_room");
    let list = fan
        .me
        .ask("get_room_list", &json!({ "index": 0, "cnt": 20 }));
    let mixed = list["rooms"][0]["mixedPlayURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_watching, code) = play(&runtime, &mixed);
    assert_eq!(code, "NetStream.Play.Start");
    let seen = fan.me.ask("get_pushers", &json!({ "roomID": room }));
    assert_eq!(
        seen["mixedPlayURL"],
        mixed.as_str(),
        "the same for this viewer"
    );
    let fans = fan.join(&room);
    let audience = json!({ "roomID": room, "userID": "fan", "userInfo": "{}" });
    assert_eq!(fan.me.code("add_audience", &audience), 0);
    fan.says(&room, "bravo");
    main.hears(&key, "bravo");
    // One of them comes up to the stage.
    fan.push(&fan.user());
    fan.add(&room);
    assert_eq!(fan.look(&room), ["anchor", "fan"]);
    main.says(&room, "welcome");
    fan.hears(&fans, "welcome");
    fan.leave(&room);
    main.leave(&room);
}

#[test]
fn ios_joins_the_group_before_it_enters() {
    let (runtime, locked) = (Runtime::new().unwrap(), Locked::start(USERS, ""));
    let mut host = Device::new(&runtime, &locked, "ios", "double_room");
    let room = created(&host, None);
    host.push(&json!({ "userID": "ios", "roomID": room }));
    host.add(&room);
    let hosts = host.join(&room);
    host.beat(&room);
    let mut guest = Device::new(&runtime, &locked, "ios-2", "double_room");
    let guests = guest.join(&room);
    host.says(&room, "not for those outside");
    assert_eq!(guest.look(&room), ["ios"]);
    guest.push(&json!({ "userID": "ios-2", "roomID": room }));
    guest.add(&room);
    guest.beat(&room);
    host.says(&room, "now you are here");
    guest.hears(&guests, "now you are here");
    assert!(
        !guest
            .me
            .read(&guests, 0)
            .to_string()
            .contains("not for those outside")
    );
    guest.says(&room, "yes");
    host.hears(&hosts, "yes");
    guest.leave(&room);
    host.leave(&room);
}

#[test]
fn a_web_page_asks_from_an_origin_that_the_operator_named() {
    let runtime = Runtime::new().unwrap();
    let locked = Locked::start(USERS, "cors_origins = [\"https://desk.example.com\"]\n");
    let mut host = Device::new(&runtime, &locked, "web", "double_room");
    let room = created(&host, None);
    host.push(&host.user());
    host.add(&room);
    let allowed = |origin: &str| {
        let url = format!("{}/double_room/get_room_list", locked.server.url);
        let origin = format!("Origin: {origin}");
        let asks = "Access-Control-Request-Method: POST";
        let arguments = [
            "--silent",
            "--include",
            "--request",
            "OPTIONS",
            "--header",
            &origin,
            "--header",
            asks,
            &url,
        ];
        let output = run("curl", &arguments);
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        said.contains("access-control-allow-origin: https://desk.example.com")
    };
    assert!(allowed("https://desk.example.com") && !allowed("https://evil.example.com"));
    // A form's values are texts.
    let form = host.me.form("get_room_list", "index=0&cnt=20");
    assert_eq!(form["rooms"][0]["roomID"], room.as_str(), "{form}");
    host.leave(&room);
}
