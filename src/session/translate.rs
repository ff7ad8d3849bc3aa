//! Translation of what room and media report into the session's events.

use super::event::{Event, Peer, RoomFailure, SoundDevices};
use super::status::Received;
use crate::display::ShownMessage;
use crate::display::{Fault, FaultCode};
use crate::media::{LossCause, PlayEvent, PushEvent};
use crate::protocol::events::{PlayCode, PushCode};
use crate::room::{ErrorClass, Member, RoomError, RoomEvent};

/// The command by which devices of ours tell each other which of their parts work; its text is
/// `{"microphone":true,"speaker":false}`. Programs of others do not know it and ignore it.
const DEVICES: &str = "rtckiosk.devices";

/// The command and its text that tell others of our devices.
pub(super) fn told(devices: SoundDevices) -> (&'static str, String) {
    let SoundDevices {
        microphone,
        speaker,
    } = devices;
    let text = serde_json::json!({ "microphone": microphone, "speaker": speaker });
    (DEVICES, text.to_string())
}

/// The event that a room event means for the call, if it means one.
pub(super) fn room(event: RoomEvent) -> Option<Event> {
    Some(match event {
        RoomEvent::LoggedIn { .. } => Event::LoggedIn,
        RoomEvent::LoginRefused { reason } => Event::LoginRefused { reason },
        RoomEvent::ServerUnreachable {
            untrusted, reason, ..
        } => Event::ServerUnreachable { untrusted, reason },
        RoomEvent::ServerReachable => Event::ServerReachable,
        RoomEvent::MemberJoined(member) => Event::MemberJoined(peer(member)),
        RoomEvent::MemberChanged(member) => Event::MemberChanged(peer(member)),
        RoomEvent::MemberLeft(member) => Event::MemberLeft {
            user_id: member.user_id,
        },
        RoomEvent::RoomClosed { reason } => Event::RoomClosed {
            reason: reason.to_string(),
        },
        RoomEvent::Kicked { reason } => Event::Kicked {
            reason: reason.to_string(),
        },
        // The answer to the command says the same.
        RoomEvent::Entered { .. } => return None,
        RoomEvent::TextReceived(message) => Event::Said(ShownMessage {
            name: one_line(&message.nick, SHOWN_NAME),
            text: one_line(&message.text, SHOWN_TEXT),
        }),
        RoomEvent::CustomReceived(message) if message.cmd.as_deref() == Some(DEVICES) => {
            Event::TheirDevices {
                user_id: message.from,
                devices: serde_json::from_str(&message.text).ok()?,
            }
        }
        // The channel's state is in the status; a command is for programs.
        RoomEvent::CustomReceived(_)
        | RoomEvent::C2cReceived(_)
        | RoomEvent::ChannelUp
        | RoomEvent::ChannelDown { .. } => return None,
    })
}

/// A message of another member, for the status; commands too.
pub(super) fn message(event: &RoomEvent) -> Option<Received> {
    let (message, private) = match event {
        RoomEvent::TextReceived(message) | RoomEvent::CustomReceived(message) => (message, false),
        RoomEvent::C2cReceived(message) => (message, true),
        _ => return None,
    };
    Some(Received {
        seconds: 0.0,
        from: message.from.clone(),
        name: one_line(&message.nick, SHOWN_NAME),
        private,
        cmd: message.cmd.clone(),
        text: message.text.chars().take(KEPT_TEXT).collect(),
    })
}

/// Maximum of characters of a name on the screen, of the 128 that a line has at 1280 pixels.
const SHOWN_NAME: usize = 24;
/// Maximum of characters of a text on the screen.
const SHOWN_TEXT: usize = 120;
/// Maximum of characters of a message that the status keeps, so that 20 fit into an answer.
const KEPT_TEXT: usize = 2000;

/// Foreign text on one line: its beginning, and no control characters.
fn one_line(text: &str, maximum: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if let Some((end, _)) = line.char_indices().nth(maximum) {
        line.truncate(end);
        line.push_str("...");
    }
    line
}

fn peer(member: Member) -> Peer {
    Peer {
        user_id: member.user_id,
        name: member.user_name,
        play_url: member.accelerate_url,
    }
}

/// The failure of a request to the room server, as far as the call is concerned.
pub(super) fn failure(error: &RoomError) -> RoomFailure {
    let reason = error.reason();
    match error.class() {
        ErrorClass::Full | ErrorClass::RoomGone => RoomFailure::Taken(reason),
        ErrorClass::Retry | ErrorClass::LoginAgain | ErrorClass::ReAdd => {
            RoomFailure::Unreachable(reason)
        }
        ErrorClass::Fatal => RoomFailure::Refused(reason),
    }
}

/// The event that a push event means for the call, if it means one.
pub(super) fn push(event: &PushEvent) -> Option<Event> {
    match event.code {
        PushCode::PushBegin => Some(Event::Pushing),
        PushCode::Reconnect => Some(Event::PushReconnecting),
        PushCode::NetDisconnect => {
            let code = match event.cause() {
                Some(LossCause::Refused) => FaultCode::PushRefused,
                Some(LossCause::Untrusted) => FaultCode::Untrusted,
                _ => FaultCode::NoRelay,
            };
            Some(Event::PushLost(Fault::new(code, &event.message)))
        }
        _ => None,
    }
}

/// The event that a play event of a member means for the call, if it means one.
pub(super) fn play(user_id: String, event: &PlayEvent) -> Option<Event> {
    match event.code {
        PlayCode::PlayBegin => Some(Event::Playing { user_id }),
        PlayCode::Reconnect | PlayCode::PlayLoading => Some(Event::PlayDisturbed { user_id }),
        PlayCode::TrackFlow => {
            let [picture, sound] = event.params.map(|flows| flows.map(|flows| flows == 1));
            Some(Event::Flow {
                user_id,
                picture,
                sound,
            })
        }
        PlayCode::NetDisconnect => Some(Event::PlayLost {
            user_id,
            reason: event.message.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_fits_on_one_line() {
        assert_eq!(one_line(" a\r\nb\t\u{7}c ", 120), "a b c");
        assert_eq!(one_line(&"ä".repeat(200), 3), "äää...");
        assert_eq!(one_line("abc", 3), "abc");
    }

    #[test]
    fn only_what_matters_to_the_call_becomes_an_event() {
        let push_event = |code| PushEvent {
            code,
            message: "m".into(),
            params: [None, None],
        };
        assert_eq!(push(&push_event(PushCode::PushBegin)), Some(Event::Pushing));
        assert_eq!(push(&push_event(PushCode::NetStatus)), None);
        let lost = PushEvent {
            params: [Some(LossCause::Refused as i64), None],
            ..push_event(PushCode::NetDisconnect)
        };
        assert_eq!(
            push(&lost),
            Some(Event::PushLost(Fault::new(FaultCode::PushRefused, "m")))
        );
        let stopped = RoomError::Stopped;
        assert!(matches!(failure(&stopped), RoomFailure::Refused(_)));
    }
}
