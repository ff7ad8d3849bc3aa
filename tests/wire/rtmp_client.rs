//! An RTMP client under full control of a test, on the client session of rml_rtmp.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent as Event, ClientSessionResult,
    PublishRequestType,
};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    session: ClientSession,
    events: VecDeque<Event>,
}

/// A picture as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) timestamp: u32,
    pub(crate) key: bool,
    pub(crate) header: bool,
    pub(crate) len: usize,
}

impl Client {
    /// Handshake and `connect`.
    pub(crate) async fn connect(addr: SocketAddr, app: &str) -> Self {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let rest = handshake(&mut socket).await;
        let (session, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut client = Self {
            socket,
            session,
            events: VecDeque::new(),
        };
        client.take(results).await;
        let results = client.session.handle_input(&rest).unwrap();
        client.take(results).await;
        let request = client.session.request_connection(app.to_owned()).unwrap();
        client.take(vec![request]).await;
        client
    }

    /// Asks to publish; the first status that answers.
    pub(crate) async fn publish(addr: SocketAddr, name: &str) -> (Self, String) {
        let mut client = Self::connect(addr, "live").await;
        client
            .until(|e| *e == Event::ConnectionRequestAccepted)
            .await;
        let live = PublishRequestType::Live;
        let request = client.session.request_publishing(name.to_owned(), live);
        client.take(vec![request.unwrap()]).await;
        let code = client.answer().await;
        (client, code)
    }

    /// Asks to play; the first status that answers.
    pub(crate) async fn play(addr: SocketAddr, name: &str) -> (Self, String) {
        let mut client = Self::connect(addr, "live").await;
        client
            .until(|e| *e == Event::ConnectionRequestAccepted)
            .await;
        let request = client.session.request_playback(name.to_owned()).unwrap();
        client.take(vec![request]).await;
        let code = client.answer().await;
        (client, code)
    }

    async fn answer(&mut self) -> String {
        loop {
            match self
                .next()
                .await
                .expect("an answer before the connection ends")
            {
                Event::PublishRequestAccepted => return "NetStream.Publish.Start".to_owned(),
                Event::PlaybackRequestAccepted => return "NetStream.Play.Start".to_owned(),
                Event::UnhandleableOnStatusCode { code } if code != "NetStream.Play.Reset" => {
                    return code;
                }
                _ => {}
            }
        }
    }

    /// The next event, or `None` when the relay has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let mut buffer = vec![0; 16 * 1024];
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let read = timeout(PATIENCE, self.socket.read(&mut buffer)).await;
            match read.expect("something from the relay in time") {
                Ok(0) | Err(_) => return None,
                Ok(count) => {
                    let results = self.session.handle_input(&buffer[..count]).unwrap();
                    self.take(results).await;
                }
            }
        }
    }

    pub(crate) async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self
                .next()
                .await
                .expect("the event before the connection ends");
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Waits for a status code.
    pub(crate) async fn status(&mut self, wanted: &str) {
        let fits =
            |e: &Event| matches!(e, Event::UnhandleableOnStatusCode { code } if code == wanted);
        self.until(fits).await;
    }

    pub(crate) async fn picture(&mut self) -> Picture {
        let event = self
            .until(|e| matches!(e, Event::VideoDataReceived { .. }))
            .await;
        let Event::VideoDataReceived { timestamp, data } = event else {
            unreachable!("until() gives what was wanted");
        };
        Picture {
            timestamp: timestamp.value,
            key: data[0] >> 4 == 1,
            header: data[1] == 0,
            len: data.len(),
        }
    }

    /// Sends an H.264 picture of zeros; `packet` 0 = header, 1 = picture.
    pub(crate) async fn send_picture(&mut self, key: bool, packet: u8, timestamp: u32, len: usize) {
        let mut data = vec![0; len.max(2)];
        data[0] = if key { 0x17 } else { 0x27 };
        data[1] = packet;
        let timestamp = RtmpTimestamp::new(timestamp);
        let result = self
            .session
            .publish_video_data(Bytes::from(data), timestamp, false);
        self.take(vec![result.unwrap()]).await;
    }

    /// Sends a tag of FLV with its own time stamp: 8 is sound, 9 a picture.
    #[cfg(feature = "kiosk")]
    pub(crate) async fn send_tag(&mut self, kind: u8, timestamp: u32, data: Bytes) {
        let timestamp = RtmpTimestamp::new(timestamp);
        let result = match kind {
            8 => self.session.publish_audio_data(data, timestamp, false),
            9 => self.session.publish_video_data(data, timestamp, false),
            _ => return,
        };
        self.take(vec![result.unwrap()]).await;
    }

    /// Closes the stream with a goodbye.
    pub(crate) async fn stop_publishing(&mut self) {
        let results = self.session.stop_publishing().unwrap();
        self.take(results).await;
    }

    async fn take(&mut self, results: Vec<ClientSessionResult>) {
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    // The relay may have closed already: then reading tells.
                    let _ = self.socket.write_all(&packet.bytes).await;
                }
                ClientSessionResult::RaisedEvent(event) => self.events.push_back(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }
}

/// The client's side of the handshake; gives what came behind it.
pub(crate) async fn handshake(socket: &mut TcpStream) -> Vec<u8> {
    let mut handshake = Handshake::new(PeerType::Client);
    let hello = handshake.generate_outbound_p0_and_p1().unwrap();
    socket.write_all(&hello).await.unwrap();
    let mut buffer = vec![0; 4096];
    loop {
        let read = timeout(PATIENCE, socket.read(&mut buffer)).await;
        let count = read.expect("a handshake in time").unwrap();
        assert!(count > 0, "the relay closed during the handshake");
        match handshake.process_bytes(&buffer[..count]).unwrap() {
            HandshakeProcessResult::InProgress { response_bytes } => {
                socket.write_all(&response_bytes).await.unwrap();
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                socket.write_all(&response_bytes).await.unwrap();
                return remaining_bytes;
            }
        }
    }
}
