//! Push and play URLs: one to send a member's stream to, others to get it from; and whose stream
//! and whose right to play an URL speaks of.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use crate::config::server::{Access, External, UrlTemplate};
use crate::protocol::stream_url::{self, Refusal};

/// Settings of stream URLs.
#[derive(Debug, Clone)]
pub struct UrlSettings {
    /// Prefix of every stream id.
    pub bizid: String,
    /// Signs the URLs to push.
    pub push_key: SecretString,
    /// Signs the URLs to play.
    pub play_key: SecretString,
    /// Life of a signed URL.
    pub valid: Duration,
    /// Whether the relay checks push URLs by `push_key`: not so where an external one has another key
    /// and the operator gave none.
    pub is_own_key: bool,
}

/// Beginning of a stream id in which the user id is written in base64.
const ENCODED: char = '~';

impl UrlSettings {
    /// A stream id of one user's own, from which [`owner`](Self::owner) is read; `random` keeps their
    /// next stream from colliding with it.
    #[must_use]
    pub(super) fn stream_id(&self, user: &str, random: u16) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let user = if user.bytes().all(plain) {
            user.to_owned()
        } else {
            format!("{ENCODED}{}", URL_SAFE_NO_PAD.encode(user))
        };
        self.named_stream(&format!("{user}_{random:04x}"))
    }

    /// The id of a stream with a known name.
    #[must_use]
    pub(super) fn named_stream(&self, name: &str) -> String {
        format!("{}_{name}", self.bizid)
    }

    /// The user for whom a stream id was made; `None` if it is not one of ours.
    #[must_use]
    pub(super) fn owner(&self, stream: &str) -> Option<String> {
        let own = stream.strip_prefix(&self.bizid)?.strip_prefix('_')?;
        let (user, random) = own.rsplit_once('_')?;
        let is_random = random.len() == 4 && random.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_random || user.is_empty() {
            return None;
        }
        match user.strip_prefix(ENCODED) {
            None => Some(user.to_owned()),
            Some(encoded) => String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok(),
        }
    }

    /// Checks the query of a push URL at `unix`; answers the owner of the stream.
    ///
    /// # Errors
    /// The signature does not open the stream.
    pub(super) fn pusher(
        &self,
        stream: &str,
        query: &str,
        unix: u64,
    ) -> Result<Option<String>, Refusal> {
        stream_url::verify_query(self.push_key.expose_secret(), stream, query, unix)?;
        Ok(self.owner(stream))
    }

    /// Whether a push URL was signed here at any time.
    #[must_use]
    pub(super) fn is_genuine(&self, stream: &str, query: &str) -> bool {
        self.pusher(stream, query, 0).is_ok()
    }

    /// Checks the query of a play URL at `unix`; answers the viewer.
    ///
    /// # Errors
    /// The signature does not open the stream.
    pub(super) fn viewer(&self, stream: &str, query: &str, unix: u64) -> Result<String, Refusal> {
        stream_url::verify_viewer(self.play_key.expose_secret(), stream, query, unix)
    }
}

/// The address by which the relay is reached.
#[derive(Debug, Clone)]
pub(super) enum RelayAddress {
    Embedded(EmbeddedAddress),
    External(Box<External>),
}

/// An address of the form `rtmp[s]://{host}:{port}/{app}/...`.
#[derive(Debug, Clone)]
pub(super) struct EmbeddedAddress {
    pub scheme: &'static str,
    /// The host, with a port if it is not `port`; `None` = the host by which the client reached the room
    /// server.
    pub host: Option<String>,
    pub port: u16,
    pub app: String,
}

/// A stream that somebody plays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Play<'a> {
    pub(super) stream: &'a str,
    /// The user to whom the URL is given.
    pub(super) viewer: &'a str,
    /// Unix seconds when the stream's member came.
    pub(super) added: u64,
}

/// Makes stream URLs.
#[derive(Debug, Clone)]
pub(super) struct StreamUrls {
    settings: UrlSettings,
    relay: RelayAddress,
}

impl StreamUrls {
    #[must_use]
    pub(super) fn new(settings: UrlSettings, relay: RelayAddress) -> Self {
        Self { settings, relay }
    }

    /// Whether members may push streams that this server did not issue: on an open server, for trials,
    /// and where the operator gave no key of the external relay's.
    pub(super) fn takes_foreign(&self, access: Access) -> bool {
        access == Access::Open || !self.settings.is_own_key
    }

    /// Settings by which stream ids and signatures are made.
    pub(super) fn settings(&self) -> &UrlSettings {
        &self.settings
    }

    /// The signed URL to push `stream` to; `reached` is the host by which the client reached us.
    #[must_use]
    pub(super) fn push_url(&self, stream: &str, unix: u64, reached: &str) -> String {
        let expires = unix + self.settings.valid.as_secs();
        let UrlSettings {
            bizid, push_key, ..
        } = &self.settings;
        let query = stream_url::signed_query(push_key.expose_secret(), bizid, stream, expires);
        self.url(|relay| &relay.push_url, stream, &query, reached)
    }

