//! RTMP commands: AMF0 in, AMF0 out.

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use rml_rtmp::rml_amf0::{self, Amf0Value};

use crate::protocol::rtmp::{Message, kind};

/// Longest command accepted, in bytes; known clients stay below 2 KiB.
const MAX_COMMAND: usize = 8 * 1024;
/// Bytes that could open an object or array. The AMF0 reader recurses once per nesting, so
/// this bounds its stack; honest commands, whose text has no such bytes, have some tens.
const MAX_OPENING_BYTES: usize = 128;

/// A request of a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Connect {
        transaction: f64,
        app: String,
    },
    CreateStream {
        transaction: f64,
    },
    Publish {
        name: String,
    },
    Play {
        name: String,
    },
    /// `deleteStream`, `closeStream` or `FCUnpublish`: the role of this connection ends.
    EndStream,
    /// Asks only for an answer (`releaseStream`, `FCPublish`, ...).
    Courtesy {
        transaction: f64,
    },
    Other {
        name: String,
    },
}

/// The reason for which a command cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("a command of {0} bytes, {MAX_COMMAND} are allowed")]
    TooLong(usize),
    #[error("a command nested too deeply")]
    TooDeep,
    #[error("a command that is not AMF0: {0}")]
    NotAmf0(String),
    #[error("a command without {0}")]
    Lacks(&'static str),
}

impl Command {
    /// Reads a command message of either AMF version.
    pub(super) fn parse(message: &Message) -> Result<Self, CommandError> {
        let mut payload = message.payload.clone();
        if message.kind == kind::COMMAND_AMF3 && payload.has_remaining() {
            // An AMF3 command is a zero byte and then, from every known client, AMF0.
            payload.advance(1);
        }
        if payload.len() > MAX_COMMAND {
            return Err(CommandError::TooLong(payload.len()));
        }
        let opening = payload.iter().filter(|byte| matches!(byte, 3 | 8 | 10));
        if opening.count() > MAX_OPENING_BYTES {
            return Err(CommandError::TooDeep);
        }
        let values = rml_amf0::deserialize(&mut payload.reader())
            .map_err(|error| CommandError::NotAmf0(error.to_string()))?;
        Self::from_values(values)
    }

    fn from_values(values: Vec<Amf0Value>) -> Result<Self, CommandError> {
        let mut values = values.into_iter();
        let name = values.next().and_then(Amf0Value::get_string);
        let name = name.ok_or(CommandError::Lacks("a name"))?;
        let transaction = values.next().and_then(Amf0Value::get_number).unwrap_or(0.0);
        let object = values.next();
        let mut stream_name = || {
            let argument = values.next().and_then(Amf0Value::get_string);
            argument.ok_or(CommandError::Lacks("a stream name"))
        };
        Ok(match name.as_str() {
            "connect" => Self::Connect {
                transaction,
                app: object
                    .and_then(Amf0Value::get_object_properties)
                    .and_then(|mut properties| properties.remove("app"))
                    .and_then(Amf0Value::get_string)
                    .ok_or(CommandError::Lacks("an app"))?,
            },
            "createStream" => Self::CreateStream { transaction },
            "publish" => Self::Publish {
                name: stream_name()?,
            },
            "play" => Self::Play {
                name: stream_name()?,
            },
            "deleteStream" | "closeStream" | "FCUnpublish" => Self::EndStream,
            "releaseStream" | "FCPublish" | "FCSubscribe" | "getStreamLength" | "_checkbw" => {
                Self::Courtesy { transaction }
            }
            _ => Self::Other { name },
        })
    }
}

/// `onStatus` levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Status,
    Error,
}

/// An event for the client, as `code` and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) level: Level,
    pub(super) code: &'static str,
    pub(super) description: String,
}

impl Status {
    pub(super) fn ok(code: &'static str, description: impl Into<String>) -> Self {
        Self {
            level: Level::Status,
            code,
            description: description.into(),
        }
    }

    pub(super) fn error(code: &'static str, description: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            code,
            description: description.into(),
        }
    }

    fn object(&self) -> Amf0Value {
        let level = match self.level {
            Level::Status => "status",
            Level::Error => "error",
        };
        object([
            ("level", text(level)),
            ("code", text(self.code)),
            ("description", text(&self.description)),
        ])
    }
}

/// Composes `onStatus` on message stream `stream`.
pub(super) fn on_status(stream: u32, status: &Status) -> Message {
    let values = [
        text("onStatus"),
        number(0),
        Amf0Value::Null,
        status.object(),
    ];
    command(stream, &values)
}

