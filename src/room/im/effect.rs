//! The effect of each message on us. Pure but for the memory of earlier messages.

use std::collections::VecDeque;

use crate::protocol::shown;
use crate::protocol::webim::{
    C2cChat, C2cMessage, Content, GroupChat, GroupMessage, ReportType, is_pushers_changed,
    read_c2c, read_group,
};
use crate::room::event::{Message, RoomEvent};
use crate::room::recovery::EndNotice;

/// The effect that a message is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Hand an event to the session.
    Event(RoomEvent),
    /// Read the member list again.
    ReadMembers,
    /// Read it again, and this may be why the room or our seat is gone.
    End(EndNotice),
}

/// Finds the effect on `me` of a message of the group `room_id`.
pub(super) fn effect_of(message: &GroupMessage, room_id: &str, me: &str) -> Option<Effect> {
    if message.group_id != room_id {
        return None;
    }
    match &message.content {
        Content::Chat(_) if message.from == me => None,
        Content::Chat(elements) => match read_group(elements) {
            GroupChat::Text(said) => Some(Effect::Event(RoomEvent::TextReceived(shown(
                &message.from,
                &said.nick,
                None,
                &said.text,
            )))),
            GroupChat::Command(command) => Some(Effect::Event(RoomEvent::CustomReceived(shown(
                &message.from,
                &command.user_name,
                Some(&command.cmd),
                &command.msg,
            )))),
            GroupChat::PushersChanged => Some(Effect::ReadMembers),
            GroupChat::Nothing => None,
        },
        // Whoever joined or left the group will be, or was, listed by the room server.
        Content::Tip { .. } => None,
        Content::System {
            report,
            user_defined,
            ..
        } => match report {
            ReportType::Dissolved | ReportType::Recycled => Some(Effect::End(EndNotice::Dissolved)),
            ReportType::Kicked => Some(Effect::End(EndNotice::Removed)),
            ReportType::Custom => user_defined
                .as_deref()
                .is_some_and(is_pushers_changed)
                .then_some(Effect::ReadMembers),
            ReportType::Other(_) => None,
        },
    }
}

/// Finds the event that a C2C message is to `me`.
pub(super) fn event_of_c2c(message: &C2cMessage, me: &str) -> Option<RoomEvent> {
    // Messages of ours come back when the same user sends from another device.
    if message.from == me {
        return None;
    }
    let (nick, cmd, text) = match read_c2c(&message.elements) {
        C2cChat::Command(command) => (command.user_name, Some(command.cmd), command.msg),
        C2cChat::Text(said) => (said.nick, None, said.text),
        // Live rooms only: there is nobody to answer it here.
        C2cChat::LinkMic(_) | C2cChat::Nothing => return None,
    };
    Some(RoomEvent::C2cReceived(shown(
        &message.from,
        &nick,
        cmd.as_deref(),
        &text,
    )))
}

/// A message as it may be stored and drawn. Without a name of their own the sender's id is shown.
fn shown(from: &str, nick: &str, cmd: Option<&str>, text: &str) -> Message {
    let name = if nick.is_empty() { from } else { nick };
    Message {
        from: shown::name(from),
        nick: shown::name(name),
        cmd: cmd.map(shown::name),
        text: shown::text(text),
    }
}

/// Number of messages that are remembered: more than any service repeats after a reconnect.
const MEMORY: usize = 256;

/// The last messages, by sender, number and random: a new poll may repeat the end of the old.
#[derive(Debug, Default)]
pub(super) struct SeenMessages(VecDeque<(String, u64, u64)>);

impl SeenMessages {
    /// Whether a message is new, and remembers it. Those without any number are always new.
    pub(super) fn is_new(&mut self, from: &str, seq: u64, random: u64) -> bool {
        if seq == 0 && random == 0 {
            return true;
        }
        let known =
            |entry: &(String, u64, u64)| entry.0 == from && entry.1 == seq && entry.2 == random;
        if self.0.iter().any(known) {
            return false;
        }
        if self.0.len() >= MEMORY {
            self.0.pop_front();
        }
        self.0.push_back((from.to_owned(), seq, random));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::webim::Element;

    fn message(from: &str, content: Content) -> GroupMessage {
        GroupMessage {
            from: from.into(),
            group_id: "r".into(),
            seq: 1,
            random: 1,
            time: 1,
            priority: 2,
            group_name: String::new(),
            nick: String::new(),
            to: String::new(),
            content,
        }
    }

    fn system(report: u64, text: Option<&str>) -> Content {
        Content::System {
            report: ReportType::from_number(report),
            operator: "admin".into(),
            user_defined: text.map(str::to_owned),
        }
    }

    #[test]
    fn table() {
        let notify = r#"{"cmd":"notifyPusherChange","data":""}"#;
        let text = || Content::Chat(vec![Element::Text("hi".into())]);
        let said = Effect::Event(RoomEvent::TextReceived(Message {
            from: "bob".into(),
            nick: "bob".into(),
            cmd: None,
            text: "hi".into(),
        }));
        for (from, content, effect) in [
            ("bob", text(), Some(said)),
            ("me", text(), None),
            (
                "bob",
                Content::Chat(vec![Element::custom(notify)]),
                Some(Effect::ReadMembers),
            ),
            (
                "@TIM#SYSTEM",
                system(255, Some(notify)),
                Some(Effect::ReadMembers),
            ),
            ("@TIM#SYSTEM", system(255, Some("not json")), None),
            ("@TIM#SYSTEM", system(255, None), None),
            (
                "@TIM#SYSTEM",
                system(5, None),
                Some(Effect::End(EndNotice::Dissolved)),
            ),
            (
                "@TIM#SYSTEM",
                system(11, None),
                Some(Effect::End(EndNotice::Dissolved)),
            ),
            (
                "@TIM#SYSTEM",
                system(4, None),
                Some(Effect::End(EndNotice::Removed)),
            ),
            ("@TIM#SYSTEM", system(9, None), None),
        ] {
            let message = message(from, content);
            assert_eq!(effect_of(&message, "r", "me"), effect, "{message:?}");
            assert_eq!(effect_of(&message, "other", "me"), None);
        }
    }

    #[test]
    fn repeated_messages_are_known() {
        let mut seen = SeenMessages::default();
        assert!(seen.is_new("bob", 1, 7));
        assert!(!seen.is_new("bob", 1, 7));
        assert!(seen.is_new("bob", 1, 8) && seen.is_new("al", 1, 7));
        assert!(seen.is_new("bob", 0, 0) && seen.is_new("bob", 0, 0));
        for seq in 0..1000 {
            seen.is_new("flood", seq, 1);
        }
        assert_eq!(seen.0.len(), MEMORY);
    }
}
