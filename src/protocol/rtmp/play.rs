//! A player's side of the RTMP conversation: handshake, `connect`, `createStream`, `play`, and then
//! media until the end. No sockets and no clock; everything that a server makes us hold is bounded.

use bytes::{Buf, BytesMut};

use super::amf0::{Value, Writer, read_all};
use super::chunk_reader::{ChunkError, ChunkReader};
use super::chunk_writer::ChunkWriter;
use super::handshake::{Handshake, RANDOM, hello};
use super::message::{Message, kind};
use super::play_address::PlayAddress;
use crate::protocol::excerpt;

/// Longest message that is taken, in bytes: a key frame of 1080p has below 1 MiB.
const MAX_MESSAGE: usize = 8 << 20;
/// Longest command that is looked at, in bytes; those of known servers have below 1 KiB.
const MAX_COMMAND: usize = 64 << 10;
/// Bytes that may wait for a server that does not read: more answers to its pings are not given.
const MAX_UNREAD: usize = 16 << 10;
/// Window in bytes that both sides have until it is set; what GStreamer's client announces.
const WINDOW: u32 = 2_500_000;
/// Smallest window that is obeyed, in bytes: an acknowledgement costs 16.
const MIN_WINDOW: u32 = 4096;
/// Lengths of a player's buffer in ms, before and with `play`, as GStreamer's client says them.
const BUFFERS: [u32; 2] = [300, 30_000];
/// Numbers of the calls that are answered.
const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 2.0;
/// Start of `play`: a live stream, or else a recorded one.
const LIVE_OR_RECORDED: f64 = -2.0;

/// News of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayEvent {
    /// The server gives us the stream, once there is one.
    Accepted,
    /// Sound, picture, script data or an aggregate of them.
    Media(Message),
    /// The server says that the stream has ended.
    Ended,
}

/// Reasons for which the conversation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    #[error("the server does not speak RTMP: version {0}, and 3 would be right")]
    Version(u8),
    #[error("the server sends what is not RTMP: {0}")]
    Chunk(#[from] ChunkError),
    #[error("the server refuses {step}: {reason}")]
    Refused { step: &'static str, reason: String },
}

/// The answer that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake(Handshake),
    Connect,
    CreateStream,
    Play,
    Playing,
}

/// One conversation.
#[derive(Debug)]
pub struct PlayConversation {
    address: PlayAddress,
    phase: Phase,
    chunks: ChunkReader,
    /// Bytes of the server that were not read yet; the shell adds to it.
    pub input: BytesMut,
    /// Bytes for the server.
    pub output: ChunkWriter,
    window: u32,
    /// Bytes since the handshake; wraps, as the acknowledgement does.
    received: u32,
    acknowledged: u32,
}

impl PlayConversation {
    /// Begins with our greeting, of which `random` is part.
    #[must_use]
    pub fn new(address: PlayAddress, random: &[u8; RANDOM]) -> Self {
        let mut output = ChunkWriter::new();
        output.push_bytes(hello(random));
        Self {
            address,
            phase: Phase::Handshake(Handshake::Greeting),
            chunks: ChunkReader::new(MAX_MESSAGE),
            input: BytesMut::new(),
            output,
            window: WINDOW,
            received: 0,
            acknowledged: 0,
        }
    }

    /// Whether both sides have greeted each other.
    #[must_use]
    pub fn shook_hands(&self) -> bool {
        !matches!(self.phase, Phase::Handshake(_))
    }