/// The answer to `connect`.
pub(super) fn connect_result(transaction: f64, status: &Status) -> Message {
    let (name, server) = match status.level {
        Level::Status => (
            "_result",
            object([
                ("fmsVer", text("FMS/3,0,1,123")),
                ("capabilities", number(31)),
            ]),
        ),
        Level::Error => ("_error", Amf0Value::Null),
    };
    let values = [
        text(name),
        Amf0Value::Number(transaction),
        server,
        status.object(),
    ];
    command(0, &values)
}

/// A successful answer carrying one value.
pub(super) fn result(transaction: f64, value: Option<u32>) -> Message {
    let value = value.map_or(Amf0Value::Undefined, number);
    let values = [
        text("_result"),
        Amf0Value::Number(transaction),
        Amf0Value::Null,
        value,
    ];
    command(0, &values)
}

fn command(stream: u32, values: &[Amf0Value]) -> Message {
    let payload = rml_amf0::serialize(&values.to_vec())
        .expect("AMF0 takes all strings below 64 KiB, and stream names are far shorter");
    Message::new(kind::COMMAND_AMF0, stream, Bytes::from(payload))
}

fn object<const N: usize>(properties: [(&str, Amf0Value); N]) -> Amf0Value {
    let properties: HashMap<_, _> = properties
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Amf0Value::Object(properties)
}

fn text(value: &str) -> Amf0Value {
    Amf0Value::Utf8String(value.to_owned())
}

fn number(value: u32) -> Amf0Value {
    Amf0Value::Number(f64::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(values: &[Amf0Value]) -> Result<Command, CommandError> {
        Command::parse(&command(0, values))
    }

    #[test]
    fn understands_what_clients_send() {
        let app = object([("app", text("live")), ("tcUrl", text("rtmp://h/live"))]);
        assert_eq!(
            parse(&[text("connect"), number(1), app]),
            Ok(Command::Connect {
                transaction: 1.0,
                app: "live".to_owned()
            })
        );
        for (name, expected) in [
            (
                "publish",
                Command::Publish {
                    name: "a?b=c".to_owned(),
                },
            ),
            (
                "play",
                Command::Play {
                    name: "a?b=c".to_owned(),
                },
            ),
            ("FCPublish", Command::Courtesy { transaction: 3.0 }),
            ("deleteStream", Command::EndStream),
            (
                "pause",
                Command::Other {
                    name: "pause".to_owned(),
                },
            ),
        ] {
            let values = [text(name), number(3), Amf0Value::Null, text("a?b=c")];
            assert_eq!(parse(&values), Ok(expected), "{name}");
        }
    }

    #[test]
    fn names_what_is_wrong_with_a_command() {
        for (values, lack) in [
            (vec![], "a name"),
            (vec![number(1)], "a name"),
            (vec![text("connect"), number(1), Amf0Value::Null], "an app"),
            (vec![text("publish")], "a stream name"),
        ] {
            assert_eq!(parse(&values), Err(CommandError::Lacks(lack)));
        }
        let long = Message::new(kind::COMMAND_AMF0, 0, Bytes::from(vec![0; 9000]));
        assert_eq!(Command::parse(&long), Err(CommandError::TooLong(9000)));
    }

    #[test]
    fn nesting_cannot_exhaust_a_stack() {
        // Tokio's workers have 2 MiB; a quarter of it must do.
        let parse_nested = || {
            for unit in [
                &[3u8, 0, 1, b'a'][..],
                &[8, 0, 0, 0, 0, 0, 1, b'a'],
                &[10, 0, 0, 0, 1],
            ] {
                let nested = |levels| {
                    let payload: Bytes = unit.repeat(levels).into();
                    Command::parse(&Message::new(kind::COMMAND_AMF0, 0, payload))
                };
                assert!(
                    matches!(nested(MAX_OPENING_BYTES), Err(error) if error != CommandError::TooDeep)
                );
                assert_eq!(nested(MAX_OPENING_BYTES + 1), Err(CommandError::TooDeep));
            }
        };
        let thread = std::thread::Builder::new()
            .stack_size(512 << 10)
            .spawn(parse_nested);
        thread.expect("thread").join().expect("no overflow");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(prop_oneof![0u8..12, any::<u8>()], 0..512)) {
            for message_kind in [kind::COMMAND_AMF0, kind::COMMAND_AMF3] {
                let _ = Command::parse(&Message::new(message_kind, 0, Bytes::from(bytes.clone())));
            }
        }
    }
}
