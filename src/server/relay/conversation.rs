//! The server's side of the RTMP conversation: the order in which messages may come, and the
//! answers to them. No sockets and no clock.

use super::command::{Command, CommandError, Status, connect_result, on_status, result};
use crate::protocol::rtmp::{CHUNK_SIZE, ChunkWriter};
use crate::protocol::rtmp::{Message, kind};

/// Window in bytes that is announced to peers; the value that most clients announce themselves.
const WINDOW: u32 = 2_500_000;
/// Longest stream name in bytes. Ids are `{bizid}_{room}_{user}`, far below this.
const MAX_STREAM_ID: usize = 256;

/// A stream as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamName {
    pub(super) id: String,
    /// The query without `?`; holds the signature.
    pub(super) query: String,
}

/// A demand of the conversation on the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Publish(StreamName),
    Play(StreamName),
    Media(Message),
    /// The role of the connection ended with a goodbye.
    End,
}

/// A client's fault that ends its connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConversationError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("`{0}` before `connect`")]
    NotConnected(&'static str),
    #[error("`{0}` on a connection that publishes or plays already")]
    RoleTaken(&'static str),
    #[error("the app is `{got}`, this relay serves `{wanted}`")]
    WrongApp { got: String, wanted: String },
    #[error("the stream name {0}")]
    BadStreamName(&'static str),
    #[error("media before `publish`")]
    NotPublishing,
}

/// The role of the connection, with its message stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    /// Asked for, and not yet granted or refused.
    Asked(u32),
    Publishing(u32),
    Playing(u32),
}

/// One connection's conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    app: String,
    /// Query of the app: some clients put there what belongs to the stream name.
    app_query: Option<String>,
    streams: u32,
    role: Role,
}

impl Conversation {
    /// `app` is the only application served.
    pub(super) fn new(app: String) -> Self {
        Self {
            app,
            app_query: None,
            streams: 0,
            role: Role::None,
        }
    }

    /// Takes one message, queues answers in `out`.
    pub(super) fn handle(
        &mut self,
        message: Message,
        out: &mut ChunkWriter,
    ) -> Result<Option<Request>, ConversationError> {
        match message.kind {
            kind::COMMAND_AMF0 | kind::COMMAND_AMF3 => {
                self.command(Command::parse(&message)?, message.stream, out)
            }
            kind::AUDIO | kind::VIDEO | kind::DATA_AMF0 | kind::DATA_AMF3 => match self.role {
                Role::Publishing(_) => Ok(Some(Request::Media(message))),
                // Some clients send metadata about themselves before anything else.
                _ if matches!(message.kind, kind::DATA_AMF0 | kind::DATA_AMF3) => Ok(None),
                // After `deleteStream` the last pictures may still be on their way.
                Role::None if self.streams > 0 => Ok(None),
                _ => Err(ConversationError::NotPublishing),
            },
            kind::USER_CONTROL => {
                if let Some(pong) = message.pong() {
                    out.push(&pong);
                }
                Ok(None)
            }
            // Acknowledgements and window sizes change nothing here; unknown kinds are skipped.
            _ => Ok(None),
        }
    }

    fn command(
        &mut self,
        command: Command,
        stream: u32,
        out: &mut ChunkWriter,
    ) -> Result<Option<Request>, ConversationError> {
        match command {
            Command::Connect { transaction, app } => self.connect(transaction, &app, out)?,
            Command::CreateStream { transaction } => {
                self.connected("createStream")?;
                self.streams = self.streams.wrapping_add(1).max(1);
                out.push(&result(transaction, Some(self.streams)));
            }
            Command::Publish { name } => {
                return self
                    .ask("publish", &name, stream)
                    .map(Request::Publish)
                    .map(Some);
            }
            Command::Play { name } => {
                return self.ask("play", &name, stream).map(Request::Play).map(Some);
            }
            Command::EndStream => {
                let had = std::mem::replace(&mut self.role, Role::None);
                return Ok((had != Role::None).then_some(Request::End));
            }
            Command::Courtesy { transaction } => out.push(&result(transaction, None)),
            Command::Other { name } => log::debug!(command = name; "an RTMP command is ignored"),
        }
        Ok(None)
    }

    fn connect(
        &mut self,
        transaction: f64,
        app: &str,
        out: &mut ChunkWriter,
    ) -> Result<(), ConversationError> {
        let (name, query) = match app.split_once('?') {
            Some((name, query)) => (name, query),
            None => (app, ""),
        };
        let name = name.trim_end_matches('/');
        if name != self.app {
            let error = ConversationError::WrongApp {
                got: name.chars().take(64).collect(),
                wanted: self.app.clone(),
            };
            let status = Status::error("NetConnection.Connect.InvalidApp", error.to_string());
            out.push(&connect_result(transaction, &status));
            return Err(error);
        }
        self.app_query = Some(query.to_owned());
        out.push(&Message::window_ack_size(WINDOW));
        out.push(&Message::set_peer_bandwidth(WINDOW));
        out.push(&Message::set_chunk_size(CHUNK_SIZE));
        let status = Status::ok("NetConnection.Connect.Success", "Connection succeeded.");
        out.push(&connect_result(transaction, &status));
        Ok(())
    }

    fn ask(
        &mut self,
        verb: &'static str,
        name: &str,
        stream: u32,
    ) -> Result<StreamName, ConversationError> {
        let app_query = self.connected(verb)?;
        if self.role != Role::None {
            return Err(ConversationError::RoleTaken(verb));
        }
        let name = stream_name(name, app_query)?;
        self.role = Role::Asked(stream);
        Ok(name)
    }

    fn connected(&self, verb: &'static str) -> Result<&str, ConversationError> {
        self.app_query
            .as_deref()
            .ok_or(ConversationError::NotConnected(verb))
    }