    /// Whether the server has accepted `play`.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.phase == Phase::Playing
    }

    /// Reads on in `input`; `None` when bytes are missing.
    ///
    /// # Errors
    /// The fault of the server, or its reason to refuse.
    pub fn next_event(&mut self) -> Result<Option<PlayEvent>, PlayError> {
        while let Phase::Handshake(mut handshake) = self.phase {
            let before = handshake;
            let answer = handshake.step(&mut self.input);
            self.phase = Phase::Handshake(handshake);
            if let Some(answer) = answer.map_err(PlayError::Version)? {
                self.output.push_bytes(answer);
            }
            if handshake == Handshake::Done {
                self.connect();
            } else if handshake == before {
                return Ok(None);
            }
        }
        loop {
            let before = self.input.remaining();
            let message = self.chunks.next(&mut self.input)?;
            let read = before - self.input.remaining();
            self.acknowledge(u32::try_from(read).unwrap_or(u32::MAX));
            let Some(message) = message else {
                return Ok(None);
            };
            if let Some(event) = self.take(message)? {
                return Ok(Some(event));
            }
        }
    }

    fn acknowledge(&mut self, read: u32) {
        self.received = self.received.wrapping_add(read);
        if self.received.wrapping_sub(self.acknowledged) >= self.window / 2 {
            self.acknowledged = self.received;
            self.answer(&Message::acknowledgement(self.received));
        }
    }

    /// Queues an answer that a server may go without.
    fn answer(&mut self, message: &Message) {
        if self.output.len() < MAX_UNREAD {
            self.output.push(message);
        }
    }

    fn take(&mut self, message: Message) -> Result<Option<PlayEvent>, PlayError> {
        match message.kind {
            // Of any message stream: node-media-server 4 sends them on 0.
            kind::AUDIO | kind::VIDEO | kind::DATA_AMF0 | kind::DATA_AMF3 | kind::AGGREGATE => {
                self.phase = match self.phase {
                    Phase::Play => Phase::Playing,
                    phase => phase,
                };
                Ok(Some(PlayEvent::Media(message)))
            }
            kind::USER_CONTROL if message.is_stream_eof() => Ok(Some(PlayEvent::Ended)),
            kind::USER_CONTROL => {
                if let Some(pong) = message.pong() {
                    self.answer(&pong);
                }
                Ok(None)
            }
            kind::WINDOW_ACK_SIZE => {
                let window = message.control_value().unwrap_or(WINDOW);
                self.window = window.max(MIN_WINDOW);
                Ok(None)
            }
            kind::COMMAND_AMF0 if message.payload.len() <= MAX_COMMAND => {
                self.command(&read_all(&message.payload))
            }
            // An AMF3 command is a zero byte and then, from every known server, AMF0.
            kind::COMMAND_AMF3 if (1..=MAX_COMMAND).contains(&message.payload.len()) => {
                self.command(&read_all(&message.payload[1..]))
            }
            _ => Ok(None),
        }
    }

    fn command(&mut self, values: &[Value]) -> Result<Option<PlayEvent>, PlayError> {
        let [name, call, rest @ ..] = values else {
            return Ok(None);
        };
        // An answer without a number can only be to the call that is waited for.
        let call = call.number();
        let answers = |number| call.is_none_or(|call| call == number);
        match (&*name.text().unwrap_or_default(), self.phase) {
            ("_result", Phase::Connect) if answers(CONNECT) => self.create_stream(),
            ("_result", Phase::CreateStream) if answers(CREATE_STREAM) => {
                let stream = rest.get(1).and_then(Value::number).unwrap_or(1.0);
                self.play(stream as u32);
            }
            ("_error", Phase::Connect) if answers(CONNECT) => {
                return Err(self.refused("connect", rest));
            }
            ("_error", Phase::CreateStream) if answers(CREATE_STREAM) => {
                return Err(self.refused("createStream", rest));
            }
            ("onStatus", phase) => return self.status(rest, phase),
            _ => {}
        }
        Ok(None)
    }

    fn status(&mut self, rest: &[Value], phase: Phase) -> Result<Option<PlayEvent>, PlayError> {
        let property = |name| rest.iter().find_map(|value| value.property(name));
        let code = property("code").unwrap_or_default();
        if property("level").as_deref() == Some("error") || code.ends_with(".Failed") {
            return Err(self.refused("play", rest));
        }
        match &*code {
            "NetStream.Play.UnpublishNotify"
            | "NetStream.Play.Stop"
            | "NetStream.Play.Complete" => Ok(Some(PlayEvent::Ended)),
            _ if phase == Phase::Play => {
                self.phase = Phase::Playing;
                Ok(Some(PlayEvent::Accepted))
            }
            _ => Ok(None),
        }
    }

    /// The fields and their values are those of GStreamer's client, which servers are used to.
    fn connect(&mut self) {
        self.phase = Phase::Connect;
        let command = Writer::default().text("connect").number(CONNECT).object();
        let command = command.name("app").text(&self.address.app);
        let command = command.name("flashVer").text("LNX 10,0,32,18");
        let command = command.name("tcUrl").text(&self.address.tc_url);
        let command = command.name("fpad").boolean(false);
        let command = command.name("capabilities").number(15.0);
        let command = command.name("audioCodecs").number(4071.0);
        let command = command.name("videoCodecs").number(252.0);
        let command = command.name("videoFunction").number(1.0).end();
        self.call(0, command);
    }

    fn create_stream(&mut self) {
        self.phase = Phase::CreateStream;
        self.output.push(&Message::window_ack_size(WINDOW));
        self.output.push(&Message::buffer_length(0, BUFFERS[0]));
        let command = Writer::default().text("createStream").number(CREATE_STREAM);
        self.call(0, command.null());
    }

    fn play(&mut self, stream: u32) {
        self.phase = Phase::Play;
        let command = Writer::default().text("play").number(0.0).null();
        let command = command.text(&self.address.stream);
        self.call(stream, command.number(LIVE_OR_RECORDED));
        self.output
            .push(&Message::buffer_length(stream, BUFFERS[1]));
    }

    fn call(&mut self, stream: u32, command: Writer) {
        let message = Message::new(kind::COMMAND_AMF0, stream, command.bytes());
        self.output.push(&message);
    }

    /// The code and the words of a refusal; servers quote the stream's name, and its query is secret.
    fn refused(&self, step: &'static str, rest: &[Value]) -> PlayError {
        let property = |name| rest.iter().find_map(|value| value.property(name));
        let words = ["code", "description"].into_iter().filter_map(property);
        let words: Vec<String> = words.filter(|text| !text.is_empty()).collect();
        let words = words.join(", ");
        let words = match self.address.stream.split_once('?') {
            Some((_, query)) if !query.is_empty() => words.replace(query, "[redacted]"),
            _ => words,
        };
        let reason = match words.is_empty() {
            true => "without a reason".to_owned(),
            false => excerpt(&words),
        };
        PlayError::Refused { step, reason }
    }
}