    /// The signed URL by which `viewer` plays `stream`, whose member came at `added`.
    ///
    /// It stays the same from one call to the next, because clients take a new URL for a new
    /// stream, until a seventh of its life is left: then it is signed anew.
    #[must_use]
    pub(super) fn play_url(&self, play: Play<'_>, unix: u64, reached: &str) -> String {
        let query = self.play_query(play, unix);
        self.url(|relay| &relay.play_url, play.stream, &query, reached)
    }

    /// The URL that an audience plays; without a mixer that is the main member's stream.
    #[must_use]
    pub(super) fn mixed_url(&self, play: Play<'_>, unix: u64, reached: &str) -> String {
        let query = self.play_query(play, unix);
        self.url(|relay| &relay.mixed_play_url, play.stream, &query, reached)
    }

    fn play_query(&self, play: Play<'_>, unix: u64) -> String {
        let UrlSettings {
            bizid,
            push_key,
            play_key,
            ..
        } = &self.settings;
        let Play {
            stream,
            viewer,
            added,
        } = play;
        let expires = self.play_expiry(added, unix);
        if self.knows_viewers() {
            let key = play_key.expose_secret();
            stream_url::viewer_query(key, bizid, stream, viewer, expires)
        } else {
            stream_url::signed_query(push_key.expose_secret(), bizid, stream, expires)
        }
    }

    /// Whether the relay asks this server about each viewer. One that checks signatures by itself,
    /// as Tencent's does, knows one key only.
    fn knows_viewers(&self) -> bool {
        match &self.relay {
            RelayAddress::Embedded(_) => true,
            RelayAddress::External(relay) => relay.hooks.is_some(),
        }
    }

    /// A URL of `stream`, after a template where the relay is an external one.
    fn url(
        &self,
        template: impl FnOnce(&External) -> &UrlTemplate,
        stream: &str,
        query: &str,
        reached: &str,
    ) -> String {
        match &self.relay {
            RelayAddress::External(relay) => template(relay).fill(stream, query),
            RelayAddress::Embedded(relay) => relay.url(stream, query, reached),
        }
    }

    fn play_expiry(&self, added: u64, unix: u64) -> u64 {
        let valid = self.settings.valid.as_secs();
        let period = (valid - valid / 7).max(1);
        let periods = unix.saturating_sub(added) / period;
        added + periods * period + valid
    }
}

impl EmbeddedAddress {
    fn url(&self, stream: &str, query: &str, reached: &str) -> String {
        let Self {
            scheme,
            host,
            port,
            app,
        } = self;
        let host = host.as_deref().unwrap_or(reached);
        if has_port(host) {
            format!("{scheme}://{host}/{app}/{stream}?{query}")
        } else {
            format!("{scheme}://{host}:{port}/{app}/{stream}?{query}")
        }
    }
}

/// Whether `host` ends with a port; the colons of `[::1]` are none.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        && !host.ends_with(']')
}

