//! Messages between the wire and the hub: checked on their way in, written on their way out.

use std::sync::Arc;

use serde_json::Value;

use super::hub::{Entry, Letter, Message, Posted, Read};
use super::reply::Failure;
use crate::protocol::im_rest::ErrorCode;
use crate::protocol::json;
use crate::protocol::webim::{
    C2C_LIMIT, C2cMessage, Content, Element, GROUP_LIMIT, GroupMessage, PollEvent, ReportType,
    SYSTEM_ACCOUNT, SendC2cRequest, SendGroupRequest,
};

/// Elements that a message may have: a text with a face in every other place has many.
const MAX_ELEMENTS: usize = 64;

/// Bytes of JSON around the text, which may double it by escaping.
const OVERHEAD: usize = 4096;

/// Longest id of a group in bytes, as for rooms.
const MAX_GROUP_ID: usize = 128;

/// Priority of messages that say none.
const COMMON: u64 = 2;

/// The message of a group that `from` sends.
pub(super) fn for_group(asked: SendGroupRequest, from: &str) -> Result<Message, Failure> {
    let size = check_body(&asked.msg_body, GROUP_LIMIT)?;
    Ok(Message {
        from: from.to_owned(),
        random: asked.random,
        priority: match asked.msg_priority.to_ascii_uppercase().as_str() {
            "REDPACKET" => 1,
            "LOVEMSG" => 3,
            _ => COMMON,
        },
        body: asked.msg_body,
        size,
    })
}

/// The message that `from` sends to another user at `time`, in unix seconds.
pub(super) fn for_user(asked: SendC2cRequest, from: &str, time: u64) -> Result<Letter, Failure> {
    let size = check_body(&asked.msg_body, C2C_LIMIT)?;
    Ok(Letter {
        from: from.to_owned(),
        seq: asked.msg_seq,
        random: asked.msg_random,
        time,
        size: size + size_of::<Letter>(),
        body: asked.msg_body,
    })
}

/// Checks the elements of a message; answers the bytes that it takes. Text may have `limit`
/// bytes, and so may everything else together.
fn check_body(body: &[Element], limit: usize) -> Result<usize, Failure> {
    let bad = |info: &str| Err(Failure::new(ErrorCode::BadParameter, info));
    if body.is_empty() {
        return bad("MsgBody has no elements");
    }
    if body.len() > MAX_ELEMENTS {
        return bad(&format!("MsgBody has more than {MAX_ELEMENTS} elements"));
    }
    let (mut text, mut other, mut structure) = (0, 0, 0);
    for element in body {
        match element {
            Element::Text(said) => text += said.len(),
            Element::Custom { data, desc, ext } => other += data.len() + desc.len() + ext.len(),
            Element::Face { data, .. } => other += data.len(),
            Element::Other { kind, .. } if kind.is_empty() => {
                return bad("an element of MsgBody has no MsgType");
            }
            Element::Other { content, .. } => {
                let content = content.to_string();
                other += content.len();
                structure += json::weight(content.as_bytes()) - content.len();
            }
        }
    }
    let size = serde_json::to_vec(body).map_or(usize::MAX, |json| json.len() + structure);
    if text > limit || other > limit || size > 2 * limit + OVERHEAD {
        let info = format!("the message has {size} bytes, {limit} of text are allowed");
        return Err(Failure::new(ErrorCode::MessageTooLong, info));
    }
    Ok(size)
}

/// Checks the id of a group.
pub(super) fn check_group_id(id: &str) -> Result<(), Failure> {
    if (1..=MAX_GROUP_ID).contains(&id.len()) && !id.contains(char::is_control) {
        return Ok(());
    }
    let info = format!("GroupId must have 1 to {MAX_GROUP_ID} bytes and no control characters");
    Err(Failure::new(ErrorCode::BadGroupId, info))
}

/// The messages for a group's reader, in the order in which they were posted.
pub(super) fn entries(
    entries: &[Arc<Entry>],
    group_id: &str,
    group_name: &str,
    user: &str,
) -> Vec<Value> {
    let entries = entries.iter();
    let written = entries.map(|entry| entry_on_wire(entry, group_id, group_name, user).to_json());
    written.collect()
}

