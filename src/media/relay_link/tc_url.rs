//! Tells the relay the address that was meant: GStreamer's RTMP element believes that it talks
//! to the tunnel, and says so in `tcUrl` of its connect command, by which relays with several
//! names find the right one.

/// Bytes of C0, C1 and C2, which a client sends before its first command.
const HANDSHAKE: usize = 1 + 1536 + 1536;
/// Bytes of RTMP's chunks until a client announces others.
const CHUNK: usize = 128;
/// Bytes that are looked through: far more than a connect command has.
const LONGEST: usize = 8 * 1024;
/// RTMP's message type of a new chunk size.
const SET_CHUNK_SIZE: u8 = 1;
/// RTMP's message type of a command in AMF0.
const COMMAND: u8 = 20;

/// Passes on what a client sends, its connect command with another address.
#[derive(Debug)]
pub(super) struct TcUrl {
    /// Beginnings of the address that is said, and of the one that is meant.
    said: String,
    meant: String,
    /// Bytes of the handshake to come.
    handshake: usize,
    /// Bytes that are not passed on yet; `None` once there is nothing to look for.
    held: Option<Vec<u8>>,
}

/// The find at the start of the held bytes.
enum Found {
    /// Part of a message.
    Part,
    /// A message of this many bytes that does not matter, and the chunk size after it.
    Other { length: usize, chunk: usize },
    /// The connect command: so many bytes, and what to send in their place.
    Connect { length: usize, instead: Vec<u8> },
    /// Bytes that are not understood.
    Strange,
}

impl TcUrl {
    pub(super) fn new(said: String, meant: String) -> Self {
        Self {
            said,
            meant,
            handshake: HANDSHAKE,
            held: Some(Vec::new()),
        }
    }

    /// Takes in what the client sent and adds to `out` what the relay is to get.
    pub(super) fn pass(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        let (handshake, rest) = input.split_at(input.len().min(self.handshake));
        out.extend_from_slice(handshake);
        self.handshake -= handshake.len();
        input = rest;
        let Some(mut held) = self.held.take() else {
            return out.extend_from_slice(input);
        };
        held.extend_from_slice(input);
        if !self.look(&held, out) {
            self.held = Some(held);
        }
    }

    /// Whether all of `held` is done with.
    fn look(&self, held: &[u8], out: &mut Vec<u8>) -> bool {
        let (mut at, mut chunk) = (0, CHUNK);
        loop {
            let rest = &held[at..];
            match self.first(rest, chunk) {
                Found::Part if held.len() <= LONGEST => return false,
                Found::Other {
                    length,
                    chunk: next,
                } => {
                    at += length;
                    chunk = next;
                }
                Found::Connect { length, instead } => {
                    out.extend_from_slice(&held[..at]);
                    out.extend_from_slice(&instead);
                    out.extend_from_slice(&rest[length..]);
                    return true;
                }
                Found::Part | Found::Strange => {
                    log::warn!("the relay is told the address of the tunnel: no connect command");
                    out.extend_from_slice(held);
                    return true;
                }
            }
        }
    }