    /// Message stream of the role; 0 without one.
    pub(super) fn stream(&self) -> u32 {
        match self.role {
            Role::None => 0,
            Role::Asked(stream) | Role::Publishing(stream) | Role::Playing(stream) => stream,
        }
    }

    /// Grants what `publish` asked for.
    pub(super) fn accept_publish(&mut self, id: &str, out: &mut ChunkWriter) {
        let stream = self.stream();
        self.role = Role::Publishing(stream);
        out.push(&Message::stream_begin(stream));
        let status = Status::ok("NetStream.Publish.Start", format!("{id} is now published."));
        out.push(&on_status(stream, &status));
    }

    /// Grants what `play` asked for.
    pub(super) fn accept_play(&mut self, id: &str, out: &mut ChunkWriter) {
        let stream = self.stream();
        self.role = Role::Playing(stream);
        out.push(&Message::stream_begin(stream));
        for status in [
            Status::ok(
                "NetStream.Play.Reset",
                format!("Playing and resetting {id}."),
            ),
            Status::ok("NetStream.Play.Start", format!("Started playing {id}.")),
        ] {
            out.push(&on_status(stream, &status));
        }
    }

    /// Tells the client why its role is refused or over.
    pub(super) fn notify(&self, status: &Status, out: &mut ChunkWriter) {
        out.push(&on_status(self.stream(), status));
    }
}

/// Splits `id?query`; a query of the app counts when the name has none.
fn stream_name(name: &str, app_query: &str) -> Result<StreamName, ConversationError> {
    let (id, query) = name.split_once('?').unwrap_or((name, app_query));
    let problem = if id.is_empty() {
        "is empty"
    } else if id.len() > MAX_STREAM_ID {
        "is longer than 256 bytes"
    } else if id.chars().any(|c| c.is_control() || c == '/') {
        "holds a slash or a control character"
    } else {
        return Ok(StreamName {
            id: id.to_owned(),
            query: query.to_owned(),
        });
    };
    Err(ConversationError::BadStreamName(problem))
}

#[cfg(test)]
mod tests {
    use rml_rtmp::rml_amf0::{self, Amf0Value};

    use super::*;

    fn send(
        conversation: &mut Conversation,
        values: &[Amf0Value],
    ) -> Result<Option<Request>, ConversationError> {
        let payload = rml_amf0::serialize(&values.to_vec()).expect("valid");
        let message = Message::new(kind::COMMAND_AMF0, 1, payload.into());
        conversation.handle(message, &mut ChunkWriter::new())
    }

    fn connect(
        conversation: &mut Conversation,
        app: &str,
    ) -> Result<Option<Request>, ConversationError> {
        let app = [("app".to_owned(), Amf0Value::Utf8String(app.to_owned()))];
        let object = Amf0Value::Object(app.into_iter().collect());
        send(
            conversation,
            &[verb("connect"), Amf0Value::Number(1.0), object],
        )
    }

    fn verb(name: &str) -> Amf0Value {
        Amf0Value::Utf8String(name.to_owned())
    }

    fn ask(
        conversation: &mut Conversation,
        name: &str,
        stream: &str,
    ) -> Result<Option<Request>, ConversationError> {
        send(
            conversation,
            &[
                verb(name),
                Amf0Value::Number(2.0),
                Amf0Value::Null,
                verb(stream),
            ],
        )
    }

    fn name(id: &str, query: &str) -> StreamName {
        StreamName {
            id: id.to_owned(),
            query: query.to_owned(),
        }
    }

    #[test]
    fn names_may_carry_their_query_in_either_place() {
        for (app, stream, expected) in [
            ("live", "a?k=1", name("a", "k=1")),
            ("live/", "a", name("a", "")),
            ("live?k=2", "a", name("a", "k=2")),
            ("live?k=2", "a?k=1", name("a", "k=1")),
        ] {
            let mut conversation = Conversation::new("live".to_owned());
            assert_eq!(connect(&mut conversation, app), Ok(None));
            assert_eq!(
                ask(&mut conversation, "play", stream),
                Ok(Some(Request::Play(expected)))
            );
        }
    }

    #[test]
    fn things_out_of_order_are_refused_by_name() {
        let mut conversation = Conversation::new("live".to_owned());
        assert_eq!(
            ask(&mut conversation, "publish", "a"),
            Err(ConversationError::NotConnected("publish"))
        );
        assert!(matches!(
            connect(&mut conversation, "vod"),
            Err(ConversationError::WrongApp { .. })
        ));
        assert_eq!(connect(&mut conversation, "live"), Ok(None));
        let media = Message::new(kind::VIDEO, 1, bytes::Bytes::new());
        let mut out = ChunkWriter::new();
        assert_eq!(
            conversation.handle(media.clone(), &mut out),
            Err(ConversationError::NotPublishing)
        );
        for bad in ["", "a/b", "a\n", &"a".repeat(257)] {
            assert!(matches!(
                ask(&mut conversation, "play", bad),
                Err(ConversationError::BadStreamName(_))
            ));
        }
        assert!(matches!(
            ask(&mut conversation, "publish", "a"),
            Ok(Some(Request::Publish(_)))
        ));
        conversation.accept_publish("a", &mut out);
        assert_eq!(
            ask(&mut conversation, "play", "b"),
            Err(ConversationError::RoleTaken("play"))
        );
        assert_eq!(
            conversation.handle(media.clone(), &mut out),
            Ok(Some(Request::Media(media.clone())))
        );
        assert_eq!(
            send(&mut conversation, &[verb("deleteStream")]),
            Ok(Some(Request::End))
        );
        assert_eq!(send(&mut conversation, &[verb("closeStream")]), Ok(None));
    }
}
