//! A client's side of RTMP's simple handshake (RTMP specification, section 5.2), which every known
//! server takes; the digest that Flash added is for servers that sold its films.

use bytes::{Buf, Bytes, BytesMut};

/// RTMP's version.
const VERSION: u8 = 3;
/// Bytes of each of C1, S1, C2 and S2.
const PART: usize = 1536;
/// Random bytes of C1, behind its time and its zeros.
pub(super) const RANDOM: usize = PART - 8;

/// The progress of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handshake {
    /// S0 and S1 are to come.
    Greeting,
    /// S2 is to come.
    Echo,
    Done,
}

/// C0 and C1.
pub(super) fn hello(random: &[u8; RANDOM]) -> Bytes {
    let mut hello = BytesMut::with_capacity(1 + PART);
    hello.extend_from_slice(&[VERSION]);
    hello.extend_from_slice(&[0; 8]);
    hello.extend_from_slice(random);
    hello.freeze()
}

impl Handshake {
    /// Takes what has come of it out of `input`; the answer to send, once there is one. Nothing is
    /// taken while bytes are missing.
    ///
    /// # Errors
    /// The version that the server speaks instead.
    pub(super) fn step(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, u8> {
        match self {
            Self::Greeting => {
                // A peer that does not speak RTMP is known by its first byte.
                if let Some(&version) = input.first().filter(|version| **version != VERSION) {
                    return Err(version);
                }
                if input.len() <= PART {
                    return Ok(None);
                }
                input.advance(1);
                *self = Self::Echo;
                Ok(Some(input.split_to(PART).freeze()))
            }
            Self::Echo if input.len() >= PART => {
                input.advance(PART);
                *self = Self::Done;
                Ok(None)
            }
            Self::Echo | Self::Done => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_what_the_server_sent() {
        let mut input = BytesMut::new();
        let mut handshake = Handshake::Greeting;
        let served = [&[3][..], &[7; PART], &[8; PART], &[9]].concat();
        let mut answers = Vec::new();
        for byte in served {
            input.extend_from_slice(&[byte]);
            answers.extend(handshake.step(&mut input).expect("RTMP"));
        }
        assert_eq!(answers, [Bytes::from(vec![7; PART])]);
        assert_eq!((handshake, &input[..]), (Handshake::Done, &[9][..]));
        assert_eq!(hello(&[5; RANDOM]).len(), 1 + PART);
    }

    #[test]
    fn another_protocol_is_known_by_its_first_byte() {
        let mut input = BytesMut::from(&b"HTTP/1.1 400 Bad Request"[..]);
        assert_eq!(Handshake::Greeting.step(&mut input), Err(b'H'));
    }
}