    fn first(&self, bytes: &[u8], chunk: usize) -> Found {
        // One byte with the chunk stream; time, length, kind and message stream.
        let Some(&[basic, _, _, _, l2, l1, l0, kind, ..]) = bytes.first_chunk::<12>() else {
            return Found::Part;
        };
        let size = usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0);
        // A whole header, and a chunk stream with a short number.
        if basic >> 6 != 0 || basic < 2 || size == 0 || size > LONGEST {
            return Found::Strange;
        }
        let length = 12 + size + (size - 1) / chunk;
        let Some(message) = bytes.get(..length) else {
            return Found::Part;
        };
        let payload: Vec<u8> = message[12..]
            .chunks(chunk + 1)
            .flat_map(|piece| piece.iter().take(chunk).copied())
            .collect();
        match (kind, payload.as_slice()) {
            (COMMAND, _) => match self.replaced(&payload) {
                Some(payload) => Found::Connect {
                    length,
                    instead: in_chunks(&message[..12], &payload, chunk),
                },
                None => Found::Strange,
            },
            (SET_CHUNK_SIZE, &[a, b, c, d]) => Found::Other {
                length,
                chunk: (u32::from_be_bytes([a, b, c, d]) as usize).clamp(1, LONGEST),
            },
            _ => Found::Other { length, chunk },
        }
    }

    /// The payload of a connect command with the address that is meant.
    fn replaced(&self, payload: &[u8]) -> Option<Vec<u8>> {
        // The property's name and the mark of a text, in AMF0.
        const PROPERTY: &[u8] = b"\x00\x05tcUrl\x02";
        let at = payload
            .windows(PROPERTY.len())
            .position(|w| w == PROPERTY)?
            + PROPERTY.len();
        let length = usize::from(u16::from_be_bytes(
            payload.get(at..at + 2)?.try_into().ok()?,
        ));
        let (start, end) = (at + 2, at + 2 + length);
        let rest = payload
            .get(start..end)?
            .strip_prefix(self.said.as_bytes())?;
        let text = [self.meant.as_bytes(), rest].concat();
        let length = u16::try_from(text.len()).ok()?.to_be_bytes();
        Some([&payload[..at], &length, &text, &payload[end..]].concat())
    }
}

/// A message with `header`, whose length is set anew.
fn in_chunks(header: &[u8], payload: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = header.to_vec();
    let length = (payload.len() as u32).to_be_bytes();
    out[4..7].copy_from_slice(&length[1..]);
    for (number, piece) in payload.chunks(chunk).enumerate() {
        if number > 0 {
            out.push(0xc0 | header[0]);
        }
        out.extend_from_slice(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "rtmp://127.0.0.1:41234";
    const MEANT: &str = "rtmps://relay-with-a-name.example.com:8443";

    fn connect(address: &str) -> Vec<u8> {
        let text = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
        [
            &[2][..],
            &text("connect"),
            &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 3],
            &text("app"),
            &[2],
            &text(&"live".repeat(30)),
            &text("tcUrl"),
            &[2],
            &text(&format!("{address}/live")),
            &[0, 0, 9],
        ]
        .concat()
    }

    fn message(kind: u8, payload: &[u8], chunk: usize) -> Vec<u8> {
        let header = [3, 0, 0, 0, 0, 0, 0, kind, 0, 0, 0, 0];
        in_chunks(&header, payload, chunk)
    }

    fn passed(input: &[u8], piece: usize) -> Vec<u8> {
        let mut tc_url = TcUrl::new(SAID.into(), MEANT.into());
        let mut out = Vec::new();
        for piece in input.chunks(piece) {
            tc_url.pass(piece, &mut out);
        }
        out
    }

    #[test]
    fn only_the_address_changes_however_it_is_cut() {
        let hands = vec![7; HANDSHAKE];
        let size = message(SET_CHUNK_SIZE, &200u32.to_be_bytes(), CHUNK);
        let rest = vec![9; 5000];
        let stream = |before: &[u8], address, chunk| {
            let connect = message(COMMAND, &connect(address), chunk);
            [&hands, before, &connect, &rest].concat()
        };
        for (before, chunk) in [(&[][..], CHUNK), (&size, 200)] {
            let (input, wanted) = (stream(before, SAID, chunk), stream(before, MEANT, chunk));
            for piece in [1, 7, 1000, 100_000] {
                assert_eq!(passed(&input, piece), wanted, "{chunk} {piece}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_passes_unchanged() {
        let hands = vec![7; HANDSHAKE];
        for strange in [
            message(COMMAND, &connect("rtmp://elsewhere:1"), CHUNK),
            message(COMMAND, b"\x02\x00\x07connect", CHUNK),
            vec![0xff; 100],
            message(9, &[0; 6000], 1).repeat(3),
            message(COMMAND, b"\x00\x05tcUrl\x02\xff\xff", CHUNK),
        ] {
            let input = [&hands[..], &strange, &[1; 9000]].concat();
            assert!(passed(&input, 500) == input, "{:?}", &strange[..12]);
        }
        let short = &hands[..100];
        assert_eq!(passed(short, 10), short);
    }
}
