//! Several users, good and bad, at one front door: whatever they ask in whatever order, nobody
//! acts for another, rooms hold what they may, and everybody that comes or goes is announced once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use super::fuzzing::Door;
use crate::protocol::im_rest::NOTIFY_PUSHER_CHANGE;
use crate::protocol::webim::{self, BigGroupPolled, Content, ImCommand, ReportType};
use crate::protocol::{Code, RoomType, Verb};
use crate::server::rooms::{RoomChange, RoomEvent, RoomKey};

const USERS: usize = 6;
const ROOMS: usize = 2;

/// The token that a request carries.
#[derive(Debug, Clone, Copy)]
enum Token {
    /// Of the user's last login.
    Own,
    /// Of their login before that.
    Stale,
    /// Of another user.
    Of(usize),
    Invented,
}

#[derive(Debug, Clone)]
enum Step {
    Login(usize),
    Ask {
        verb: Verb,
        room: usize,
        /// Named in the query.
        user: usize,
        /// Named in the body.
        named: usize,
        token: Token,
    },
    /// Seconds pass, and silent members are dropped.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let token = prop_oneof![
        12 => Just(Token::Own),
        1 => Just(Token::Stale),
        2 => (0..USERS).prop_map(Token::Of),
        1 => Just(Token::Invented),
    ];
    let verb = prop_oneof![
        1 => Just(Verb::CreateRoom),
        6 => Just(Verb::AddPusher),
        3 => Just(Verb::DeletePusher),
        1 => Just(Verb::DestroyRoom),
        2 => Just(Verb::PusherHeartbeat),
        1 => Just(Verb::Logout),
    ];
    // Mostly users name themselves.
    let user = (0..USERS, 0..USERS, 0_u8..10);
    let ask = (verb, 0..ROOMS, user, token).prop_map(|(verb, room, user, token)| Step::Ask {
        verb,
        room,
        user: user.0,
        named: if user.2 == 0 { user.1 } else { user.0 },
        token,
    });
    let step = prop_oneof![
        1 => (0..USERS).prop_map(Step::Login),
        12 => ask,
        1 => (1_u64..30).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// Members by room.
type Members = BTreeMap<String, BTreeSet<String>>;

/// Reads a room's group as a mini-program does.
struct Listener {
    key: String,
    next: u64,
}

struct World {
    door: Door,
    kind: RoomType,
    /// The last token of each user, and the one before.
    tokens: Vec<(Option<String>, String)>,
    events: Receiver<RoomEvent>,
    /// Members as events tell them.
    told: Members,
    /// One login for each room: nobody waits before two at once.
    watchers: Vec<String>,
    listeners: BTreeMap<String, Listener>,
}

impl World {
    async fn new(kind: RoomType) -> Self {
        let door = Door::new();
        let im = door.app.im.clone();
        tokio::spawn(async move { im.run(tokio_util::sync::CancellationToken::new()).await });
        Self {
            kind,
            tokens: vec![(None, "old".to_owned()); USERS],
            events: door.app.rooms.subscribe(),
            told: Members::new(),
            watchers: vec![
                door.log_in_for_messages("watcher0").await,
                door.log_in_for_messages("watcher1").await,
            ],
            listeners: BTreeMap::new(),
            door,
        }
    }

    fn members(&self) -> Members {
        let rooms = self.door.app.rooms.list(self.kind, |_| true, 0, usize::MAX);
        let users = |room: &crate::server::rooms::Room| {
            room.members
                .iter()
                .map(|member| member.user.clone())
                .collect()
        };
        rooms
            .iter()
            .map(|room| (room.key.id.clone(), users(room)))
            .collect()
    }

    async fn act(&mut self, step: &Step) {
        match *step {
            Step::Login(user) => {
                let token = self.door.log_in(&name(user)).await;
                let (last, before) = &mut self.tokens[user];
                *before = last.replace(token).unwrap_or_default();
            }
            Step::Wait(seconds) => {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                self.door.sweep();
            }
            Step::Ask {
                verb,
                room,
                user,
                named,
                token,
            } => {
                let before = self.members();
                let token = match token {
                    Token::Own => self.tokens[user].0.clone(),
                    Token::Stale => Some(self.tokens[user].1.clone()),
                    Token::Of(other) => self.tokens[other].0.clone(),
                    Token::Invented => None,
                };
                let token = token.unwrap_or_else(|| "invented".to_owned());
                let may = self.tokens[user].0.as_ref() == Some(&token);
                let code = self.ask(verb, room, user, named, &token).await;
                let after = self.members();
                let allowed = may && (named == user || verb == Verb::Logout);
                assert_eq!(allowed, code != Code::Auth.number(), "{step:?}");
                if !allowed {
                    assert_eq!(before, after, "{step:?}");
                }
                if allowed && verb == Verb::Logout {
                    let (last, old) = &mut self.tokens[user];
                    *old = last.take().unwrap_or_default();
                }
                check_effect(
                    &before,
                    &after,
                    (verb, code),
                    &room.to_string(),
                    &name(user),
                );
            }
        }
    }

    async fn ask(&self, verb: Verb, room: usize, user: usize, named: usize, token: &str) -> i64 {
        let target = format!(
            "/weapp/{}/{verb}?userID={}&token={token}",
            self.kind,
            name(user)
        );
        let named = name(named);
        let body = json!({
            "roomID": room.to_string(), "userID": named, "roomInfo": "", "userName": named,
            "userAvatar": "", "pushURL": format!("rtmp://relay/live/1_{named}"),
        });
        let answer = self.door.post(&target, &body).await;
        answer["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no code in {answer}"))
    }

    /// Events of rooms since the last look, as their groups were told.
    fn happened(&mut self) -> BTreeMap<String, Vec<ReportType>> {
        let mut expected: BTreeMap<String, Vec<ReportType>> = BTreeMap::new();
        while let Ok(RoomEvent { room, what, .. }) = self.events.try_recv() {
            let members = self.told.entry(room.id.clone()).or_default();
            let announced = expected.entry(room.id).or_default();
            match what {
                RoomChange::Joined { user } => {
                    assert!(members.insert(user));
                    announced.push(ReportType::Custom);
                }
                RoomChange::Left { user } => {
                    assert!(members.remove(&user), "announced twice, or never there");
                    announced.push(ReportType::Custom);
                }
                RoomChange::Changed { user } => {
                    assert!(members.contains(&user));
                    announced.push(ReportType::Custom);
                }
                RoomChange::Closed => {
                    members.clear();
                    announced.push(ReportType::Dissolved);
                }
                RoomChange::Held { .. } => panic!("nobody asked for an agent"),
                RoomChange::Reserved | RoomChange::Opened => assert!(members.is_empty()),
            }
        }
        self.told.retain(|_, members| !members.is_empty());
        assert_eq!(self.told, self.members(), "ghosts");
        expected
    }

    /// Checks that everybody that listens to a room's group heard exactly what happened.
    async fn listen(&mut self) {
        let mut happened = self.happened();
        for number in 0..ROOMS {
            let room = number.to_string();
            let mut expected = happened.remove(&room).unwrap_or_default();
            if let Some(mut listener) = self.listeners.remove(&room) {
                let end = expected
                    .iter()
                    .position(|report| *report == ReportType::Dissolved);
                expected.truncate(end.map_or(expected.len(), |end| end + 1));
                let heard = self.hear(number, &mut listener, expected.len()).await;
                assert_eq!(heard, expected, "room {room}");
                if end.is_none() {
                    self.listeners.insert(room.clone(), listener);
                }
            }
            let exists = self
                .door
                .app
                .rooms
                .exists(&RoomKey::new(self.kind, room.as_str()));
            if exists && !self.listeners.contains_key(&room) {
                let answer = self
                    .message(number, ImCommand::ApplyJoinGroup, &json!({"GroupId": room}))
                    .await;
                let key = answer["LongPollingKey"]
                    .as_str()
                    .expect("joined")
                    .to_owned();
                self.listeners.insert(room, Listener { key, next: 0 });
            }
        }
    }

    async fn hear(&self, room: usize, listener: &mut Listener, expected: usize) -> Vec<ReportType> {
        let mut heard = Vec::new();
        while heard.len() < expected {
            let asked = json!({"StartSeq": listener.next, "HoldTime": 1, "Key": listener.key});
            let answer = self.message(room, ImCommand::BigGroupPoll, &asked).await;
            let polled: BigGroupPolled = webim::parse(answer.to_string().as_bytes()).expect("OK");
            let list = webim::messages(&polled.rsp_msg_list);
            assert!(!list.is_empty(), "heard {heard:?} of {expected}");
            listener.next = polled.next_seq;
            for message in list {
                let Content::System {
                    report,
                    user_defined,
                    ..
                } = message.content
                else {
                    panic!("nobody said anything: {message:?}");
                };
                let is_change = user_defined.as_deref() == Some(NOTIFY_PUSHER_CHANGE);
                assert_eq!(is_change, report == ReportType::Custom);
                heard.push(report);
            }
        }
        heard
    }

    async fn message(&self, room: usize, command: ImCommand, body: &Value) -> Value {
        let target = format!("/{}?{}", command.path(), self.watchers[room]);
        self.door.post(&target, body).await
    }
}

