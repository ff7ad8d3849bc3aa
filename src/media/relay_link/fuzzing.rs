//! A way into what is read of GStreamer's own words to the relay, for fuzz targets and property
//! tests. No part of the product.

use super::tc_url::TcUrl;

/// Addresses of one length, so that only the address can differ.
const SAID: &str = "rtmp://127.0.0.1:41234";
const MEANT: &str = "rtmps://relay.example:";

/// Bytes of a client, cut into pieces as the first byte says: all of them are passed on, or still
/// held, and nothing but the address changes.
pub fn connect_command(input: &[u8]) {
    assert_eq!(SAID.len(), MEANT.len());
    let Some((&piece, input)) = input.split_first() else {
        return;
    };
    let mut tc_url = TcUrl::new(SAID.to_owned(), MEANT.to_owned());
    let mut out = Vec::new();
    for piece in input.chunks(usize::from(piece).max(1)) {
        tc_url.pass(piece, &mut out);
    }
    let changed = out
        .windows(MEANT.len())
        .position(|at| at == MEANT.as_bytes());
    if let Some(at) = changed {
        out[at..at + SAID.len()].copy_from_slice(SAID.as_bytes());
    }
    assert!(input.starts_with(&out), "{changed:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_client_is_misquoted(
            piece in any::<u8>(),
            header in prop::collection::vec(any::<u8>(), 0..14),
            before in prop::sample::select(vec![&b"\x02"[..], b"\x00\x05tcUrl", b"\x00\x05tcUrl\x02"]),
            length in any::<u16>(),
            after in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let hands = [&[piece][..], &[3; 3073]].concat();
            let said = [&length.to_be_bytes()[..], SAID.as_bytes()].concat();
            connect_command(&[&hands, &header[..], before, &said, &after].concat());
            let fair = [3, 0, 0, 0, 0, 0, after.len() as u8, 20, 0, 0, 0, 0];
            connect_command(&[&hands, &fair[..], &after].concat());
        }
    }
}
