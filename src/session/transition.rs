//! The session's state as everyone outside sees it: the screen, the journal, the status, tests.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::display::{ConnectingStep, Lack, ShownMessage};
use crate::display::{EndReason, Fault};

/// A way between us and the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    Connecting,
    Up,
    Lost,
    /// Not wanted: a member who is not played.
    Off,
}

impl Link {
    /// The link in a line of the journal.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Lost => "lost",
            Self::Off => "off",
        }
    }
}

/// Another member of the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallMember {
    pub name: String,
    pub downlink: Link,
    /// Parts of theirs that do not work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<Lack>,
}

/// The session's state as everyone outside sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Transition {
    Starting,
    OutOfService {
        fault: Fault,
    },
    Attract,
    Queueing,
    Connecting {
        step: ConnectingStep,
        muted: bool,
    },
    InCall {
        room_id: String,
        uplink: Link,
        /// By userID.
        members: BTreeMap<String, CallMember>,
        room_server_reachable: bool,
        /// The others hear nothing of us.
        muted: bool,
        /// Parts of our own that do not work.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacks: Vec<Lack>,
        /// The last text, for some seconds: "name: text".
        said: Option<ShownMessage>,
    },
    Ending {
        reason: EndReason,
    },
}

/// One line for technicians and the journal. It leaves out what people say to each other, which
/// does not belong into a log.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::OutOfService { fault } => write!(f, "out of service: {fault}"),
            Self::Attract => f.write_str("ready for a call"),
            Self::Queueing => f.write_str("looking for an idle agent"),
            Self::Connecting { step, .. } => f.write_str(match step {
                ConnectingStep::Preparing => "connecting: camera, microphone and push URL",
                ConnectingStep::Pushing => "connecting: starting the uplink",
                ConnectingStep::Entering => "connecting: entering the room",
            }),
            Self::InCall {
                uplink, members, ..
            } => {
                let members: Vec<_> = members.values().map(CallMember::to_string).collect();
                match members.as_slice() {
                    [] => f.write_str("in call with nobody yet")?,
                    members => write!(f, "in call with {}", members.join(", "))?,
                }
                match uplink {
                    Link::Up => Ok(()),
                    lost => write!(f, "; uplink {}", lost.as_str()),
                }
            }
            Self::Ending { reason } => write!(f, "call ended: {reason}"),
        }?;
        self.fmt_notes(f)
    }
}

impl Transition {
    fn fmt_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::InCall { muted, .. } | Self::Connecting { muted, .. }) = self else {
            return Ok(());
        };
        if *muted {
            f.write_str("; microphone off")?;
        }
        let Self::InCall {
            room_server_reachable,
            lacks,
            ..
        } = self
        else {
            return Ok(());
        };
        for lack in lacks {
            write!(f, "; {}", in_words(*lack))?;
        }
        match room_server_reachable {
            false => f.write_str("; room server unreachable"),
            true => Ok(()),
        }
    }
}

impl fmt::Display for CallMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = (self.downlink != Link::Up).then(|| self.downlink.as_str());
        let lacks = self.lacks.iter().map(|lack| in_words(*lack));
        let notes: Vec<_> = link.into_iter().chain(lacks).collect();
        match notes.as_slice() {
            [] => f.write_str(&self.name),
            notes => write!(f, "{} ({})", self.name, notes.join(", ")),
        }
    }
}

fn in_words(lack: Lack) -> &'static str {
    match lack {
        Lack::Picture => "no picture",
        Lack::Sound => "no sound",
        Lack::Microphone => "no microphone",
        Lack::Speaker => "no loudspeaker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::FaultCode;

    fn call(uplink: Link, members: &[(&str, Link)], reachable: bool, muted: bool) -> Transition {
        let member = |&(name, downlink): &(&str, Link)| {
            let name = name.to_owned();
            let lacks = vec![];
            let member = CallMember {
                name: name.clone(),
                downlink,
                lacks,
            };
            (name, member)
        };
        Transition::InCall {
            room_id: "r".into(),
            uplink,
            members: members.iter().map(member).collect(),
            room_server_reachable: reachable,
            muted,
            lacks: vec![],
            said: Some(ShownMessage {
                name: "A".into(),
                text: "my PIN is 1234".into(),
            }),
        }
    }

    #[test]
    fn technicians_read_all_but_what_people_say() {
        let refused = || Fault::new(FaultCode::PushRefused, "wrong key");
        let members = [("A", Link::Up), ("B", Link::Lost)];
        let step = ConnectingStep::Pushing;
        for (transition, summary) in [
            (Transition::Starting, "starting"),
            (
                Transition::OutOfService { fault: refused() },
                "out of service: N-6: wrong key",
            ),
            (
                Transition::Connecting { step, muted: true },
                "connecting: starting the uplink; microphone off",
            ),
            (call(Link::Up, &[], true, false), "in call with nobody yet"),
            (
                call(Link::Up, &members, true, false),
                "in call with A, B (lost)",
            ),
            (
                call(Link::Lost, &members[..1], false, true),
                "in call with A; uplink lost; microphone off; room server unreachable",
            ),
            (
                Transition::Ending {
                    reason: EndReason::Failed(refused()),
                },
                "call ended: N-6: wrong key",
            ),
        ] {
            assert_eq!(transition.to_string(), summary);
        }
    }

    #[test]
    fn a_message_is_one_string_in_the_status() {
        let status = serde_json::to_value(call(Link::Up, &[], true, false)).unwrap();
        assert_eq!(status["said"], "A: my PIN is 1234");
    }
}