fn name(user: usize) -> String {
    format!("u{user}")
}

/// Checks that a request changes nobody's place but its sender's, unless the room closes; and that
/// its answer is true.
fn check_effect(
    before: &Members,
    after: &Members,
    (verb, code): (Verb, i64),
    room: &str,
    user: &str,
) {
    for (id, members) in before {
        let Some(now) = after.get(id) else {
            // A member closes a room by leaving it last; its recorded creator may destroy it,
            // even after having left, as on the Node server.
            let destroyed = verb == Verb::DestroyRoom && code == Code::Ok.number();
            assert!(
                id == room && (members.contains(user) || destroyed),
                "{verb} closed room {id}"
            );
            continue;
        };
        for moved in members.symmetric_difference(now) {
            assert!(
                id == room && moved == user,
                "{verb} of {user} moved {moved} in {id}"
            );
        }
    }
    let is_in = |members: &Members| {
        members
            .get(room)
            .is_some_and(|members| members.contains(user))
    };
    match (verb, code == Code::Ok.number()) {
        (Verb::AddPusher, true) => assert!(is_in(after)),
        (Verb::DeletePusher, true) => assert!(is_in(before) && !is_in(after)),
        (Verb::DeletePusher, false) => assert_eq!(is_in(before), is_in(after)),
        (Verb::PusherHeartbeat, true) => assert!(is_in(before) && is_in(after)),
        (Verb::DestroyRoom, true) => assert!(!after.contains_key(room)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nobody_acts_for_another_and_everybody_is_announced_once(kind in 0_usize..3, steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new(RoomType::ALL[kind]).await;
            // Otherwise most steps would only be refused.
            for user in 0..USERS - 1 {
                world.act(&Step::Login(user)).await;
            }
            for step in &steps {
                world.act(step).await;
                world.door.audit();
                world.listen().await;
            }
        });
    }
}

