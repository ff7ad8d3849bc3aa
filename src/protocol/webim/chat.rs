//! Texts and commands that RTCRoom clients and room servers send in messages.
//!
//! Composing follows one form that every known client reads. Reading takes all that they are
//! known to send: any number of elements, both spellings of `headPic`, a newline after the
//! header, headers broken by a quotation mark in a name, escaped entities.

use serde_json::{Value, json};

use super::constants::{C2C_LIMIT, GROUP_LIMIT};
use super::element::Element;
use crate::protocol::json::{self, lenient::text as field_text};

/// Command of the room server when the member list changed.
const PUSHERS_CHANGED: &str = "notifyPusherChange";
const TEXT: &str = "CustomTextMsg";
const COMMAND: &str = "CustomCmdMsg";
/// Beginning of the extension of whiteboard data; such elements are not chat.
const WHITEBOARD: &str = "TXWhiteBoardExt";

/// A text, with its sender's name and avatar by their own account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatText {
    /// Empty if the header could not be read: then the sender's id takes its place.
    pub nick: String,
    pub avatar: String,
    pub text: String,
}

/// A command of one program to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomCommand {
    pub cmd: String,
    pub msg: String,
    pub user_name: String,
    pub user_avatar: String,
}

/// The meaning of a chat message in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChat {
    Text(ChatText),
    Command(CustomCommand),
    /// The member list changed: read it again.
    PushersChanged,
    /// Nothing for clients: whiteboard data, or a command of other programs.
    Nothing,
}

/// The meaning of a C2C message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum C2cChat {
    Command(CustomCommand),
    LinkMic(LinkMic),
    Text(ChatText),
    Nothing,
}

/// The link-mic dialogue of live rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkMic {
    Request {
        room_id: String,
        user_id: String,
        user_name: String,
    },
    Response {
        accepted: bool,
        message: String,
        room_id: String,
    },
    KickOut {
        room_id: String,
    },
}

/// A message that is larger than the service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message has {bytes} bytes, but at most {limit} are taken")]
pub struct TooLong {
    pub bytes: usize,
    pub limit: usize,
}

/// Composes the body of a text: a header that all clients read, then the text.
///
/// # Errors
/// More than 8898 bytes.
pub fn text_body(said: &ChatText) -> Result<Vec<Element>, TooLong> {
    // Mini-programs look for the first "}}"; within a string JSON can write it differently.
    let safe = |text: &str| {
        let quoted = Value::from(text).to_string();
        quoted.replace("}}", "}\\u007d")
    };
    let (nick, avatar) = (safe(&said.nick), safe(&said.avatar));
    let header = format!(
        r#"{{"cmd":"{TEXT}","data":{{"nickName":{nick},"headPic":{avatar},"headpic":{avatar}}}}}"#
    );
    let body = vec![Element::custom(header), Element::Text(said.text.clone())];
    within(body, GROUP_LIMIT)
}

/// Composes the body of a command: one element, because some clients drop messages with two.
///
/// # Errors
/// More than 8898 bytes.
pub fn command_body(command: &CustomCommand) -> Result<Vec<Element>, TooLong> {
    let header = json!({ "cmd": COMMAND, "data": {
        "cmd": command.cmd, "msg": command.msg,
        "userAvatar": command.user_avatar, "userName": command.user_name } });
    within(vec![Element::custom(header.to_string())], GROUP_LIMIT)
}

/// Composes the body of a C2C command.
///
/// # Errors
/// More than 12000 bytes.
pub fn c2c_body(command: &CustomCommand) -> Result<Vec<Element>, TooLong> {
    let data = json!({ "cmd": command.cmd, "data": {
        "msg": command.msg, "userAvatar": command.user_avatar, "userName": command.user_name } });
    within(vec![Element::custom(data.to_string())], C2C_LIMIT)
}

fn within(body: Vec<Element>, limit: usize) -> Result<Vec<Element>, TooLong> {
    let text = |element: &Element| match element {
        Element::Text(text) | Element::Custom { data: text, .. } => text.len(),
        Element::Face { .. } | Element::Other { .. } => 0,
    };
    let bytes = body.iter().map(text).sum();
    if bytes > limit {
        return Err(TooLong { bytes, limit });
    }
    Ok(body)
}

/// Whether a system message's `UserDefinedField` says that the member list changed.
#[must_use]
pub fn is_pushers_changed(user_defined: &str) -> bool {
    Header::parse(user_defined).is_some_and(|header| header.cmd == PUSHERS_CHANGED)
}