/// The stream id of a push URL, of any host, and its query; `None` if it has none that could be
/// played.
#[must_use]
pub(super) fn pushed_stream(push_url: &str) -> Option<(&str, &str)> {
    let url = push_url.split_once("://")?.1;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let stream = stream_url::stream_id(path);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.~".contains(&b);
    let fits = (1..=200).contains(&stream.len()) && stream.bytes().all(plain);
    (path.contains('/') && fits).then_some((stream, query))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;
    const WEEK: u64 = 604_800;

    fn urls(relay: RelayAddress) -> StreamUrls {
        let settings = UrlSettings {
            bizid: "8525".into(),
            push_key: "0123456789abcdef0123456789abcdef".into(),
            play_key: "fedcba9876543210fedcba9876543210".into(),
            valid: Duration::from_secs(WEEK),
            is_own_key: true,
        };
        StreamUrls::new(settings, relay)
    }

    fn embedded(host: Option<&str>) -> StreamUrls {
        urls(RelayAddress::Embedded(EmbeddedAddress {
            scheme: "rtmp",
            host: host.map(Into::into),
            port: 1935,
            app: "live".into(),
        }))
    }

    fn played(stream: &str) -> Play<'_> {
        Play {
            stream,
            viewer: "bob",
            added: NOW,
        }
    }

    #[test]
    fn signs_the_reference_vector() {
        let url = embedded(None).push_url("8525_kiosk_01_a1b2", NOW, "10.0.0.7");
        assert_eq!(
            url,
            "rtmp://10.0.0.7:1935/live/8525_kiosk_01_a1b2?bizid=8525\
             &txSecret=87ed95e6ac92f674ff7f3f0deb34b978&txTime=655D2B80"
        );
    }

    #[test]
    fn names_the_host_that_the_client_can_reach() {
        let start = |host, reached| {
            let url = embedded(host).push_url("s", NOW, reached);
            url.split_once("/live").map(|(start, _)| start.to_owned())
        };
        for (host, reached, expected) in [
            (None, "kiosk-server", "rtmp://kiosk-server:1935"),
            (None, "[::1]", "rtmp://[::1]:1935"),
            (
                Some("rooms.example.com"),
                "10.0.0.7",
                "rtmp://rooms.example.com:1935",
            ),
            (
                Some("rooms.example.com:1936"),
                "x",
                "rtmp://rooms.example.com:1936",
            ),
            (Some("[fe80::1]:1936"), "x", "rtmp://[fe80::1]:1936"),
        ] {
            assert_eq!(start(host, reached).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_play_url_is_stable_and_never_about_to_expire() {
        let urls = embedded(None);
        let play = |unix| urls.play_url(played("8525_a"), unix, "h");
        assert_eq!(play(NOW), play(NOW + WEEK - WEEK / 7 - 1));
        assert_ne!(play(NOW), play(NOW + WEEK - WEEK / 7));
        for day in 0..100 {
            let unix = NOW + day * 86_400;
            assert!(urls.play_expiry(NOW, unix) >= unix + WEEK / 7);
            assert!(urls.play_expiry(NOW, unix) <= unix + WEEK);
        }
    }

    #[test]
    fn external_relays_have_templates() {
        let config = crate::config::ServerConfig::parse(
            "test",
            r#"[relay.external]
            push_url = "rtmp://push/live/{stream}?{query}"
            play_url = "rtmp://play/live/{stream}"
            mixed_play_url = "https://cdn/live/{stream}.flv""#,
        );
        let config = config.unwrap();
        let crate::config::server::Relay::External(external) = &config.relay else {
            panic!("{config:?}");
        };
        let urls = urls(RelayAddress::External(Box::new(external.clone())));
        let push = urls.push_url("8525_a", NOW, "h");
        assert!(push.starts_with("rtmp://push/live/8525_a?bizid=8525&txSecret="));
        assert_eq!(
            urls.play_url(played("8525_a"), NOW, "h"),
            "rtmp://play/live/8525_a"
        );
        assert_eq!(
            urls.mixed_url(played("8525_a"), NOW, "h"),
            "https://cdn/live/8525_a.flv"
        );
    }

    #[test]
    fn stream_ids_need_no_escaping_and_name_their_owner() {
        let urls = embedded(None);
        let settings = urls.settings();
        assert_eq!(settings.stream_id("alice", 0x1a2b), "8525_alice_1a2b");
        assert_eq!(settings.stream_id("ä/b", 1), "8525_~w6QvYg_0001");
        for user in [
            "alice",
            "a_0001",
            "_",
            "ä/b?c d",
            "~w6QvYg",
            &"用".repeat(42),
        ] {
            let stream = settings.stream_id(user, 7);
            let url = format!("rtmp://h/live/{stream}?q");
            assert_eq!(pushed_stream(&url), Some((stream.as_str(), "q")));
            assert_eq!(settings.owner(&stream).as_deref(), Some(user));
        }
        for foreign in [
            "",
            "8525_",
            "8525_a",
            "8525__0001",
            "8525_a_00001",
            "1_a_0001",
            "8525_~w_0001",
        ] {
            assert_eq!(settings.owner(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_signature_opens_one_way_only() {
        let urls = embedded(None);
        let settings = urls.settings();
        let stream = settings.stream_id("alice", 1);
        let query = |url: String| url.split_once('?').unwrap().1.to_owned();
        let push = query(urls.push_url(&stream, NOW, "h"));
        let play = query(urls.play_url(played(&stream), NOW, "h"));
        assert_eq!(
            settings.pusher(&stream, &push, NOW),
            Ok(Some("alice".into()))
        );
        assert_eq!(settings.viewer(&stream, &play, NOW).as_deref(), Ok("bob"));
        assert!(settings.pusher(&stream, &play, NOW).is_err());
        assert!(settings.viewer(&stream, &push, NOW).is_err());
        assert!(settings.pusher(&stream, &push, NOW + WEEK + 1).is_err());
        assert!(settings.is_genuine(&stream, &push) && !settings.is_genuine(&stream, &play));
    }

    #[test]
    fn finds_the_stream_of_any_push_url() {
        for (url, stream) in [
            (
                "rtmp://h/live/8525_a_1?bizid=1&x=a/b&record=mp4",
                Some(("8525_a_1", "bizid=1&x=a/b&record=mp4")),
            ),
            ("rtmp://h:1936/live/room7.cam-1", Some(("room7.cam-1", ""))),
            ("", None),
            ("8525_a_1", None),
            ("rtmp://h", None),
            ("rtmp://h/live/", None),
            ("rtmp://h/live/?x", None),
            ("rtmp://h/live/a b", None),
            ("rtmp://h/live/a%2f..", None),
        ] {
            assert_eq!(pushed_stream(url), stream, "{url}");
        }
    }
}
