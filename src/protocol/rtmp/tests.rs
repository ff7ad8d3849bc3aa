//! The player's conversation with servers of every kind.

use bytes::{Buf, Bytes};
use proptest::prelude::*;

use super::amf0::Writer;
use super::{
    ChunkReader, ChunkWriter, Message, PlayAddress, PlayConversation, PlayError, PlayEvent, kind,
};

const URL: &str = "rtmp://h:1936/live/x?txSecret=abc";

/// A server that is written to and read from message by message.
struct Server {
    player: PlayConversation,
    out: ChunkWriter,
    chunks: ChunkReader,
}

impl Server {
    /// The handshake is over.
    fn new() -> Self {
        let address = PlayAddress::of(URL).expect("a URL");
        let mut player = PlayConversation::new(address, &[7; 1528]);
        let hello = player.output.copy_to_bytes(1537);
        assert_eq!((hello[0], player.shook_hands()), (3, false));
        player
            .input
            .extend_from_slice(&[&[3], &[9; 1536][..], &hello[1..]].concat());
        assert_eq!(player.next_event(), Ok(None));
        assert!(player.shook_hands());
        assert_eq!(player.output.copy_to_bytes(1536), vec![9; 1536]);
        Self {
            player,
            out: ChunkWriter::new(),
            chunks: ChunkReader::new(1 << 20),
        }
    }

    /// The messages that the player has sent since.
    fn heard(&mut self) -> Vec<Message> {
        let mut input = bytes::BytesMut::from(
            self.player
                .output
                .copy_to_bytes(self.player.output.remaining()),
        );
        let mut messages = Vec::new();
        while let Some(message) = self.chunks.next(&mut input).expect("chunks") {
            messages.push(message);
        }
        messages
    }

