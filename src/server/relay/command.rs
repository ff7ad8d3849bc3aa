//! RTMP commands: AMF0 in, AMF0 out.

use bytes::Buf;

use crate::protocol::rtmp::amf0::{Value, Writer, read_all};
use crate::protocol::rtmp::{Message, kind};
use crate::protocol::shown;

/// Longest command accepted, in bytes; known clients stay below 2 KiB.
const MAX_COMMAND: usize = 8 * 1024;

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
    /// `publish` or `play` of what is no name, such as `false`: Flash's way to end either.
    StopPublish,
    StopPlay,
    /// `closeStream`.
    CloseStream,
    /// `deleteStream` of a message stream, if it says of which.
    DeleteStream {
        stream: Option<f64>,
    },
    /// The announcement, withdrawal and wish of encoders and players of Adobe's servers.
    FcPublish(Announced),
    FcUnpublish(Announced),
    FcSubscribe(Announced),
    StreamLength {
        transaction: f64,
    },
    /// Asks only for an answer (`releaseStream`, `_checkbw`).
    Courtesy {
        transaction: f64,
    },
    Other {
        /// As it may be shown.
        name: String,
    },
}

/// A command about a stream by its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Announced {
    pub(super) transaction: f64,
    /// As it may be shown; empty without one.
    pub(super) name: String,
}

/// The reason for which a command cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("a command of {0} bytes, {MAX_COMMAND} are allowed")]
    TooLong(usize),
    #[error("{command} without {lacks}")]
    Lacks {
        command: &'static str,
        lacks: &'static str,
    },
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
        Self::from_values(&read_all(&payload))
    }

    fn from_values(values: &[Value]) -> Result<Self, CommandError> {
        let lacks = |command, lacks| Err(CommandError::Lacks { command, lacks });
        let Some(Value::Text(name)) = values.first() else {
            return lacks("a command", "a name");
        };
        let transaction = values.get(1).and_then(Value::number).unwrap_or(0.0);
        // The third is an object, or null.
        let argument = values.get(3);
        let stream_name = argument.map(Value::text);
        let announced = || Announced {
            transaction,
            name: shown::name(&argument.and_then(Value::text).unwrap_or_default()),
        };
        Ok(match name.as_str() {
            "connect" => match values.get(2).and_then(app) {
                Some(app) => Self::Connect { transaction, app },
                None => return lacks("`connect`", "an app"),
            },
            "createStream" => Self::CreateStream { transaction },
            "publish" => match stream_name {
                Some(Some(name)) => Self::Publish { name },
                Some(None) => Self::StopPublish,
                None => return lacks("`publish`", "a stream name"),
            },
            "play" => match stream_name {
                Some(Some(name)) => Self::Play { name },
                Some(None) => Self::StopPlay,
                None => return lacks("`play`", "a stream name"),
            },
            "deleteStream" => Self::DeleteStream {
                stream: argument.and_then(Value::number),
            },
            "closeStream" => Self::CloseStream,
            "FCPublish" => Self::FcPublish(announced()),
            "FCUnpublish" => Self::FcUnpublish(announced()),
            "FCSubscribe" => Self::FcSubscribe(announced()),
            "getStreamLength" => Self::StreamLength { transaction },
            "releaseStream" | "_checkbw" => Self::Courtesy { transaction },
            other => Self::Other {
                name: shown::name(other),
            },
        })
    }
}

/// The application that `connect` asks for; the path of its URL where it does not say.
fn app(object: &Value) -> Option<String> {
    let path = |url: String| {
        let (_, rest) = url.split_once("://")?;
        rest.split_once('/').map(|(_, path)| path.to_owned())
    };
    let app = object.property("app");
    app.or_else(|| object.property("tcUrl").and_then(path))
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

    /// Adds it as an object.
    fn object(&self, to: Writer) -> Writer {
        let level = match self.level {
            Level::Status => "status",
            Level::Error => "error",
        };
        let to = to.object().name("level").text(level);
        let to = to.name("code").text(self.code);
        to.name("description").text(&self.description).end()
    }
}

/// Composes `onStatus` on message stream `stream`.
pub(super) fn on_status(stream: u32, status: &Status) -> Message {
    event("onStatus", stream, status)
}

/// Composes the news about an announced stream, as Adobe's servers send them: `onFCPublish` and its
/// like, of the connection.
pub(super) fn on_announced(name: &'static str, status: &Status) -> Message {
    event(name, 0, status)
}

fn event(name: &str, stream: u32, status: &Status) -> Message {
    let values = Writer::default().text(name).number(0.0).null();
    command(stream, status.object(values))
}

/// The answer to `connect`.
pub(super) fn connect_result(transaction: f64, status: &Status) -> Message {
    let values = Writer::default();
    let values = match status.level {
        Level::Status => {
            let values = values.text("_result").number(transaction).object();
            let values = values.name("fmsVer").text("FMS/3,0,1,123");
            values.name("capabilities").number(31.0).end()
        }
        Level::Error => values.text("_error").number(transaction).null(),
    };
    command(0, status.object(values))
}

/// A successful answer carrying one value.
pub(super) fn result(transaction: f64, value: Option<u32>) -> Message {
    let values = Writer::default().text("_result").number(transaction).null();
    let values = match value {
        Some(value) => values.number(value.into()),
        None => values.undefined(),
    };
    command(0, values)
}

