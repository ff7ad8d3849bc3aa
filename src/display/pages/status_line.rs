//! The line of text at the bottom of the screen.

use crate::config::kiosk::Language;
use crate::display::fault::{EndReason, Fault};
use crate::display::page::{CallPage, ConnectingStep, Lack, Page};
use crate::display::strings::{Key, text};

/// The page in one line.
pub(in crate::display) fn status_line(page: &Page, language: Language) -> String {
    let plain = |key| text(language, key, &[]);
    match page {
        Page::Starting => plain(Key::Starting),
        Page::OutOfService(fault) => of_fault(language, Key::OutOfService, fault),
        Page::Attract => plain(Key::Attract),
        Page::Queueing => plain(Key::Queueing),
        Page::Connecting(ConnectingStep::Preparing) => plain(Key::ConnectingPreparing),
        Page::Connecting(ConnectingStep::Pushing) => plain(Key::ConnectingPushing),
        Page::Connecting(ConnectingStep::Entering) => plain(Key::ConnectingEntering),
        Page::InCall(call) => in_call(call, language),
        Page::Ending(end) => ending(end, language),
    }
}

fn of_fault(language: Language, key: Key, fault: &Fault) -> String {
    let values = [
        ("code", fault.code.as_str()),
        ("detail", fault.reason.as_str()),
    ];
    text(language, key, &values)
}

fn in_call(call: &CallPage, language: Language) -> String {
    if let Some(message) = &call.message {
        let values = [("name", &*message.name), ("text", &*message.text)];
        return text(language, Key::Message, &values);
    }
    if call.members.is_empty() {
        return text(language, Key::CallWaiting, &[]);
    }
    if call.disturbed {
        return text(language, Key::CallDisturbed, &[]);
    }
    let own = call.lacks.first().map(|lack| (String::new(), *lack));
    if let Some((name, lack)) = own.or_else(|| call.others_lack.first().cloned()) {
        return text(language, of_lack(lack, name.is_empty()), &[("name", &name)]);
    }
    let key = match call.muted {
        true => Key::CallMuted,
        false => Key::Call,
    };
    text(language, key, &[("names", &list(&call.members, language))])
}

fn of_lack(lack: Lack, is_ours: bool) -> Key {
    match lack {
        Lack::Picture => Key::CallNoPicture,
        Lack::Sound => Key::CallNoSound,
        Lack::Microphone if is_ours => Key::CallOwnMicrophone,
        Lack::Speaker if is_ours => Key::CallOwnSpeaker,
        Lack::Microphone => Key::CallOtherMicrophone,
        Lack::Speaker => Key::CallOtherSpeaker,
    }
}

fn list(names: &[String], language: Language) -> String {
    let names = names.iter().cloned();
    let joined = names.reduce(|names, name| {
        let values = [("names", &*names), ("name", &*name)];
        text(language, Key::MoreNames, &values)
    });
    joined.unwrap_or_default()
}

