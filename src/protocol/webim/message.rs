//! The content of polls: group messages, tips, system messages and C2C messages.

use serde_json::{Value, json};

use super::constants::SYSTEM_ACCOUNT;
use super::element::{Element, elements};
use crate::protocol::json::lenient;

/// `OpType` of the tip that somebody came.
pub const TIP_JOIN: u64 = 1;
/// `OpType` of the tip that somebody went.
pub const TIP_QUIT: u64 = 2;

/// The subject of a system message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportType {
    /// 4: the user was thrown out of the group.
    Kicked,
    /// 5: the group does not exist any more.
    Dissolved,
    /// 11: the service took back a group that nobody used.
    Recycled,
    /// 255: a text of the room server.
    Custom,
    Other(u64),
}

impl ReportType {
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            4 => Self::Kicked,
            5 => Self::Dissolved,
            11 => Self::Recycled,
            255 => Self::Custom,
            other => Self::Other(other),
        }
    }

    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Kicked => 4,
            Self::Dissolved => 5,
            Self::Recycled => 11,
            Self::Custom => 255,
            Self::Other(number) => number,
        }
    }
}

/// The content of a group message.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Event 3.
    Chat(Vec<Element>),
    /// Event 4 or 6.
    Tip {
        op_type: u64,
        operator: String,
        accounts: Vec<String>,
        member_num: u64,
    },
    /// Event 5.
    System {
        report: ReportType,
        operator: String,
        /// Absent unless the report is custom.
        user_defined: Option<String>,
    },
}

/// An entry of a group's message list.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupMessage {
    pub from: String,
    pub group_id: String,
    pub seq: u64,
    pub random: u64,
    /// Unix seconds.
    pub time: u64,
    /// 1 red packet, 2 common, 3 like.
    pub priority: u64,
    pub group_name: String,
    /// The sender's nickname, which mini-programs set to the userID.
    pub nick: String,
    /// The user that a system message is for.
    pub to: String,
    pub content: Content,
}

impl GroupMessage {
    /// Reads an entry; None if a client skips it: a placeholder, no sender, no body, or an
    /// unknown event.
    #[must_use]
    pub fn from_json(json: &Value) -> Option<Self> {
        let number = |key| lenient::number(json.get(key));
        let text = |key| lenient::text(json.get(key));
        let info = |key| lenient::text(json.get("GroupInfo").and_then(|info| info.get(key)));
        let from = text("From_Account");
        if number("IsPlaceMsg") != 0 || from.is_empty() {
            return None;
        }
        let body = json.get("MsgBody");
        let content = match number("Event") {
            3 => Content::Chat(elements(body)),
            4 | 6 => tip(body?),
            5 => system(body?),
            _ => return None,
        };
        if content == Content::Chat(vec![]) {
            return None;
        }
        let priority = match number("MsgPriority") {
            0 => 2,
            given => given,
        };
        Some(Self {
            from,
            group_id: text("ToGroupId"),
            seq: number("MsgSeq"),
            random: number("MsgRandom"),
            time: number("MsgTimeStamp"),
            priority,
            group_name: info("GroupName"),
            nick: info("From_AccountNick"),
            to: info("To_Account"),
            content,
        })
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        let (event, body) = match &self.content {
            Content::Chat(elements) => (3, elements.iter().map(Element::to_json).collect()),
            Content::Tip {
                op_type,
                operator,
                accounts,
                member_num,
            } => (
                4,
                json!({ "OpType": op_type, "Operator_Account": operator,
                    "List_Account": accounts, "MemberNum": member_num }),
            ),
            Content::System {
                report,
                operator,
                user_defined,
            } => {
                let mut body = json!({ "ReportType": report.number(),
                    "Operator_Account": operator });
                if let Some(text) = user_defined {
                    body["UserDefinedField"] = text.as_str().into();
                }
                (5, body)
            }
        };
        let info = match self.content {
            Content::Chat(_) => {
                json!({ "GroupName": self.group_name, "From_AccountNick": self.nick })
            }
            Content::Tip { .. } => json!({ "GroupName": self.group_name }),
            Content::System { .. } => {
                json!({ "GroupName": self.group_name, "To_Account": self.to })
            }
        };
        let mut message = json!({
            "Event": event, "From_Account": self.from, "ToGroupId": self.group_id,
            "MsgSeq": self.seq, "MsgRandom": self.random, "MsgTimeStamp": self.time,
            "GroupInfo": info, "MsgBody": body,
        });
        if event == 3 {
            message["MsgPriority"] = self.priority.into();
            message["IsPlaceMsg"] = 0.into();
        }
        message
    }