    /// Says this, and gives what the player makes of it.
    fn say(&mut self, message: &Message) -> Result<Vec<PlayEvent>, PlayError> {
        self.out.push(message);
        let bytes = self.out.copy_to_bytes(self.out.remaining());
        self.player.input.extend_from_slice(&bytes);
        let mut events = Vec::new();
        while let Some(event) = self.player.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    fn command(&mut self, command: Writer) -> Result<Vec<PlayEvent>, PlayError> {
        self.say(&Message::new(kind::COMMAND_AMF0, 0, command.bytes()))
    }

    fn result(&mut self, call: f64) -> Result<Vec<PlayEvent>, PlayError> {
        self.command(
            Writer::default()
                .text("_result")
                .number(call)
                .null()
                .number(5.0),
        )
    }

    fn status(&mut self, level: &str, code: &str) -> Result<Vec<PlayEvent>, PlayError> {
        let status = Writer::default()
            .text("onStatus")
            .number(0.0)
            .null()
            .object();
        let status = status.name("level").text(level).name("code").text(code);
        self.command(status.name("description").text("no\nx?txSecret=abc").end())
    }

    /// A conversation in which `play` is accepted.
    fn playing() -> Self {
        let mut server = Self::new();
        server.result(1.0).expect("connected");
        server.result(2.0).expect("created");
        let start = server.status("status", "NetStream.Play.Start");
        assert_eq!(start, Ok(vec![PlayEvent::Accepted]));
        server.heard();
        server
    }
}

fn holds(message: &Message, text: &str) -> bool {
    message
        .payload
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[test]
fn asks_as_servers_are_used_to() {
    let mut server = Server::new();
    let connect = server.heard();
    assert_eq!((connect.len(), connect[0].stream), (1, 0));
    for text in ["connect", "rtmp://h:1936/live", "LNX 10,0,32,18"] {
        assert!(holds(&connect[0], text), "{text}");
    }
    assert!(!holds(&connect[0], "txSecret"));
    assert_eq!(server.result(7.0), Ok(vec![]), "an answer to nothing");
    assert_eq!(server.heard(), []);
    server.result(1.0).expect("connected");
    let kinds: Vec<_> = server.heard().iter().map(|m| m.kind).collect();
    assert_eq!(
        kinds,
        [
            kind::WINDOW_ACK_SIZE,
            kind::USER_CONTROL,
            kind::COMMAND_AMF0
        ]
    );
    server.result(2.0).expect("created");
    let play = server.heard();
    assert_eq!((play[0].stream, play[1].kind), (5, kind::USER_CONTROL));
    assert!(holds(&play[0], "x?txSecret=abc"));
    assert!(!server.player.is_playing());
    let reset = server.status("status", "NetStream.Play.Reset");
    assert_eq!(reset, Ok(vec![PlayEvent::Accepted]));
    assert_eq!(server.status("status", "NetStream.Play.Start"), Ok(vec![]));
    assert!(server.player.is_playing());
}

#[test]
fn media_of_any_message_stream_are_taken() {
    let mut server = Server::playing();
    for (stream, message_kind) in [(0, kind::VIDEO), (5, kind::AUDIO), (77, kind::AGGREGATE)] {
        let message = Message::new(message_kind, stream, Bytes::from_static(b"abc"));
        let media = server.say(&message);
        assert_eq!(media, Ok(vec![PlayEvent::Media(message)]));
    }
}

#[test]
fn ends_are_known_by_any_name() {
    assert_eq!(
        Server::playing().say(&Message::stream_eof(5)),
        Ok(vec![PlayEvent::Ended])
    );
    for code in ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop"] {
        let ended = Server::playing().status("status", code);
        assert_eq!(ended, Ok(vec![PlayEvent::Ended]), "{code}");
    }
}

#[test]
fn refusals_say_what_was_refused_and_why() {
    let error = |call| {
        let error = Writer::default()
            .text("_error")
            .number(call)
            .null()
            .object();
        let error = error.name("level").text("error");
        error
            .name("code")
            .text("NetConnection.Connect.Rejected")
            .end()
    };
    let connect = Server::new().command(error(1.0));
    let words = "the server refuses connect: NetConnection.Connect.Rejected";
    assert_eq!(connect.expect_err("refused").to_string(), words);
    let mut server = Server::new();
    server.result(1.0).expect("connected");
    assert!(server.command(error(2.0)).is_err());
    let mut server = Server::playing();
    assert_eq!(server.command(error(9.0)), Ok(vec![]), "nobody asked");
    let play = server.status("error", "NetStream.Play.StreamNotFound");
    let words = "the server refuses play: NetStream.Play.StreamNotFound, no x?[redacted]";
    assert_eq!(play.expect_err("refused").to_string(), words);
    let bare = Writer::default().text("_error").number(1.0);
    let bare = Server::new().command(bare).expect_err("refused");
    assert_eq!(
        bare.to_string(),
        "the server refuses connect: without a reason"
    );
}

#[test]
fn another_protocol_is_named() {
    let address = PlayAddress::of(URL).expect("a URL");
    let mut player = PlayConversation::new(address, &[7; 1528]);
    player.input.extend_from_slice(b"HTTP/1.1 400");
    let error = player.next_event().expect_err("not RTMP");
    assert_eq!(error, PlayError::Version(b'H'));
}

#[test]
fn what_comes_is_acknowledged() {
    let mut server = Server::playing();
    server
        .say(&Message::window_ack_size(10_000))
        .expect("a window");
    let media = Message::new(kind::VIDEO, 5, vec![0; 3000].into());
    let mut acknowledged = Vec::new();
    for _ in 0..10 {
        server.say(&media).expect("media");
        acknowledged.extend(server.heard().iter().filter_map(Message::control_value));
    }
    assert_eq!(acknowledged.len(), 5);
    assert!(acknowledged.is_sorted() && acknowledged[4] > 30_000);
    // A window of nothing would be answered by more than it is.
    server.say(&Message::window_ack_size(0)).expect("a window");
    server.say(&Message::window_ack_size(0)).expect("a window");
    assert_eq!(server.heard(), []);
}

#[test]
fn pings_are_answered_and_a_flood_of_them_takes_no_memory() {
    let ping = |value: u32| {
        let payload = [&[0, 6][..], &value.to_be_bytes()].concat();
        Message::new(kind::USER_CONTROL, 0, payload.into())
    };
    let mut server = Server::playing();
    server.say(&ping(42)).expect("a ping");
    assert!(server.heard()[0].payload.ends_with(&42u32.to_be_bytes()));
    for value in 0..200_000 {
        server.say(&ping(value)).expect("a ping");
    }
    assert!(
        server.player.output.len() < 17_000,
        "{}",
        server.player.output.len()
    );
    let answers = server.heard().len();
    assert!((500..1500).contains(&answers), "{answers}");
    server.say(&ping(1)).expect("a ping");
    assert_eq!(server.heard().len(), 1, "answered again once it reads");
}

#[test]
fn messages_are_bounded() {
    let mut server = Server::playing();
    server
        .player
        .input
        .extend_from_slice(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 9, 5, 0, 0, 0]);
    assert!(matches!(
        server.player.next_event(),
        Err(PlayError::Chunk(_))
    ));
    let mut server = Server::playing();
    let bomb = [
        &b"\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0"[..],
        &b"\x03\0\x01a".repeat(15_000),
    ]
    .concat();
    let bomb = Message::new(kind::COMMAND_AMF0, 0, bomb.into());
    assert_eq!(server.say(&bomb), Ok(vec![]));
}

proptest! {
    #[test]
    fn no_server_does_harm(
        bytes in prop::collection::vec(prop_oneof![0u8..23, any::<u8>()], 0..2000),
        cut in 1usize..200,
        greeted: bool,
    ) {
        let mut server = Server::new();
        if greeted {
            server = Server::playing();
        }
        for piece in bytes.chunks(cut) {
            server.player.input.extend_from_slice(piece);
            loop {
                match server.player.next_event() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
            prop_assert!(server.player.output.len() < 20_000);
        }
    }
}

/// Numbers in texts, no numbers at all, and text that is no UTF-8: what servers are judged by is read
/// all the same.
#[test]
fn answers_that_are_not_quite_right_are_taken() {
    let mut server = Server::new();
    let connected = Writer::default().text("_result").text("1").null();
    server.command(connected).expect("connected");
    let created = Writer::default().text("_result").null().null().text("9");
    server.command(created).expect("created");
    let play = server.heard();
    let play = play.iter().find(|message| holds(message, "txSecret=abc"));
    assert_eq!(play.map(|message| message.stream), Some(9));
    let status = Writer::default().text("onStatus").null().undefined();
    let status = status.object().name("details").bytes();
    let code = Writer::default().name("code").text("NetStream.Play.Start");
    let odd = [&status, &b"\x02\0\x02\xb9\xf1"[..], &code.end().bytes()];
    let odd = Message::new(kind::COMMAND_AMF0, 9, odd.concat().into());
    assert_eq!(server.say(&odd), Ok(vec![PlayEvent::Accepted]));
}
