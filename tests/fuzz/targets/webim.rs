//! Answers of the message service, what it brings, and what members say in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::protocol::im_rest;
use rtckiosk::protocol::webim::{
    AuthKeyAnswer, BigGroupPollRequest, BigGroupPolled, C2cChat, C2cMessage, ChatText, Content,
    CustomCommand, Element, GroupChat, GroupMessage, Joined, JoinedGroupList, LoggedIn,
    LongPollRequest, LongPolled, LongPollingId, PendingC2c, PollEvent, PortraitSetRequest,
    Portraits, RequestQuery, SendC2cRequest, SendGroupRequest, Sent, c2c_body, command_body,
    is_pushers_changed, messages, parse, poll_events, read_c2c, read_group, text_body,
};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    if let Err(error) = parse::<Sent>(body) {
        assert!(error.to_string().len() < 1024, "{error}");
    }
    let _ = parse::<LoggedIn>(body);
    let _ = parse::<LongPollingId>(body);
    let _ = parse::<AuthKeyAnswer>(body);
    let _ = parse::<Portraits>(body);
    let _ = parse::<JoinedGroupList>(body);
    let _ = parse::<Joined>(body);
    if let Ok(polled) = parse::<BigGroupPolled>(body) {
        hear(messages(&polled.rsp_msg_list));
    }
    if let Ok(polled) = parse::<LongPolled>(body) {
        for event in poll_events(&polled.event_array) {
            match event {
                PollEvent::Group(messages) => hear(messages),
                PollEvent::C2c(messages) => read(messages),
                PollEvent::C2cPending { .. } | PollEvent::Other(_) => {}
            }
        }
    }
    if let Ok(pending) = parse::<PendingC2c>(body) {
        read(
            pending
                .msg_list
                .iter()
                .filter_map(C2cMessage::from_json)
                .collect(),
        );
    }
    let text = String::from_utf8_lossy(body);
    let _ = RequestQuery::parse(&text);
    let _ = is_pushers_changed(&text);
    let _ = read_group(&[Element::custom(text.as_ref()), Element::Text("x".into())]);
    say(&text);
    asked(body);
});

fn hear(messages: Vec<GroupMessage>) {
    for message in messages {
        if let Content::Chat(elements) = &message.content {
            let _ = read_group(elements);
        }
    }
}

fn read(messages: Vec<C2cMessage>) {
    for message in messages {
        let _ = read_c2c(&message.elements);
    }
}

/// A text of ours is understood as we meant it.
fn say(text: &str) {
    // Receivers undo escapes, so texts that look escaped do not survive, nor do leading spaces.
    if text.contains('&') || text.trim_start() != text {
        return;
    }
    let chat = ChatText {
        nick: text.into(),
        avatar: text.into(),
        text: text.into(),
    };
    if let Ok(body) = text_body(&chat) {
        assert_eq!(read_group(&body), GroupChat::Text(chat));
    }
    let command = CustomCommand {
        cmd: text.into(),
        msg: text.into(),
        user_name: text.into(),
        user_avatar: text.into(),
    };
    if let Ok(body) = command_body(&command) {
        assert_eq!(read_group(&body), GroupChat::Command(command.clone()));
    }
    if text != "linkmic"
        && let Ok(body) = c2c_body(&command)
    {
        assert_eq!(read_c2c(&body), C2cChat::Command(command));
    }
}

/// Requests, which the server reads of both content types.
fn asked(body: &[u8]) {
    for content_type in [None, Some("application/x-www-form-urlencoded")] {
        let Ok(json) = im_rest::body(content_type, body) else {
            continue;
        };
        as_request::<BigGroupPollRequest>(&json);
        as_request::<LongPollRequest>(&json);
        as_request::<PortraitSetRequest>(&json);
        as_request::<SendC2cRequest>(&json);
        as_request::<SendGroupRequest>(&json);
        let _ = serde_json::from_value::<im_rest::CreateGroup>(json.clone());
        let _ = serde_json::from_value::<im_rest::DestroyGroup>(json.clone());
        let _ = serde_json::from_value::<im_rest::SendGroupSystemNotification>(json);
    }
}

fn as_request<T: serde::de::DeserializeOwned>(json: &Value) {
    serde_json::from_value::<T>(json.clone()).expect("reading never fails");
}
