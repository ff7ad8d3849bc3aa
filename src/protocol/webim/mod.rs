//! webim, the message channel of RTCRoom: the HTTP protocol that web pages and mini-programs
//! speak to Tencent's message service (client version 1.7.0).
//!
//! A room's group has the room's id. Requests are composed exactly as documented, and reading is
//! tolerant: a field that is absent, null or of another type counts as empty, and an entry that
//! makes no sense is skipped.
//!
//! Floors: `constants` and `command`; `element` and `query`; `body`, `message`, `chat`
//! and `answer`.

mod answer;
mod body;
mod chat;
mod command;
mod constants;
mod element;
mod message;
mod query;

pub use answer::{ImAnswerError, fail, fail_with, ok, parse};
pub use body::*;
pub use chat::{
    C2cChat, ChatText, CustomCommand, GroupChat, LinkMic, TooLong, c2c_body, command_body,
    is_pushers_changed, read_c2c, read_group, text_body,
};
pub use command::ImCommand;
pub use constants::*;
pub use element::Element;
pub use message::{
    C2cMessage, Content, GroupMessage, PollEvent, ReportType, TIP_JOIN, TIP_QUIT, messages,
    poll_events,
};
pub use query::{App, Caller, RequestQuery};

#[cfg(test)]
mod tests;
