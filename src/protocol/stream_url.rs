//! Signed stream URLs: the right to push or play one stream until a moment.
//!
//! `txTime` is the expiry as upper-case hexadecimal unix seconds, `txSecret` the MD5 of
//! key, stream id and `txTime` without separators (Tencent's live service defines both). A URL to play
//! from our own server is one viewer's: `viewer` stands in it, and `txSecret` is an HMAC-SHA256, with a
//! zero byte between its parts, so that neither kind of URL passes for the other.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// Seconds for which a URL is valid after it was signed: seven days, as both official servers do.
pub const DEFAULT_VALID_SECONDS: u64 = 604_800;

/// Makes the lower-case hexadecimal `txSecret` of a stream whose URL expires at `tx_time`.
#[must_use]
pub fn tx_secret(key: &str, stream_id: &str, tx_time: &str) -> String {
    let mut md5 = Md5::new();
    md5.update(key);
    md5.update(stream_id);
    md5.update(tx_time);
    hex::encode(md5.finalize())
}

/// Makes the query (without `?`) that opens `stream_id` until `expires` (unix seconds).
#[must_use]
pub fn signed_query(key: &str, bizid: &str, stream_id: &str, expires: u64) -> String {
    let tx_time = format!("{expires:X}");
    let secret = tx_secret(key, stream_id, &tx_time);
    format!("bizid={bizid}&txSecret={secret}&txTime={tx_time}")
}

/// Maximum number of hexadecimal digits in a `txTime`: enough until the year 2106.
const TIME_DIGITS: usize = 8;

/// Reasons for which a signed URL does not open its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the URL has no {0} parameter")]
    Missing(&'static str),
    #[error("txTime is not a hexadecimal unix time")]
    BadTime,
    #[error("the URL expired")]
    Expired,
    #[error("txSecret does not fit the stream")]
    BadSecret,
}

/// Checks the query (without `?`) of a push URL, or of a play URL that the same key signs, at `now`
/// (unix seconds).
///
/// # Errors
/// The first reason for which the URL must be refused.
pub fn verify_query(key: &str, stream_id: &str, query: &str, now: u64) -> Result<(), Refusal> {
    verify(query, now, |tx_time| tx_secret(key, stream_id, tx_time))
}

/// Makes the query (without `?`) by which `viewer` plays `stream_id` until `expires` (unix seconds).
#[must_use]
pub fn viewer_query(key: &str, bizid: &str, stream_id: &str, viewer: &str, expires: u64) -> String {
    let tx_time = format!("{expires:X}");
    let secret = viewer_secret(key, stream_id, viewer, &tx_time);
    let viewer: String = url::form_urlencoded::byte_serialize(viewer.as_bytes()).collect();
    format!("bizid={bizid}&viewer={viewer}&txSecret={secret}&txTime={tx_time}")
}

/// Checks the query (without `?`) of one viewer's play URL at `now` (unix seconds); returns the viewer.
///
/// # Errors
/// The first reason for which the URL must be refused.
pub fn verify_viewer(key: &str, stream_id: &str, query: &str, now: u64) -> Result<String, Refusal> {
    let viewer = value(query, "viewer")?;
    verify(query, now, |tx_time| {
        viewer_secret(key, stream_id, &viewer, tx_time)
    })?;
    Ok(viewer)
}

fn viewer_secret(key: &str, stream_id: &str, viewer: &str, tx_time: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    let text = ["play", stream_id, viewer, tx_time].join("\0");
    hex::encode(ring::hmac::sign(&key, text.as_bytes()))
}

fn value(query: &str, name: &'static str) -> Result<String, Refusal> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .ok_or(Refusal::Missing(name))
}

fn verify(query: &str, now: u64, secret_at: impl FnOnce(&str) -> String) -> Result<(), Refusal> {
    let (tx_time, secret) = (value(query, "txTime")?, value(query, "txSecret")?);
    // Nothing separates stream id and time in the signed text: the id's last digits must not
    // pass for the first ones of a time far away.
    let is_time = tx_time.len() <= TIME_DIGITS && tx_time.bytes().all(|b| b.is_ascii_hexdigit());
    let expires = u64::from_str_radix(&tx_time, 16)
        .ok()
        .filter(|_| is_time)
        .ok_or(Refusal::BadTime)?;
    let expected = secret_at(&tx_time);
    let matches = expected
        .as_bytes()
        .ct_eq(secret.to_ascii_lowercase().as_bytes());
    if !bool::from(matches) {
        return Err(Refusal::BadSecret);
    }
    if expires < now {
        return Err(Refusal::Expired);
    }
    Ok(())
}

