//! A simulated room whose loudspeaker and microphone are UDP ports: what is sent to the one is
//! heard at the other after its way through the room.

#![allow(dead_code, reason = "each test program uses its part of this")]

use std::net::UdpSocket;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::speech::Path;

/// Format of the packets, in GStreamer's words.
pub(crate) const CAPS: &str = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1";

/// Open until nothing was played for some seconds.
#[derive(Debug)]
pub(crate) struct Room {
    speaker_port: u16,
    microphone_port: u16,
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Room {
    pub(crate) fn open(mut path: Path) -> Self {
        let speaker = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        speaker
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("not zero");
        let room = Self {
            speaker_port: port(&speaker),
            microphone_port: free_port(),
            heard: Arc::default(),
        };
        let (to, written) = (room.microphone_port, Arc::clone(&room.heard));
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(count) = speaker.recv(&mut bytes) {
                let pairs = bytes[..count].chunks_exact(2);
                let far: Vec<i16> = pairs.map(|p| i16::from_le_bytes([p[0], p[1]])).collect();
                let sound = path.hear(&far, &[]);
                send(&speaker, to, &sound);
                written
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(sound);
            }
        });
        room
    }

    /// Takes the microphone's sound since the last call.
    pub(crate) fn heard(&self) -> Vec<i16> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A sink that plays in the room.
    pub(crate) fn speaker(&self) -> String {
        format!("udpsink host=127.0.0.1 port={}", self.speaker_port)
    }

    /// A source that hears the room.
    pub(crate) fn microphone(&self) -> String {
        listening(self.microphone_port)
    }
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("bound").port()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    port(&UdpSocket::bind("127.0.0.1:0").expect("a free port"))
}

/// A source of what is sent to a port.
pub(crate) fn listening(port: u16) -> String {
    format!("udpsrc address=127.0.0.1 port={port} caps={CAPS}")
}

/// Sends sound to a port; it is lost where nobody listens.
pub(crate) fn send(socket: &UdpSocket, port: u16, samples: &[i16]) {
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let _ = socket.send_to(&bytes, ("127.0.0.1", port));
}
