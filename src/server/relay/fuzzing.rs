//! The relay without sockets, fed by fuzz targets and property tests: two connections to one
//! hub, as `connection` runs them. It asserts what holds whatever is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

use super::cache::CacheLimits;
use super::command::Command;
use super::conversation::{Conversation, Request};
use super::external;
use super::hub::{Hub, HubLimits, Publication, Subscription};
use super::media::Media;
use super::queue::QueueLimits;
use super::user::User;
use crate::protocol::rtmp::ChunkReader;
use crate::protocol::rtmp::ChunkWriter;
use crate::protocol::rtmp::{Message, kind};
use crate::server::budget::Budget;

/// Longest message before and after a role is taken.
const EARLY: usize = 4 << 10;
const LATER: usize = 16 << 10;
/// The longest header of a chunk.
const HEADER: usize = 18;
/// Answers that wait before a client is not read from.
const UNSENT: usize = 16 << 10;
/// More than any one message makes the relay answer.
const ANSWER: usize = 4 << 10;
const STREAMS: usize = 3;
const QUEUE: usize = 32 << 10;
const CACHE: usize = 16 << 10;
/// Length of a record that takes all the rest.
const ALL: usize = 63;

/// Answers of external relays: asked for a stream, and of any kind.
pub fn status_answers(body: &[u8]) {
    for outcome in [
        external::nginx(body, "a"),
        external::srs(body, "a"),
        external::tencent(body),
    ] {
        if let Err(reason) = outcome {
            assert!(reason.len() < 512, "{reason}");
        }
    }
}

/// A handshake: the first byte is the length of the pieces in which the rest comes.
pub fn handshake(input: &[u8]) {
    let Some((size, input)) = input.split_first() else {
        return;
    };
    // Both of a client's packets in full pieces come to 3 KiB.
    let mut handshake = Handshake::new(PeerType::Server);
    let mut answered = 0;
    for piece in input.chunks(16 * usize::from(*size) + 1) {
        match handshake.process_bytes(piece) {
            Err(_) => return,
            Ok(HandshakeProcessResult::InProgress { response_bytes }) => {
                answered += response_bytes.len();
            }
            Ok(HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            }) => {
                assert!(remaining_bytes.len() <= piece.len());
                assert_eq!(answered + response_bytes.len(), 1 + 2 * 1536);
                return;
            }
        }
        assert!(answered <= 1 + 2 * 1536);
    }
}

/// Messages of two clients after the handshake. Input is records: a byte (bit 0 = which client,
/// bit 1 = the other one's output is read first, bits 2 to 7 = length, 63 = all the rest), and
/// so many bytes.
pub fn relay(mut input: &[u8]) {
    let limits = HubLimits {
        media: Budget::new(1 << 30),
        streams: STREAMS,
        cache: CacheLimits {
            gop: true,
            bytes: CACHE,
        },
        queue: QueueLimits {
            bytes: QUEUE,
            time: Duration::from_secs(3),
        },
        publisher_stale: Duration::from_secs(2),
    };
    let hub = Arc::new(Hub::new(limits));
    let mut clients = [1, 2].map(|port| Some(Client::new(Arc::clone(&hub), port)));
    while let Some((record, rest)) = input.split_first() {
        let length = usize::from(record >> 2);
        let length = if length == ALL { rest.len() } else { length };
        let (piece, rest) = rest.split_at(length.min(rest.len()));
        input = rest;
        let at = usize::from(record & 1);
        if record & 2 != 0
            && let Some(other) = &mut clients[1 - at]
        {
            other.read_output();
        }
        let client = clients[at].take();
        clients[at] = client.and_then(|client| client.take(piece));
        let statuses = hub.statuses();
        assert!(statuses.len() <= STREAMS);
        for player in statuses.iter().flat_map(|status| &status.players) {
            // The burst of a late player, and a last message, come on top.
            assert!(player.queued_bytes <= QUEUE + CACHE + 4 * (LATER + 256));
        }
    }
    drop(clients);
    assert!(hub.statuses().is_empty(), "a stream of nobody");
}

enum Role {
    None,
    Publisher(Publication),
    Player(Subscription),
}

struct Client {
    hub: Arc<Hub>,
    addr: SocketAddr,
    conversation: Conversation,
    chunks: ChunkReader,
    input: BytesMut,
    out: ChunkWriter,
    /// Reads what the relay writes.
    reader: ChunkReader,
    role: Role,
}

impl Client {
    fn new(hub: Arc<Hub>, port: u16) -> Self {
        Self {
            hub,
            addr: SocketAddr::from(([127, 0, 0, 1], port)),
            conversation: Conversation::new("live".to_owned()),
            chunks: ChunkReader::new(EARLY),
            input: BytesMut::new(),
            out: ChunkWriter::new(),
            reader: ChunkReader::new(LATER),
            role: Role::None,
        }
    }

    /// Receives bytes; `None` = the connection ended.
    fn take(mut self, bytes: &[u8]) -> Option<Self> {
        self.input.extend_from_slice(bytes);
        loop {
            if self.out.len() >= UNSENT {
                self.read_output();
            }
            let Some(message) = self.chunks.next(&mut self.input).ok()? else {
                break;
            };
            assert!(message.payload.len() <= LATER);
            let before = self.out.len();
            self.obey(message)?;
            assert!(self.out.len() <= before + ANSWER);
        }
        assert!(self.input.len() < LATER + HEADER, "bytes that nobody reads");
        assert!(self.chunks.pending() <= 2 * LATER);
        Some(self)
    }