fn command(stream: u32, values: Writer) -> Message {
    Message::new(kind::COMMAND_AMF0, stream, values.bytes())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn parse(values: Writer) -> Result<Command, CommandError> {
        Command::parse(&command(0, values))
    }

    fn call(name: &str) -> Writer {
        Writer::default().text(name).number(3.0).null()
    }

    #[test]
    fn understands_what_clients_send() {
        let connect = Writer::default().text("connect").number(1.0).object();
        let connect = connect.name("app").text("live").name("tcUrl");
        let app = "live".to_owned();
        assert_eq!(
            parse(connect.text("rtmp://h/other").end()),
            Ok(Command::Connect {
                transaction: 1.0,
                app
            })
        );
        let name = || "a?b=c".to_owned();
        let announced = || Announced {
            transaction: 3.0,
            name: name(),
        };
        let transaction = 3.0;
        for (verb, expected) in [
            ("publish", Command::Publish { name: name() }),
            ("play", Command::Play { name: name() }),
            ("FCPublish", Command::FcPublish(announced())),
            ("FCUnpublish", Command::FcUnpublish(announced())),
            ("FCSubscribe", Command::FcSubscribe(announced())),
            ("releaseStream", Command::Courtesy { transaction }),
            ("_checkbw", Command::Courtesy { transaction }),
            ("getStreamLength", Command::StreamLength { transaction }),
            ("closeStream", Command::CloseStream),
            ("deleteStream", Command::DeleteStream { stream: None }),
            (
                "pa\u{1b}use",
                Command::Other {
                    name: "pause".to_owned(),
                },
            ),
        ] {
            assert_eq!(parse(call(verb).text("a?b=c")), Ok(expected), "{verb}");
        }
    }

    /// Text that is no UTF-8 where nobody reads it is reported at pedroSG94/RootEncoder#1570.
    #[test]
    fn a_field_that_nobody_reads_costs_nothing() {
        let odd: [&[u8]; 5] = [
            b"\x02\0\x08Caf\xe9 1.0",                           // Latin-1
            b"\x02\0\x08\xb9\xf1\xd4\xb1\xb9\xf1\xd4\xb1",      // GBK
            b"\x06",                                            // undefined
            b"\x0a\0\0\0\x02\x05\x01\x01",                      // a list
            b"\x08\0\0\0\x09\0\x01a\x02\0\x02\xff\xff\0\0\x09", // a map
        ];
        for odd in odd {
            let before = Writer::default().text("connect").number(1.0).object();
            let before = before.name("flashVer").bytes();
            let after = Writer::default().name("app").text("live").end().bytes();
            let payload = [&before, odd, &after].concat().into();
            let message = Message::new(kind::COMMAND_AMF0, 0, payload);
            let expected = Command::Connect {
                transaction: 1.0,
                app: "live".to_owned(),
            };
            assert_eq!(Command::parse(&message), Ok(expected), "{odd:?}");
        }
    }

    #[test]
    fn numbers_and_texts_stand_for_each_other_and_null_for_nothing() {
        let connect = Writer::default().text("connect").text("7").object();
        let expected = Command::Connect {
            transaction: 7.0,
            app: "5".to_owned(),
        };
        let app = connect.name("app").number(5.0).end();
        assert_eq!(parse(app), Ok(expected));
        let name = || "10086".to_owned();
        let publish = Command::Publish { name: name() };
        assert_eq!(parse(call("publish").number(10086.0)), Ok(publish));
        assert_eq!(
            parse(call("play").number(10086.0)),
            Ok(Command::Play { name: name() })
        );
        let create = Writer::default().text("createStream").null().null();
        let expected = Command::CreateStream { transaction: 0.0 };
        assert_eq!(parse(create), Ok(expected));
        let delete = Command::DeleteStream { stream: Some(2.0) };
        assert_eq!(parse(call("deleteStream").text("2")), Ok(delete));
        // Without an app, the path of the URL says where to.
        let connect = Writer::default().text("connect").number(1.0).object();
        let connect = connect.name("app").null().name("tcUrl");
        let expected = Command::Connect {
            transaction: 1.0,
            app: "live?a=/b".to_owned(),
        };
        let url = "rtmp://h:1936/live?a=/b";
        assert_eq!(parse(connect.text(url).end()), Ok(expected));
    }

    /// `publish(false)` is reported at arut/nginx-rtmp-module#789; others send what is no name either.
    #[test]
    fn what_is_no_name_ends() {
        let object = |call: Writer| call.object().name("a").null().end();
        for (verb, expected) in [
            ("publish", Command::StopPublish),
            ("play", Command::StopPlay),
        ] {
            for values in [
                call(verb).boolean(false),
                call(verb).null(),
                call(verb).undefined(),
                call(verb).number(f64::NAN),
                object(call(verb)),
            ] {
                assert_eq!(parse(values), Ok(expected.clone()));
            }
        }
    }

    #[test]
    fn names_what_is_wrong_with_a_command() {
        let connect = || Writer::default().text("connect").number(1.0);
        for (values, command, lacks) in [
            (Writer::default(), "a command", "a name"),
            (Writer::default().number(1.0), "a command", "a name"),
            (connect(), "`connect`", "an app"),
            (connect().null(), "`connect`", "an app"),
            (connect().object().end(), "`connect`", "an app"),
            (
                Writer::default().text("publish"),
                "`publish`",
                "a stream name",
            ),
            (call("play"), "`play`", "a stream name"),
        ] {
            assert_eq!(parse(values), Err(CommandError::Lacks { command, lacks }));
        }
        let long = Message::new(kind::COMMAND_AMF0, 0, Bytes::from(vec![0; 9000]));
        assert_eq!(Command::parse(&long), Err(CommandError::TooLong(9000)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(prop_oneof![0u8..17, any::<u8>()], 0..512)) {
            for message_kind in [kind::COMMAND_AMF0, kind::COMMAND_AMF3] {
                let _ = Command::parse(&Message::new(message_kind, 0, Bytes::from(bytes.clone())));
            }
        }
    }
}
