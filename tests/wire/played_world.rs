//! A played room server with a memory like Node's, and a hand in it: any verb can be made to
//! answer something else, members come and go, the memory can be lost.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::played::{Played, Reply, Seen};

#[derive(Debug, Default)]
struct Memory {
    tokens: HashMap<String, String>,
    logins: usize,
    /// Rooms with their members; a created room is empty.
    rooms: HashMap<String, Vec<Value>>,
    /// Answers that replace a verb's own.
    forced: HashMap<String, Reply>,
}

/// The hand in the memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Mutex<Memory>>);

pub(crate) const CAPACITY: usize = 2;

impl World {
    pub(crate) async fn start(&self) -> Played {
        let world = self.clone();
        Played::start(move |seen| world.answer(seen)).await
    }

    pub(crate) async fn start_at(&self, addr: std::net::SocketAddr) -> Played {
        let world = self.clone();
        Played::start_at(addr, move |seen| world.answer(seen)).await
    }

    /// From now on `verb` answers this.
    pub(crate) fn force(&self, verb: &str, reply: Reply) {
        self.0.lock().unwrap().forced.insert(verb.into(), reply);
    }

    pub(crate) fn force_code(&self, verb: &str, code: i64) {
        self.force(
            verb,
            Reply::json(json!({"code":code,"message":"forced"}).to_string()),
        );
    }

    /// `verb` answers by itself again.
    pub(crate) fn release(&self, verb: &str) {
        self.0.lock().unwrap().forced.remove(verb);
    }

    /// As after a restart: no token and no room is known any more.
    pub(crate) fn forget_everything(&self) {
        let mut memory = self.0.lock().unwrap();
        memory.tokens.clear();
        memory.rooms.clear();
    }

    pub(crate) fn forget_tokens(&self) {
        self.0.lock().unwrap().tokens.clear();
    }

    pub(crate) fn remove_room(&self, room: &str) {
        self.0.lock().unwrap().rooms.remove(room);
    }

    /// Lets somebody else enter, or renew their entry; the room is created if need be.
    pub(crate) fn put(&self, room: &str, user: &str, url: &str) {
        let member = json!({"userID":user,"userName":user,"userAvatar":"","accelerateURL":url});
        put_member(
            self.0.lock().unwrap().rooms.entry(room.into()).or_default(),
            member,
        );
    }

    pub(crate) fn remove(&self, room: &str, user: &str) {
        if let Some(members) = self.0.lock().unwrap().rooms.get_mut(room) {
            members.retain(|member| member["userID"] != user);
        }
    }

    /// The members of a room, as `user url`.
    pub(crate) fn members(&self, room: &str) -> Vec<String> {
        let memory = self.0.lock().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let members = memory.rooms.get(room).into_iter().flatten();
        members
            .map(|m| format!("{} {}", text(&m["userID"]), text(&m["accelerateURL"])))
            .collect()
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let mut memory = self.0.lock().unwrap();
        if let Some(reply) = memory.forced.get(seen.verb()) {
            return reply.clone();
        }
        let user = seen.param("userID").unwrap_or_else(|| "invented".into());
        let (code, mut fields) = match seen.verb() {
            "get_login_info" => {
                let info = json!({"userID":user,"sdkAppID":1,"accType":"1","userSig":"s"});
                (0, info)
            }
            "login" => {
                memory.logins += 1;
                let token = format!("t{}", memory.logins);
                memory.tokens.insert(user.clone(), token.clone());
                (0, json!({"userID":user,"token":token}))
            }
            _ if memory.tokens.get(&user) != seen.param("token").as_ref() => (7, json!({})),
            verb => memory.room_verb(verb, &user, &seen.json()),
        };
        fields["code"] = code.into();
        fields["message"] = "played".into();
        Reply::json(fields.to_string())
    }
}

impl Memory {
    fn room_verb(&mut self, verb: &str, user: &str, body: &Value) -> (i64, Value) {
        let id = body["roomID"].as_str().unwrap_or_default().to_owned();
        let members = self.rooms.get_mut(&id);
        let is_me = |member: &Value| member["userID"] == user;
        match (verb, members) {
            ("get_room_list", _) => {
                let rooms: Vec<_> = self.rooms.iter().map(|(id, m)| room(id, m)).collect();
                (0, json!({"rooms":rooms}))
            }
            ("get_push_url", _) => (0, json!({"pushURL":format!("rtmp://h/live/{user}?x")})),
            ("create_room", Some(_)) => (11, json!({})),
            ("create_room", None) => {
                self.rooms.insert(id.clone(), vec![]);
                (0, json!({"roomID":id}))
            }
            ("get_pushers", Some(members)) if !members.is_empty() => (0, room(&id, members)),
            ("get_pushers", _) => (3, json!({})),
            ("add_pusher", Some(members)) => {
                let others = members.iter().filter(|member| !is_me(member)).count();
                if others >= CAPACITY {
                    return (5001, json!({}));
                }
                put_member(
                    members,
                    json!({"userID":user,"userName":body["userName"],
                           "userAvatar":body["userAvatar"],"accelerateURL":body["pushURL"]}),
                );
                (0, json!({}))
            }
            ("pusher_heartbeat", Some(members)) if members.iter().any(is_me) => (0, json!({})),
            ("delete_pusher", Some(members)) => {
                members.retain(|member| !is_me(member));
                (0, json!({}))
            }
            ("logout", _) => (-1, json!({})),
            _ => (5, json!({})),
        }
    }
}

fn room(id: &str, members: &[Value]) -> Value {
    json!({"roomID":id,"roomInfo":"","roomCreator":"","pushers":members})
}

fn put_member(members: &mut Vec<Value>, member: Value) {
    match members
        .iter_mut()
        .find(|known| known["userID"] == member["userID"])
    {
        Some(known) => *known = member,
        None => members.push(member),
    }
}