/// A browser asks for the camera, and the agent thinks about it.
#[tokio::test(start_paused = true)]
async fn an_agent_that_needs_a_minute_for_the_camera_still_gets_the_texts() {
    let door = Door::new();
    let ask = async |user: &str, token: &str, verb: Verb, body: Value| {
        let target = format!("/weapp/double_room/{verb}?userID={user}&token={token}");
        let answer = door.post(&target, &body).await;
        assert_eq!(answer["code"], 0, "{verb}: {answer}");
    };
    let message = async |identity: &str, command: ImCommand, body: Value| {
        let answer = door
            .post(&format!("/{}?{identity}", command.path()), &body)
            .await;
        assert_eq!(answer["ErrorCode"], 0, "{answer}");
        answer
    };
    let joining = |user: &str| {
        json!({ "roomID": "r", "userID": user, "userName": "", "userAvatar": "",
                "pushURL": format!("rtmp://h/live/{user}") })
    };
    let group = || json!({ "GroupId": "r" });
    let agent = door.log_in("agent").await;
    let agents = door.log_in_for_messages("agent").await;
    let room = json!({ "userID": "agent", "roomInfo": "", "roomID": "r" });
    ask("agent", &agent, Verb::CreateRoom, room).await;
    let joined = message(&agents, ImCommand::ApplyJoinGroup, group()).await;
    for _ in 0..12 {
        tokio::time::advance(Duration::from_secs(5)).await;
        door.sweep();
    }
    ask("agent", &agent, Verb::AddPusher, joining("agent")).await;
    let guest = door.log_in("guest").await;
    let guests = door.log_in_for_messages("guest").await;
    ask("guest", &guest, Verb::AddPusher, joining("guest")).await;
    message(&guests, ImCommand::ApplyJoinGroup, group()).await;
    let text = json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": "are you there?" } }]);
    let text = json!({ "GroupId": "r", "From_Account": "guest", "Random": 1, "MsgBody": text });
    message(&guests, ImCommand::SendGroupMsg, text).await;
    let read = json!({ "StartSeq": 0, "HoldTime": 1, "Key": joined["LongPollingKey"] });
    let read = message(&agents, ImCommand::BigGroupPoll, read).await;
    assert!(read.to_string().contains("are you there?"), "{read}");
}