    fn user(&self) -> User {
        User {
            id: String::new(),
            addr: self.addr,
        }
    }

    fn obey(&mut self, message: Message) -> Option<()> {
        match self.conversation.handle(message, &mut self.out).ok()? {
            None => {}
            Some(Request::Publish(name)) => {
                self.end_role();
                let publication = self.hub.publish(&name.id, self.user(), 0).ok()?;
                self.role = Role::Publisher(publication);
                self.chunks.limit(LATER);
                self.conversation.accept_publish(&name.id, &mut self.out);
            }
            Some(Request::Play(name)) => {
                self.role = Role::Player(self.hub.play(&name.id, self.user()).ok()?);
                self.conversation.accept_play(&name.id, &mut self.out);
            }
            Some(Request::Media(message)) => {
                let Role::Publisher(publication) = &self.role else {
                    panic!("media of a client that does not publish");
                };
                if let Some(media) = Media::from_message(message) {
                    publication.push(media);
                }
            }
            Some(Request::End) => {
                self.end_role();
                self.chunks.limit(EARLY);
            }
        }
        Some(())
    }

    fn end_role(&mut self) {
        if let Role::Publisher(publication) = std::mem::replace(&mut self.role, Role::None) {
            publication.end();
        }
    }

    /// Takes everything that waits for the client, which must be RTMP.
    fn read_output(&mut self) {
        if let Role::Player(subscription) = &self.role {
            let stream = self.conversation.stream();
            while let Some(media) = subscription.pop() {
                self.out.push(&media.to_message(stream));
            }
        }
        let mut bytes = taken(&mut self.out);
        while let Some(message) = self
            .reader
            .next(&mut bytes)
            .expect("the relay's own chunks")
        {
            if message.kind == kind::COMMAND_AMF0 {
                Command::parse(&message).expect("the relay's own commands");
            }
        }
        assert!(!bytes.has_remaining(), "half a chunk");
    }
}

/// Everything that waits, as one piece.
fn taken(out: &mut ChunkWriter) -> BytesMut {
    BytesMut::from(out.copy_to_bytes(out.remaining()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::rtmp::amf0::Writer;

    /// Messages of well-meaning and hostile clients, to be cut into records.
    fn message() -> impl Strategy<Value = Message> {
        let command = |values: Writer| Message::new(kind::COMMAND_AMF0, 1, values.bytes());
        let verb = prop_oneof![
            Just("publish"),
            Just("play"),
            Just("createStream"),
            Just("deleteStream"),
            Just("closeStream"),
            Just("FCPublish"),
            Just("FCUnpublish")
        ];
        let connect = Writer::default().text("connect").number(1.0).object();
        let connect = command(connect.name("app").text("live").end());
        let argument = prop_oneof![3 => "[ab]".prop_map(Some), 1 => Just(None)];
        let verb = (verb, argument).prop_map(move |(verb, name)| {
            let call = Writer::default().text(verb).number(2.0).null();
            command(match name {
                Some(name) => call.text(&name),
                None => call.boolean(false),
            })
        });
        let media = (
            prop_oneof![Just(kind::VIDEO), Just(kind::AUDIO), any::<u8>()],
            any::<u32>(),
            prop_oneof![
                Just(&[0x17_u8, 0][..]),
                Just(&[0x17, 1][..]),
                Just(&[0x27, 1][..]),
                Just(&[0xaf, 1][..])
            ],
            0_usize..6000,
        );
        let media = media.prop_map(|(message_kind, timestamp, head, length)| Message {
            kind: message_kind,
            stream: 1,
            timestamp,
            payload: [head, &vec![7_u8; length][..]].concat().into(),
        });
        prop_oneof![2 => Just(connect), 3 => verb, 4 => media]
    }

    /// The messages in pieces of `cut` bytes, and bytes that are no message.
    fn records(sent: &[(bool, bool, Message)], cut: usize, noise: &[u8]) -> Vec<u8> {
        let mut input = Vec::new();
        for (second, reads, message) in sent {
            let mut writer = ChunkWriter::new();
            writer.push(message);
            for piece in taken(&mut writer).chunks(cut) {
                let length = u8::try_from(piece.len()).expect("short");
                input.push(u8::from(*second) | u8::from(*reads) << 1 | length << 2);
                input.extend_from_slice(piece);
            }
        }
        input.push(0xfe);
        input.extend_from_slice(noise);
        input
    }

    proptest! {
        #[test]
        fn no_conversation_does_harm(
            sent in prop::collection::vec((any::<bool>(), any::<bool>(), message()), 0..40),
            cut in 1_usize..ALL,
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            relay(&records(&sent, cut, &noise));
        }

        #[test]
        fn no_handshake_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..4000), old in any::<bool>()) {
            // Version 3, and the zeros by which the simple handshake is known.
            let mut bytes = bytes;
            if old && bytes.len() > 10 {
                bytes[1] = 3;
                bytes[6..10].fill(0);
            }
            handshake(&bytes);
        }

        #[test]
        fn no_status_does_harm(body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "(<[a-z/]{1,9}/?>|[{}\\[\\]:,0-9\"a-z]){0,60}".prop_map(String::into_bytes),
        ]) {
            status_answers(&body);
        }
    }
}