fn ending(end: &EndReason, language: Language) -> String {
    match end {
        EndReason::HungUp => text(language, Key::EndedHungUp, &[]),
        EndReason::PeerLeft => text(language, Key::EndedPeerLeft, &[]),
        EndReason::NobodyAnswered => text(language, Key::EndedNobodyAnswered, &[]),
        EndReason::RoomClosed { reason } => {
            text(language, Key::EndedRoomClosed, &[("detail", reason)])
        }
        EndReason::Kicked { reason } => text(language, Key::EndedRemoved, &[("detail", reason)]),
        EndReason::Failed(fault) => of_fault(language, Key::EndedFailed, fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::fault::FaultCode;
    use crate::display::page::ShownMessage;

    fn fault() -> Fault {
        Fault::new(FaultCode::NoRoomServer, "connection refused")
    }

    fn call(members: &[&str]) -> CallPage {
        CallPage {
            members: members.iter().map(|&name| name.into()).collect(),
            ..CallPage::default()
        }
    }

    /// Every page, with its line in English and in Chinese.
    fn pages() -> Vec<(Page, &'static str, &'static str)> {
        let detail = || "the last member left".to_owned();
        let muted = CallPage {
            muted: true,
            ..call(&["Anna"])
        };
        let disturbed = CallPage {
            disturbed: true,
            ..call(&["Anna"])
        };
        // Texts of members are no templates.
        let message = CallPage {
            message: Some(ShownMessage {
                name: "{text}".into(),
                text: "a {name} {".into(),
            }),
            ..call(&[])
        };
        let step = Page::Connecting;
        let own = |lack| {
            Page::InCall(CallPage {
                lacks: vec![lack],
                ..call(&["Anna"])
            })
        };
        let other = |lack| {
            Page::InCall(CallPage {
                others_lack: vec![("Anna".into(), lack)],
                ..call(&["Anna"])
            })
        };
        vec![
            (
                own(Lack::Microphone),
                "The microphone does not work. The other side cannot hear you",
                "麦克风无法使用，对方听不到您",
            ),
            (
                own(Lack::Speaker),
                "The loudspeaker does not work. You cannot hear the other side",
                "扬声器无法使用，您听不到对方",
            ),
            (
                other(Lack::Microphone),
                "The microphone of Anna does not work",
                "Anna 的麦克风无法使用",
            ),
            (
                other(Lack::Speaker),
                "The loudspeaker of Anna does not work. You are not heard",
                "Anna 的扬声器无法使用，对方听不到您",
            ),
            (
                other(Lack::Picture),
                "No picture comes from Anna",
                "没有收到 Anna 的画面",
            ),
            (
                other(Lack::Sound),
                "No sound comes from Anna",
                "没有收到 Anna 的声音",
            ),
            (Page::Starting, "Starting", "正在启动"),
            (
                Page::OutOfService(fault()),
                "Out of service (N-3): connection refused. Trying again",
                "暂停服务（N-3）：connection refused。正在重试",
            ),
            (Page::Attract, "Press the button to call", "请按按钮呼叫"),
            (
                Page::Queueing,
                "All agents are busy. Please wait",
                "坐席全忙，请稍候",
            ),
            (
                step(ConnectingStep::Preparing),
                "Connecting: camera and microphone",
                "正在连接：打开摄像头和麦克风",
            ),
            (
                step(ConnectingStep::Pushing),
                "Connecting: sending your picture",
                "正在连接：发送您的画面",
            ),
            (
                step(ConnectingStep::Entering),
                "Connecting: entering the room",
                "正在连接：进入房间",
            ),
            (
                Page::InCall(call(&[])),
                "Waiting for the other side",
                "正在等待对方",
            ),
            (
                Page::InCall(call(&["Anna", "Ben", "Claire"])),
                "In call with Anna, Ben, Claire",
                "正在与Anna、Ben、Claire通话",
            ),
            (
                Page::InCall(muted),
                "In call with Anna (microphone off)",
                "正在与Anna通话（麦克风已关闭）",
            ),
            (
                Page::InCall(disturbed),
                "The connection is disturbed. Please stay",
                "连接不稳定，请勿离开",
            ),
            (
                Page::InCall(message),
                "{text}: a {name} {",
                "{text}：a {name} {",
            ),
            (
                Page::Ending(EndReason::HungUp),
                "Call ended: hung up",
                "通话结束：已挂断",
            ),
            (
                Page::Ending(EndReason::PeerLeft),
                "Call ended: the other side left",
                "通话结束：对方已离开",
            ),
            (
                Page::Ending(EndReason::NobodyAnswered),
                "Nobody can answer just now. Please try again later",
                "暂时无人接听，请稍后再试",
            ),
            (
                Page::Ending(EndReason::RoomClosed { reason: detail() }),
                "Call ended: the room was closed: the last member left",
                "通话结束：房间已关闭：the last member left",
            ),
            (
                Page::Ending(EndReason::Kicked { reason: detail() }),
                "Call ended: removed from the room: the last member left",
                "通话结束：已被移出房间：the last member left",
            ),
            (
                Page::Ending(EndReason::Failed(fault())),
                "Call ended: N-3: connection refused",
                "通话结束：N-3：connection refused",
            ),
        ]
    }

    #[test]
    fn every_page_has_a_line_in_each_language() {
        for (page, english, chinese) in pages() {
            assert_eq!(status_line(&page, Language::English), english, "{page:?}");
            assert_eq!(status_line(&page, Language::Chinese), chinese, "{page:?}");
        }
    }
}