/// Returns the stream id of a push or play URL: the part after the last `/` before the first `?`.
#[must_use]
pub fn stream_id(url: &str) -> &str {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

/// Returns `url` without its query, fit for a log: the query carries the secret.
#[must_use]
pub fn redacted(url: &str) -> String {
    match url.split_once('?') {
        Some((path, _)) => format!("{path}?[redacted]"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const NOW: u64 = 1_700_000_000;

    #[test]
    fn signs_the_reference_vectors() {
        for (stream, secret) in [
            ("8525_kiosk_01_a1b2", "87ed95e6ac92f674ff7f3f0deb34b978"),
            (
                "8525_room_7f3a9c10_4be2_kiosk_01",
                "f556b786e1cacf7c0519f78d91ca9d11",
            ),
        ] {
            let query = signed_query(KEY, "8525", stream, NOW + DEFAULT_VALID_SECONDS);
            assert_eq!(
                query,
                format!("bizid=8525&txSecret={secret}&txTime=655D2B80")
            );
            assert_eq!(verify_query(KEY, stream, &query, NOW), Ok(()));
        }
    }

    #[test]
    fn refuses_what_was_not_signed() {
        let query = signed_query(KEY, "8525", "8525_a", NOW + 60);
        assert_eq!(
            verify_query(KEY, "8525_b", &query, NOW),
            Err(Refusal::BadSecret)
        );
        assert_eq!(
            verify_query("other", "8525_a", &query, NOW),
            Err(Refusal::BadSecret)
        );
        assert_eq!(
            verify_query(KEY, "8525_a", &query, NOW + 61),
            Err(Refusal::Expired)
        );
        assert_eq!(
            verify_query(KEY, "8525_a", "txTime=65", NOW),
            Err(Refusal::Missing("txSecret"))
        );
        assert_eq!(
            verify_query(KEY, "8525_a", "txTime=zz&txSecret=1", NOW),
            Err(Refusal::BadTime)
        );
    }

    #[test]
    fn a_play_url_is_one_viewers_and_no_push_url() {
        let query = viewer_query(KEY, "8525", "8525_a", "Bob & Ann", NOW + 60);
        assert!(query.contains("viewer=Bob+%26+Ann&"), "{query}");
        let verify = |key, stream, query: &str, now| verify_viewer(key, stream, query, now);
        assert_eq!(
            verify(KEY, "8525_a", &query, NOW).as_deref(),
            Ok("Bob & Ann")
        );
        assert_eq!(verify(KEY, "8525_b", &query, NOW), Err(Refusal::BadSecret));
        assert_eq!(
            verify("other", "8525_a", &query, NOW),
            Err(Refusal::BadSecret)
        );
        assert_eq!(
            verify(KEY, "8525_a", &query, NOW + 61),
            Err(Refusal::Expired)
        );
        let eve = query.replace("Bob+%26+Ann", "eve");
        assert_eq!(verify(KEY, "8525_a", &eve, NOW), Err(Refusal::BadSecret));
        assert_eq!(
            verify_query(KEY, "8525_a", &query, NOW),
            Err(Refusal::BadSecret)
        );
        let push = signed_query(KEY, "8525", "8525_a", NOW + 60);
        assert_eq!(
            verify(KEY, "8525_a", &push, NOW),
            Err(Refusal::Missing("viewer"))
        );
        let push = format!("viewer=bob&{push}");
        assert_eq!(verify(KEY, "8525_a", &push, NOW), Err(Refusal::BadSecret));
    }

    #[test]
    fn a_signature_cannot_be_cut_elsewhere() {
        let query = signed_query(KEY, "8525", "8525_a_1a2b", NOW + 60);
        for (id, time) in [("8525_a_1a2", "b"), ("8525_a_", "1a2b")] {
            let query = query.replace("txTime=", &format!("txTime={time}"));
            assert_eq!(verify_query(KEY, id, &query, NOW), Err(Refusal::BadTime));
        }
    }

    #[test]
    fn finds_the_stream_id_and_hides_the_secret() {
        let url = "rtmp://h/live/8525_alice_1a2b?bizid=8525&txSecret=ab/cd";
        assert_eq!(stream_id(url), "8525_alice_1a2b");
        assert_eq!(redacted(url), "rtmp://h/live/8525_alice_1a2b?[redacted]");
        assert_eq!(stream_id("rtmp://h/live/x"), "x");
    }

    proptest::proptest! {
        #[test]
        fn nobody_gets_in_without_the_key(url in "[a-z:/?&=]{0,20}(txSecret=[0-9a-f]{0,32}&?)?(txTime=[0-9A-F]{0,9})?.{0,9}") {
            let query = url.split_once('?').map_or(url.as_str(), |(_, query)| query);
            proptest::prop_assert!(verify_query(KEY, stream_id(&url), query, 0).is_err());
            let shown = redacted(&url);
            let rest = shown.split_once('?').map(|(_, rest)| rest);
            proptest::prop_assert!(rest == Some("[redacted]") || shown == url);
        }
    }
}