/// Reads a chat message of a group.
#[must_use]
pub fn read_group(elements: &[Element]) -> GroupChat {
    let parts = parts(elements);
    let Some(header) = parts.header() else {
        return match parts.plain_text() {
            Some(text) => GroupChat::Text(text),
            None => GroupChat::Nothing,
        };
    };
    match header.cmd.as_str() {
        TEXT => GroupChat::Text(ChatText {
            nick: header.name(),
            avatar: header.avatar(),
            text: parts.rest(&header),
        }),
        COMMAND => GroupChat::Command(CustomCommand {
            cmd: header.data("cmd"),
            msg: match header.data("msg") {
                msg if msg.is_empty() => parts.rest(&header),
                msg => msg,
            },
            user_name: header.name(),
            user_avatar: header.avatar(),
        }),
        PUSHERS_CHANGED => GroupChat::PushersChanged,
        _ => GroupChat::Nothing,
    }
}

/// Reads a C2C message.
#[must_use]
pub fn read_c2c(elements: &[Element]) -> C2cChat {
    let parts = parts(elements);
    let Some(header) = parts.header() else {
        return parts.plain_text().map_or(C2cChat::Nothing, C2cChat::Text);
    };
    if header.cmd == "linkmic" {
        return link_mic(&header).map_or(C2cChat::Nothing, C2cChat::LinkMic);
    }
    C2cChat::Command(CustomCommand {
        msg: header.data("msg"),
        user_name: header.name(),
        user_avatar: header.avatar(),
        cmd: header.cmd,
    })
}

fn link_mic(header: &Header) -> Option<LinkMic> {
    let room_id = header.data("roomID");
    match header.data("type").as_str() {
        "request" => Some(LinkMic::Request {
            room_id,
            user_id: header.data("userID"),
            user_name: header.name(),
        }),
        "response" => Some(LinkMic::Response {
            accepted: header.data("result") == "accept",
            message: header.data("message"),
            room_id,
        }),
        "kickout" => Some(LinkMic::KickOut { room_id }),
        _ => None,
    }
}

/// The texts of a message's elements, whiteboard data left out.
struct Parts<'a>(Vec<(Kind, &'a str)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Custom,
    Text,
}

fn parts(elements: &[Element]) -> Parts<'_> {
    Parts(elements.iter().filter_map(part).collect())
}

fn part(element: &Element) -> Option<(Kind, &str)> {
    match element {
        Element::Custom { ext, .. } if ext.starts_with(WHITEBOARD) => None,
        Element::Custom { data, .. } => Some((Kind::Custom, data)),
        // A face carries the text that stands for it, such as "[smile]".
        Element::Text(text) | Element::Face { data: text, .. } => Some((Kind::Text, text)),
        Element::Other { .. } => None,
    }
}

impl Parts<'_> {
    /// Reads the header, which stands at the beginning, in any kind of element.
    fn header(&self) -> Option<Header> {
        let (_, first) = self.0.first()?;
        Header::parse(first)
    }

    /// Returns the text after the header.
    fn rest(&self, header: &Header) -> String {
        let first = self.0.first().map_or("", |(_, text)| text);
        let behind = first.get(header.end..).unwrap_or_default().trim_start();
        let others = self.0.iter().skip(1).map(|(_, text)| *text);
        unescaped(&std::iter::once(behind).chain(others).collect::<String>())
    }

    /// Returns the text elements alone, for a header that is absent or cannot be read.
    fn plain_text(&self) -> Option<ChatText> {
        let texts = self.0.iter().filter(|(kind, _)| *kind == Kind::Text);
        let text: String = texts.map(|(_, text)| *text).collect();
        (!text.is_empty()).then(|| ChatText {
            text: unescaped(&text),
            ..ChatText::default()
        })
    }
}

/// `{"cmd":...,"data":{...}}` at the beginning of a text.
struct Header {
    cmd: String,
    data: Value,
    /// Offset of its end in the text that it was read from.
    end: usize,
}

impl Header {
    fn parse(text: &str) -> Option<Self> {
        if json::weight(text.as_bytes()) > json::ANSWER_WEIGHT {
            return None;
        }
        let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let header = objects.next()?.ok()?;
        let end = objects.byte_offset();
        let cmd = header.get("cmd")?.as_str()?.to_owned();
        // Some senders put the object into a string.
        let data = match header.get("data") {
            Some(Value::String(text)) => {
                json::parse(text.as_bytes(), json::ANSWER_WEIGHT).unwrap_or(Value::Null)
            }
            Some(data) => data.clone(),
            None => Value::Null,
        };
        Some(Self { cmd, data, end })
    }

    /// Returns a field as text; an object or an array as JSON.
    fn data(&self, key: &str) -> String {
        match self.data.get(key) {
            Some(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
            value => field_text(value),
        }
    }

    fn first_of(&self, keys: &[&str]) -> String {
        let values = keys.iter().map(|key| self.data(key));
        values
            .into_iter()
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    }

    fn name(&self) -> String {
        self.first_of(&["nickName", "userName"])
    }

    fn avatar(&self) -> String {
        self.first_of(&["headPic", "headpic", "userAvatar"])
    }
}

/// Undoes the escapes of the official clients.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", " ")
}