    /// Whether this is a notice of the group about itself, not from a member.
    #[must_use]
    pub fn is_from_system(&self) -> bool {
        self.from == SYSTEM_ACCOUNT
    }
}

fn tip(body: &Value) -> Content {
    Content::Tip {
        op_type: lenient::number(body.get("OpType")),
        operator: lenient::text(body.get("Operator_Account")),
        accounts: lenient::list(body.get("List_Account")),
        member_num: lenient::number(body.get("MemberNum")),
    }
}

fn system(body: &Value) -> Content {
    let user_defined = body.get("UserDefinedField").filter(|text| !text.is_null());
    Content::System {
        report: ReportType::from_number(lenient::number(body.get("ReportType"))),
        operator: lenient::text(body.get("Operator_Account")),
        user_defined: user_defined.map(|text| lenient::text(Some(text))),
    }
}

/// Reads the entries that make sense, in the list's order.
#[must_use]
pub fn messages(list: &[Value]) -> Vec<GroupMessage> {
    list.iter().filter_map(GroupMessage::from_json).collect()
}

/// A message from one user to another.
#[derive(Debug, Clone, PartialEq)]
pub struct C2cMessage {
    pub from: String,
    pub to: String,
    pub seq: u64,
    pub random: u64,
    /// Unix seconds.
    pub time: u64,
    /// To be echoed in the next poll's cookie.
    pub notice_seq: u64,
    pub elements: Vec<Element>,
}

impl C2cMessage {
    /// Reads a message; None without sender or body.
    #[must_use]
    pub fn from_json(json: &Value) -> Option<Self> {
        let number = |key| lenient::number(json.get(key));
        let message = Self {
            from: lenient::text(json.get("From_Account")),
            to: lenient::text(json.get("To_Account")),
            seq: number("MsgSeq"),
            random: number("MsgRandom"),
            time: number("MsgTimeStamp"),
            notice_seq: number("NoticeSeq"),
            elements: elements(json.get("MsgBody")),
        };
        let whole = !message.from.is_empty() && !message.elements.is_empty();
        whole.then_some(message)
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "From_Account": self.from, "To_Account": self.to, "MsgSeq": self.seq,
            "MsgRandom": self.random, "MsgTimeStamp": self.time, "NoticeSeq": self.notice_seq,
            "MsgBody": self.elements,
        })
    }
}

/// An entry of the ordinary poll's `EventArray`.
#[derive(Debug, Clone, PartialEq)]
pub enum PollEvent {
    /// Event 1: C2C messages wait to be fetched with `getmsg`.
    C2cPending { notify_seq: u64 },
    /// Events 3 to 5: messages of ordinary groups.
    Group(Vec<GroupMessage>),
    /// Event 9: C2C messages.
    C2c(Vec<C2cMessage>),
    /// Any other event, by its number.
    Other(u64),
}

impl PollEvent {
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::C2cPending { notify_seq } => json!({ "Event": 1, "NotifySeq": notify_seq }),
            Self::Group(messages) => {
                let messages: Vec<_> = messages.iter().map(GroupMessage::to_json).collect();
                json!({ "Event": 3, "GroupMsgArray": messages })
            }
            Self::C2c(messages) => {
                let messages: Vec<_> = messages.iter().map(C2cMessage::to_json).collect();
                json!({ "Event": 9, "C2cMsgArray": messages })
            }
            Self::Other(event) => json!({ "Event": event }),
        }
    }
}

/// Reads the events of an ordinary poll, in order.
#[must_use]
pub fn poll_events(list: &[Value]) -> Vec<PollEvent> {
    list.iter().map(poll_event).collect()
}

fn poll_event(json: &Value) -> PollEvent {
    let list = |key: &str| lenient::list::<Value>(json.get(key));
    match lenient::number(json.get("Event")) {
        1 => PollEvent::C2cPending {
            notify_seq: lenient::number(json.get("NotifySeq")),
        },
        // The entries may leave their number to the array.
        event @ 3 => PollEvent::Group(numbered(&list("GroupMsgArray"), event)),
        event @ (4 | 5) => PollEvent::Group(numbered(&list("GroupTips"), event)),
        9 => {
            let messages = list("C2cMsgArray");
            PollEvent::C2c(messages.iter().filter_map(C2cMessage::from_json).collect())
        }
        other => PollEvent::Other(other),
    }
}

fn numbered(list: &[Value], event: u64) -> Vec<GroupMessage> {
    let with_event = |entry: &Value| {
        let mut entry = entry.clone();
        if let Some(fields) = entry.as_object_mut() {
            fields.entry("Event").or_insert(event.into());
        }
        GroupMessage::from_json(&entry)
    };
    list.iter().filter_map(with_event).collect()
}
