//! The server's side of the RTMP conversation: the order in which messages may come, and the
//! answers to them. No sockets and no clock.

use super::command::{
    Command, CommandError, Status, connect_result, on_announced, on_status, result,
};
use crate::protocol::rtmp::{CHUNK_SIZE, ChunkWriter};
use crate::protocol::rtmp::{Message, kind};
use crate::protocol::shown;

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
    /// Of a publisher as well: its stream ends, and this one begins.
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

/// The things that `connect` named beside the application, where some clients put parts of the stream's name.
#[derive(Debug)]
struct App {
    /// Path below the application: ffmpeg reads `live/a/?b` as the stream `?b` in `live/a`.
    path: String,
    query: String,
}

/// One connection's conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    app: String,
    /// Known after `connect`.
    connected: Option<App>,
    streams: u32,
    role: Role,
    /// The stream that `FCPublish` announced, as it may be shown.
    announced: Option<String>,
}

impl Conversation {
    /// `app` is the only application served.
    pub(super) fn new(app: String) -> Self {
        Self {
            app,
            connected: None,
            streams: 0,
            role: Role::None,
            announced: None,
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
                let name = self.ask("publish", &name, stream)?;
                return Ok(Some(Request::Publish(name)));
            }
            Command::Play { name } => {
                let name = self.ask("play", &name, stream)?;
                return Ok(Some(Request::Play(name)));
            }
            Command::StopPublish if !matches!(self.role, Role::Playing(_)) => {
                return Ok(self.end(stream, true, out));
            }
            Command::StopPlay if !matches!(self.role, Role::Publishing(_)) => {
                return Ok(self.end(stream, true, out));
            }
            Command::StopPublish | Command::StopPlay => {}
            Command::CloseStream => return Ok(self.end(stream, true, out)),
            Command::DeleteStream { stream: which } => {
                // As a number of 32 bits; what is out of range is no stream of ours.
                let which = which.map_or(stream, |which| which as u32);
                return Ok(self.end(which, false, out));
            }
            Command::FcUnpublish(stream) => {
                out.push(&result(stream.transaction, None));
                return Ok(self.end(0, true, out));
            }
            Command::FcPublish(stream) => {
                out.push(&result(stream.transaction, None));
                let status = Status::ok("NetStream.Publish.Start", stream.name.clone());
                out.push(&on_announced("onFCPublish", &status));
                self.announced = Some(stream.name);
            }
            Command::FcSubscribe(stream) => {
                out.push(&result(stream.transaction, None));
                let status = Status::ok("NetStream.Play.Start", stream.name);
                out.push(&on_announced("onFCSubscribe", &status));
            }
            // In seconds; that of a live stream is not known.
            Command::StreamLength { transaction } => out.push(&result(transaction, Some(0))),
            Command::Courtesy { transaction } => out.push(&result(transaction, None)),
            Command::Other { name } => log::debug!(command = name; "an RTMP command is ignored"),
        }
        Ok(None)
    }

    /// Ends the role if it is that of message stream `stream`; tells the client so if it is `told`.
    fn end(&mut self, stream: u32, told: bool, out: &mut ChunkWriter) -> Option<Request> {
        let own = self.stream();
        let given = |stream: u32| (1..=self.streams).contains(&stream);
        // Only a stream that we gave can be another one: some clients say 0, or anything.
        if self.role == Role::None || (stream != own && given(stream) && given(own)) {
            return None;
        }
        let role = std::mem::replace(&mut self.role, Role::None);
        let announced = self.announced.take();
        if let Role::Publishing(_) = role
            && let Some(name) = announced
        {
            let status = Status::ok("NetStream.Unpublish.Success", name);
            out.push(&on_announced("onFCUnpublish", &status));
        }
        let status = match role {
            Role::Playing(_) => Status::ok("NetStream.Play.Stop", "Stopped playing."),
            _ => Status::ok("NetStream.Unpublish.Success", "Stopped publishing."),
        };
        if told {
            out.push(&on_status(own, &status));
        }
        Some(Request::End)
    }

    fn connect(
        &mut self,
        transaction: f64,
        app: &str,
        out: &mut ChunkWriter,
    ) -> Result<(), ConversationError> {
        let (name, query) = app.split_once('?').unwrap_or((app, ""));
        let name = name.trim_matches('/');
        let below = name.strip_prefix(&self.app);
        let below = below.and_then(|rest| match rest {
            "" => Some(""),
            _ => rest.strip_prefix('/'),
        });
        let Some(path) = below else {
            let error = ConversationError::WrongApp {
                got: shown::name(name),
                wanted: self.app.clone(),
            };
            let status = Status::error("NetConnection.Connect.InvalidApp", error.to_string());
            out.push(&connect_result(transaction, &status));
            return Err(error);
        };
        self.connected = Some(App {
            path: path.to_owned(),
            query: query.to_owned(),
        });
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
        let app = self.connected(verb)?;
        let again = self.role == Role::Publishing(stream) && verb == "publish";
        if self.role != Role::None && !again {
            return Err(ConversationError::RoleTaken(verb));
        }
        let name = stream_name(name, app)?;
        self.role = Role::Asked(stream);
        Ok(name)
    }

    fn connected(&self, verb: &'static str) -> Result<&App, ConversationError> {
        self.connected
            .as_ref()
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

/// Splits `id?query`; what the app has of either counts where the name has none. A slash in front of
/// the query belongs to neither.
fn stream_name(name: &str, app: &App) -> Result<StreamName, ConversationError> {
    let (id, query) = name.split_once('?').unwrap_or((name, &app.query));
    let id = match (app.path.as_str(), id.trim_matches('/')) {
        (path, "") => path.to_owned(),
        ("", id) => id.to_owned(),
        (path, id) => format!("{path}/{id}"),
    };
    let problem = if id.is_empty() {
        "is empty"
    } else if id.len() > MAX_STREAM_ID {
        "is longer than 256 bytes"
    } else if id.contains('/') || shown::line(&id) != id {
        "holds a slash or a control character"
    } else if id.contains(char::REPLACEMENT_CHARACTER) {
        // Two names that differ there must not become one.
        "is not UTF-8"
    } else {
        let query = query.to_owned();
        return Ok(StreamName { id, query });
    };
    Err(ConversationError::BadStreamName(problem))
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, BytesMut};

    use super::*;
    use crate::protocol::rtmp::ChunkReader;
    use crate::protocol::rtmp::amf0::{Value, Writer, read_all};

    type Answer = Result<Option<Request>, ConversationError>;

    struct Talk {
        conversation: Conversation,
        out: ChunkWriter,
    }

    impl Talk {
        fn new() -> Self {
            Self {
                conversation: Conversation::new("live".to_owned()),
                out: ChunkWriter::new(),
            }
        }

        /// A client that has connected, and been given `streams` message streams.
        fn connected(app: &str, streams: u32) -> Self {
            let mut talk = Self::new();
            assert_eq!(talk.connect(app), Ok(None));
            for _ in 0..streams {
                assert_eq!(talk.send(0, call("createStream")), Ok(None));
            }
            talk.said();
            talk
        }

        fn connect(&mut self, app: &str) -> Answer {
            let connect = Writer::default().text("connect").number(1.0).object();
            self.send(0, connect.name("app").text(app).end())
        }

        fn send(&mut self, stream: u32, values: Writer) -> Answer {
            let message = Message::new(kind::COMMAND_AMF0, stream, values.bytes());
            self.conversation.handle(message, &mut self.out)
        }

        /// Asks to publish, and is let.
        fn publish(&mut self, stream: u32, id: &str) {
            let asked = self.send(stream, call("publish").text(id));
            assert_eq!(asked, Ok(Some(Request::Publish(name(id, "")))));
            self.conversation.accept_publish(id, &mut self.out);
        }

        /// The answers since the last look: name, message stream, and the code or number in it.
        fn said(&mut self) -> Vec<(String, u32, String)> {
            let bytes = self.out.copy_to_bytes(self.out.remaining());
            let (mut bytes, mut chunks) = (BytesMut::from(bytes), ChunkReader::new(4096));
            chunks.limit(65_536);
            let mut said = Vec::new();
            while let Some(message) = chunks.next(&mut bytes).expect("chunks of ours") {
                if message.kind != kind::COMMAND_AMF0 {
                    continue;
                }
                let values = read_all(&message.payload);
                let what = values.get(3).and_then(|value| match value {
                    Value::Properties(_) => value.property("code"),
                    _ => value.text(),
                });
                let name = values[0].text().expect("a name");
                said.push((name, message.stream, what.unwrap_or_default()));
            }
            said
        }
    }

    fn call(verb: &str) -> Writer {
        Writer::default().text(verb).number(2.0).null()
    }

    fn name(id: &str, query: &str) -> StreamName {
        StreamName {
            id: id.to_owned(),
            query: query.to_owned(),
        }
    }

    fn said(all: &[(&str, u32, &str)]) -> Vec<(String, u32, String)> {
        let owned =
            |&(name, stream, what): &(&str, u32, &str)| (name.to_owned(), stream, what.to_owned());
        all.iter().map(owned).collect()
    }

    /// A slash before the query is reported at videojs/video.js#2347; ffmpeg makes an app of it.
    #[test]
    fn names_may_carry_their_query_in_either_place() {
        for (app, stream, expected) in [
            ("live", "a?k=1", name("a", "k=1")),
            ("live/", "a", name("a", "")),
            ("/live", "a", name("a", "")),
            ("live?k=2", "a", name("a", "k=2")),
            ("live?k=2", "a?k=1", name("a", "k=1")),
            ("live", "a/?k=1", name("a", "k=1")),
            ("live", "/a/?k=1/", name("a", "k=1/")),
            ("live", "a/", name("a", "")),
            ("live/?k=2", "a", name("a", "k=2")),
            ("live/a", "?k=1", name("a", "k=1")),
            ("live/a/?k=1", "", name("a", "k=1")),
        ] {
            let mut talk = Talk::connected(app, 1);
            let asked = talk.send(1, call("play").text(stream));
            assert_eq!(asked, Ok(Some(Request::Play(expected))), "{app} {stream}");
        }
        for (app, bad) in [
            ("live/b", "a"),
            ("live", "b/a?k"),
            ("live", "a\u{202e}b"),
            ("live", "a\u{fffd}"),
        ] {
            let asked = Talk::connected(app, 1).send(1, call("publish").text(bad));
            assert!(matches!(asked, Err(ConversationError::BadStreamName(_))));
        }
        for other in ["liver", "vod/live", "liv"] {
            let refused = Talk::new().connect(other);
            assert!(matches!(refused, Err(ConversationError::WrongApp { .. })));
        }
    }

    #[test]
    fn things_out_of_order_are_refused_by_name() {
        let mut talk = Talk::new();
        assert_eq!(
            talk.send(1, call("publish").text("a")),
            Err(ConversationError::NotConnected("publish"))
        );
        assert!(matches!(
            talk.connect("v\u{1b}od"),
            Err(ConversationError::WrongApp { got, .. }) if got == "vod"
        ));
        assert_eq!(talk.connect("live"), Ok(None));
        let media = Message::new(kind::VIDEO, 1, bytes::Bytes::new());
        let mut out = ChunkWriter::new();
        assert_eq!(
            talk.conversation.handle(media.clone(), &mut out),
            Err(ConversationError::NotPublishing)
        );
        for bad in ["", "/", "a/b", "a\n", &"a".repeat(257)] {
            assert!(matches!(
                talk.send(1, call("play").text(bad)),
                Err(ConversationError::BadStreamName(_))
            ));
        }
        talk.publish(1, "a");
        assert_eq!(
            talk.send(1, call("play").text("b")),
            Err(ConversationError::RoleTaken("play"))
        );
        assert_eq!(
            talk.send(2, call("publish").text("b")),
            Err(ConversationError::RoleTaken("publish"))
        );
        assert_eq!(
            talk.conversation.handle(media.clone(), &mut out),
            Ok(Some(Request::Media(media.clone())))
        );
        assert_eq!(talk.send(1, call("deleteStream")), Ok(Some(Request::End)));
        assert_eq!(talk.send(1, call("closeStream")), Ok(None));
    }

    /// Republishing after `publish(false)` is reported at arut/nginx-rtmp-module#789.
    #[test]
    fn one_connection_publishes_again_and_again() {
        let ends = [
            (call("publish").boolean(false), true),
            (call("publish").null(), true),
            (call("closeStream"), true),
            (call("deleteStream").number(1.0), false),
            (call("deleteStream").number(77.0), false),
            (call("deleteStream").null(), false),
            (call("FCUnpublish").text("a"), true),
        ];
        let mut talk = Talk::connected("live", 2);
        for (end, told) in ends {
            talk.publish(1, "a");
            talk.said();
            assert_eq!(talk.send(1, end), Ok(Some(Request::End)));
            let told_so = said(&[("onStatus", 1, "NetStream.Unpublish.Success")]);
            let answers = talk.said();
            assert_eq!(answers.iter().any(|answer| *answer == told_so[0]), told);
            // Pictures on their way harm nobody.
            let late = Message::new(kind::VIDEO, 1, bytes::Bytes::new());
            let late = talk.conversation.handle(late, &mut talk.out);
            assert_eq!(late, Ok(None));
        }
        // Another stream of the connection, and a new name without an end.
        talk.publish(2, "b");
        talk.publish(2, "c");
        assert_eq!(talk.send(1, call("deleteStream").number(1.0)), Ok(None));
        assert_eq!(talk.send(1, call("closeStream")), Ok(None));
        assert_eq!(talk.send(2, call("play").boolean(false)), Ok(None));
        assert_eq!(talk.send(2, call("closeStream")), Ok(Some(Request::End)));
        assert_eq!(talk.send(2, call("publish").boolean(false)), Ok(None));
    }

    #[test]
    fn playing_ends_and_begins_again() {
        let mut talk = Talk::connected("live", 1);
        for id in ["a", "b"] {
            let asked = talk.send(1, call("play").text(id));
            assert_eq!(asked, Ok(Some(Request::Play(name(id, "")))));
            talk.conversation.accept_play(id, &mut talk.out);
            talk.said();
            assert_eq!(talk.send(1, call("publish").boolean(false)), Ok(None));
            let end = talk.send(1, call("play").boolean(false));
            assert_eq!(end, Ok(Some(Request::End)));
            let stopped = said(&[("onStatus", 1, "NetStream.Play.Stop")]);
            assert_eq!(talk.said(), stopped);
        }
    }

    /// The order in which encoders speak to Adobe's servers, whose answers they wait for.
    #[test]
    fn encoders_that_announce_their_stream_are_answered() {
        let mut talk = Talk::connected("live", 1);
        for verb in ["releaseStream", "FCPublish", "_checkbw", "getStreamLength"] {
            assert_eq!(talk.send(0, call(verb).text("a?k")), Ok(None));
        }
        talk.publish(1, "a");
        assert_eq!(
            talk.said(),
            said(&[
                ("_result", 0, ""),
                ("_result", 0, ""),
                ("onFCPublish", 0, "NetStream.Publish.Start"),
                ("_result", 0, ""),
                ("_result", 0, "0"),
                ("onStatus", 1, "NetStream.Publish.Start"),
            ])
        );
        let end = talk.send(0, call("FCUnpublish").text("a"));
        assert_eq!(end, Ok(Some(Request::End)));
        assert_eq!(
            talk.said(),
            said(&[
                ("_result", 0, ""),
                ("onFCUnpublish", 0, "NetStream.Unpublish.Success"),
                ("onStatus", 1, "NetStream.Unpublish.Success"),
            ])
        );
        assert_eq!(talk.send(0, call("FCUnpublish").text("a")), Ok(None));
        assert_eq!(talk.send(0, call("FCSubscribe").text("a")), Ok(None));
        assert_eq!(
            talk.said(),
            said(&[
                ("_result", 0, ""),
                ("_result", 0, ""),
                ("onFCSubscribe", 0, "NetStream.Play.Start"),
            ])
        );
    }
}
