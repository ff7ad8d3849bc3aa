//! A played message service: answers as documented, delivers what it is told to, and has a hand
//! in it that makes any command answer something else.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::played::{Played, Reply, Seen};

/// Stands for half an emoji, which no JSON value here can hold.
pub(crate) const HALF: &str = "@half an emoji@";

/// Time for which a poll with nothing new is held.
pub(crate) const HOLD: Duration = Duration::from_millis(600);

#[derive(Debug, Default)]
struct Memory {
    /// For the next group poll, in order.
    group: Vec<Value>,
    /// For the next ordinary poll.
    events: Vec<Value>,
    seq: u64,
    forced: HashMap<String, Reply>,
}

/// The hand in the memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service(Arc<Mutex<Memory>>);

impl Service {
    pub(crate) async fn start(&self) -> Played {
        let service = self.clone();
        Played::start(move |seen| service.answer(seen)).await
    }

    /// From now on `command` answers this.
    pub(crate) fn force(&self, command: &str, reply: Reply) {
        let mut memory = self.0.lock().unwrap();
        memory.forced.insert(command.into(), reply);
    }

    pub(crate) fn refuse(&self, command: &str, code: i64) {
        let refusal = json!({"ActionStatus":"FAIL","ErrorCode":code,"ErrorInfo":"played"});
        self.force(command, Reply::json(refusal.to_string()));
    }

    /// `command` answers by itself again.
    pub(crate) fn release(&self, command: &str) {
        self.0.lock().unwrap().forced.remove(command);
    }

    /// Delivers an entry of a group's list as it stands.
    pub(crate) fn deliver(&self, message: Value) {
        self.0.lock().unwrap().group.push(message);
    }

    /// Delivers an event of the ordinary poll as it stands.
    pub(crate) fn happen(&self, event: Value) {
        self.0.lock().unwrap().events.push(event);
    }

    /// A member's message of these elements, as the documents show it.
    pub(crate) fn say(&self, from: &str, elements: &Value) {
        let seq = self.next_seq();
        self.deliver(
            json!({"Event":3,"From_Account":from,"ToGroupId":"r","MsgSeq":seq,
            "MsgRandom":3_735_928_559_u64,"MsgTimeStamp":1_700_000_010,"MsgPriority":2,
            "IsPlaceMsg":0,"GroupInfo":{"GroupName":"group_name","From_AccountNick":from},
            "MsgBody":elements}),
        );
    }

    /// A system message of the group.
    pub(crate) fn report(&self, report: u64, user_defined: Option<&str>) {
        let mut body = json!({"ReportType":report,"Operator_Account":"admin"});
        if let Some(text) = user_defined {
            body["UserDefinedField"] = text.into();
        }
        let seq = self.next_seq();
        self.deliver(
            json!({"Event":5,"From_Account":"@TIM#SYSTEM","ToGroupId":"r",
            "MsgSeq":seq,"MsgRandom":1,"MsgTimeStamp":1_700_000_011,
            "GroupInfo":{"GroupName":"group_name","To_Account":"kiosk"},"MsgBody":body}),
        );
    }

    fn next_seq(&self) -> u64 {
        let mut memory = self.0.lock().unwrap();
        memory.seq += 1;
        memory.seq
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let mut memory = self.0.lock().unwrap();
        if let Some(reply) = memory.forced.get(seen.verb()) {
            return reply.clone();
        }
        let fields = match seen.verb() {
            "login" => json!({"TinyId":"144115197","A2Key":"a2b1"}),
            "getlongpollingid" => json!({"LongPollingId":"lp1","Timeout":60}),
            "apply_join_group" => {
                json!({"JoinedStatus":"JoinedSuccess","LongPollingKey":"k1f0"})
            }
            "send_group_msg" => json!({"MsgTime":1_700_000_010,"MsgSeq":17}),
            "get_msg" => {
                let list = std::mem::take(&mut memory.group);
                let (held, next) = (list.is_empty(), memory.seq + 1);
                let body = ok(
                    json!({"NextSeq":next,"HoldTime":90,"Key":format!("k{next}"),
                    "RspMsgList":list}),
                )
                .replace(HALF, "\\ud83d");
                return if held {
                    Reply::Held(HOLD, body)
                } else {
                    Reply::json(body)
                };
            }
            "longpolling" => {
                let events = std::mem::take(&mut memory.events);
                let held = events.is_empty();
                let body = ok(json!({"EventArray":events})).replace(HALF, "\\ud83d");
                return if held {
                    Reply::Held(HOLD, body)
                } else {
                    Reply::json(body)
                };
            }
            _ => json!({}),
        };
        Reply::json(ok(fields))
    }
}

/// The success with these fields.
pub(crate) fn ok(mut fields: Value) -> String {
    fields["ActionStatus"] = "OK".into();
    fields["ErrorCode"] = 0.into();
    fields["ErrorInfo"] = "".into();
    fields.to_string()
}
