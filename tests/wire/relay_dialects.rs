//! The words of encoders and players of the field to the embedded relay, in their own bytes: the client is
//! a double, as no program at hand says all of it.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rtckiosk::protocol::rtmp::amf0::{Value, Writer, read_all};
use rtckiosk::protocol::rtmp::{ChunkReader, ChunkWriter, Message, kind};
use rtckiosk::server::relay::RelayConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::relay_start::{Running, start};
use super::rtmp_client::{Client, handshake};

const PATIENCE: Duration = Duration::from_secs(15);

/// A client that says what a test wants.
struct Speaker {
    socket: TcpStream,
    out: ChunkWriter,
    chunks: ChunkReader,
    input: BytesMut,
}

impl Speaker {
    /// Shakes hands, and says `connect` with these bytes between the application and the end.
    async fn connect(relay: &Running, app: &str, odd: &[u8]) -> Self {
        let mut socket = TcpStream::connect(relay.addr).await.unwrap();
        let rest = handshake(&mut socket).await;
        let mut speaker = Self {
            socket,
            out: ChunkWriter::new(),
            chunks: ChunkReader::new(1 << 20),
            input: BytesMut::from(&rest[..]),
        };
        let before = Writer::default().text("connect").number(1.0).object();
        let after = Writer::default().name("app").text(app).end();
        let payload = [&before.bytes(), odd, &after.bytes()].concat();
        speaker.send(kind::COMMAND_AMF0, 0, payload.into()).await;
        speaker.until("NetConnection.Connect.Success").await;
        speaker
    }

    async fn send(&mut self, message_kind: u8, stream: u32, payload: Bytes) {
        self.out.push(&Message::new(message_kind, stream, payload));
        let bytes = self.out.copy_to_bytes(self.out.remaining());
        self.socket.write_all(&bytes).await.unwrap();
    }

    async fn call(&mut self, stream: u32, values: Writer) {
        self.send(kind::COMMAND_AMF0, stream, values.bytes()).await;
    }

    /// An H.264 picture that no decoder would take: `packet` 0 = header, 1 = key frame.
    async fn picture(&mut self, stream: u32, packet: u8) {
        let payload = Bytes::copy_from_slice(&[0x17, packet, 0, 0, 0, 1, 2, 3]);
        self.send(kind::VIDEO, stream, payload).await;
    }

    /// Waits for a command with this name, or with this code in it.
    async fn until(&mut self, wanted: &str) {
        let reading = async {
            loop {
                while let Some(message) = self.chunks.next(&mut self.input).unwrap() {
                    if message.kind != kind::COMMAND_AMF0 {
                        continue;
                    }
                    let values = read_all(&message.payload);
                    let code = values.iter().find_map(|value| value.property("code"));
                    let name = values.first().and_then(Value::text);
                    if [code, name]
                        .into_iter()
                        .flatten()
                        .any(|said| said == wanted)
                    {
                        return;
                    }
                }
                let read = self.socket.read_buf(&mut self.input).await.unwrap();
                assert!(read > 0, "the relay closed before {wanted}");
            }
        };
        let in_time = timeout(PATIENCE, reading).await;
        in_time.unwrap_or_else(|_| panic!("no {wanted} in time"));
    }
}

fn call(verb: &str) -> Writer {
    Writer::default().text(verb).number(4.0).null()
}

/// Text that is no UTF-8 in a field that nobody reads (pedroSG94/RootEncoder#1570), a slash before the
/// query (videojs/video.js#2347), an encoder that announces its stream, and one that ends with
/// `publish(false)` and begins anew on the same connection (arut/nginx-rtmp-module#789).
#[tokio::test(flavor = "multi_thread")]
async fn an_odd_encoder_publishes_again_and_again() {
    let relay = start(RelayConfig::default()).await;
    let latin_1 = b"\0\x08flashVer\x02\0\x08Caf\xe9 1.0\0\x04type\x02\0\x04\xb9\xf1\xd4\xb1";
    let mut encoder = Speaker::connect(&relay, "live", latin_1).await;
    let (mut player, _) = Client::play(relay.addr, "a").await;
    for verb in ["releaseStream", "FCPublish", "_checkbw"] {
        encoder.call(0, call(verb).text("a/?token=1")).await;
    }
    encoder.until("onFCPublish").await;
    for _ in 0..3 {
        encoder.call(0, call("createStream")).await;
    }
    let ends = [
        (1, call("publish").boolean(false)),
        (3, call("closeStream")),
        (3, call("FCUnpublish").text("a/?token=1")),
        (2, call("publish").null()),
    ];
    for (stream, end) in ends {
        encoder
            .call(stream, call("publish").text("a/?token=1"))
            .await;
        encoder.until("NetStream.Publish.Start").await;
        encoder.picture(stream, 0).await;
        encoder.picture(stream, 1).await;
        let header = player.picture().await;
        assert!(header.header && player.picture().await.key);
        encoder.call(stream, end).await;
        encoder.until("NetStream.Unpublish.Success").await;
        player.status("NetStream.Play.UnpublishNotify").await;
        relay.until("a", |status| status.publisher.is_none()).await;
    }
    // Another name, without an end of the one before.
    for name in ["b", "c"] {
        encoder.call(2, call("publish").text(name)).await;
        encoder.until("NetStream.Publish.Start").await;
    }
    assert!(relay.handle.stream("b").is_none());
    assert!(relay.handle.stream("c").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_player_plays_again_and_again() {
    let relay = start(RelayConfig::default()).await;
    let (mut publisher, _) = Client::publish(relay.addr, "10086").await;
    publisher.send_picture(true, 0, 0, 10).await;
    publisher.send_picture(true, 1, 0, 1000).await;
    relay.until_live("10086", 1).await;
    // ffmpeg asks so for `rtmp://relay/live/10086/?token=1`.
    let mut player = Speaker::connect(&relay, "live/10086", b"").await;
    player.call(0, call("createStream")).await;
    player.call(0, call("FCSubscribe").text("10086")).await;
    player.until("onFCSubscribe").await;
    player.call(1, call("play").text("?token=1")).await;
    player.until("NetStream.Play.Start").await;
    player.call(1, call("play").boolean(false)).await;
    player.until("NetStream.Play.Stop").await;
    relay
        .until("10086", |status| status.players.is_empty())
        .await;
    // A number for a text.
    let mut player = Speaker::connect(&relay, "live", b"").await;
    player.call(0, call("createStream")).await;
    player.call(1, call("getStreamLength").text("10086")).await;
    player.until("_result").await;
    player.call(1, call("play").number(10086.0)).await;
    player.until("NetStream.Play.Start").await;
    assert_eq!(relay.handle.stream("10086").unwrap().players.len(), 1);
}

/// The real ffmpeg with a slash before the query, both ways.
#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_may_write_a_slash_before_the_query() {
    let relay = start(RelayConfig::default()).await;
    let _pusher = super::process::ffmpeg_push(&relay.url("a/?token=1"), 25, 400);
    relay.until_live("a", 25).await;
    let url = relay.url("a/?token=2");
    #[rustfmt::skip]
    let args = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", &url];
    let output = super::process::run("ffprobe", &args, PATIENCE).await;
    let said = super::process::text(&output);
    assert!(said.contains("h264") && said.contains("aac"), "{said}");
}