fn entry_on_wire(entry: &Entry, group_id: &str, group_name: &str, user: &str) -> GroupMessage {
    let mut message = GroupMessage {
        from: SYSTEM_ACCOUNT.to_owned(),
        group_id: group_id.to_owned(),
        seq: entry.seq,
        random: entry.seq,
        time: entry.time,
        priority: COMMON,
        group_name: group_name.to_owned(),
        nick: String::new(),
        to: user.to_owned(),
        content: Content::Chat(Vec::new()),
    };
    match &entry.what {
        Posted::Message(said) => {
            message.from.clone_from(&said.from);
            message.random = said.random;
            message.priority = said.priority;
            // Mini-programs take the nickname for the sender, and set it to the userID. One
            // that could be chosen would let a member speak as another.
            message.nick.clone_from(&said.from);
            message.content = Content::Chat(said.body.clone());
        }
        Posted::Notice { operator, content } => {
            message.content = Content::System {
                report: ReportType::Custom,
                operator: operator.clone(),
                user_defined: Some(content.clone()),
            };
        }
        Posted::Dissolved { operator } => {
            message.content = Content::System {
                report: ReportType::Dissolved,
                operator: operator.clone(),
                user_defined: None,
            };
        }
    }
    message
}

/// The messages that a read of a group found.
pub(super) fn read_on_wire(read: &Read) -> Vec<Value> {
    match read {
        Read::Messages {
            entries: found,
            group_id,
            group_name,
            user,
            ..
        } => entries(found, group_id, group_name, user),
        Read::Nothing { .. } | Read::Replaced { .. } => Vec::new(),
    }
}

/// The event that brings letters. All carry the same `NoticeSeq`, because the client
/// acknowledges that of the first.
pub(super) fn letters(letters: &[Arc<Letter>], notice: u64, to: &str) -> PollEvent {
    let letters = letters
        .iter()
        .map(|letter| letter_on_wire(letter, notice, to));
    PollEvent::C2c(letters.collect())
}

/// A letter as the wire has it.
pub(super) fn letter_on_wire(letter: &Letter, notice: u64, to: &str) -> C2cMessage {
    C2cMessage {
        from: letter.from.clone(),
        to: to.to_owned(),
        seq: letter.seq,
        random: letter.random,
        time: letter.time,
        notice_seq: notice,
        elements: letter.body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &[Element], limit: usize) -> Option<i64> {
        let failure = check_body(body, limit).err()?;
        Some(failure.code.number())
    }

    #[test]
    fn messages_are_bounded_as_in_the_official_client() {
        let text = |n| Element::Text("\"".repeat(n));
        let header = || Element::custom("x".repeat(500));
        assert_eq!(code(&[header(), text(GROUP_LIMIT)], GROUP_LIMIT), None);
        for too_long in [
            vec![header(), text(GROUP_LIMIT + 1)],
            vec![Element::custom("x".repeat(GROUP_LIMIT + 1))],
            vec![Element::custom("\u{1}".repeat(GROUP_LIMIT))],
            vec![Element::Face {
                index: 0,
                data: "x".repeat(GROUP_LIMIT + 1),
            }],
        ] {
            assert_eq!(code(&too_long, GROUP_LIMIT), Some(80002));
        }
        assert_eq!(code(&[text(GROUP_LIMIT + 1)], C2C_LIMIT), None);
        // Nine kilobytes on the wire, more than half a megabyte in memory.
        let objects = (0..1000).map(|_| serde_json::json!({"":0})).collect();
        let heavy = Element::Other {
            kind: "TIMImageElem".into(),
            content: objects,
        };
        assert_eq!(code(&[heavy], GROUP_LIMIT), Some(80002));
        let nameless = Element::Other {
            kind: String::new(),
            content: Value::Null,
        };
        for malformed in [vec![], vec![text(1); MAX_ELEMENTS + 1], vec![nameless]] {
            assert_eq!(code(&malformed, C2C_LIMIT), Some(10004));
        }
    }

    #[test]
    fn group_ids_are_those_of_rooms() {
        assert!(check_group_id("branch7-c3").is_ok());
        assert!(check_group_id(&"ä".repeat(64)).is_ok());
        for bad in ["", "a\nb", &"x".repeat(129)] {
            assert_eq!(check_group_id(bad).unwrap_err().code.number(), 10015);
        }
    }
}
