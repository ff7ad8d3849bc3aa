//! Push and play URLs: one to send a member's stream to, others to get it from.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::server::{External, UrlTemplate};
use crate::protocol::stream_url;

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
}

/// The address by which the relay is reached.
#[derive(Debug, Clone)]
pub(super) enum RelayAddress {
    Embedded(EmbeddedAddress),
    External(External),
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

    /// A stream id of one user's own; `random` keeps their next stream from colliding with it.
    #[must_use]
    pub(super) fn stream_id(&self, user: &str, random: u16) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let user = user.replace(|c| !plain(c), "_");
        self.named_stream(&format!("{user}_{random:04x}"))
    }

    /// The id of a stream with a known name.
    #[must_use]
    pub(super) fn named_stream(&self, name: &str) -> String {
        format!("{}_{name}", self.settings.bizid)
    }

    /// The signed URL to push `stream` to; `reached` is the host by which the client reached us.
    #[must_use]
    pub(super) fn push_url(&self, stream: &str, unix: u64, reached: &str) -> String {
        let expires = unix + self.settings.valid.as_secs();
        self.url(|relay| &relay.push_url, stream, expires, reached)
    }

    /// The signed URL to play `stream`, whose member came at `added`.
    ///
    /// It stays the same from one call to the next, because clients take a new URL for a new
    /// stream, until a seventh of its life is left: then it is signed anew.
    #[must_use]
    pub(super) fn play_url(&self, stream: &str, added: u64, unix: u64, reached: &str) -> String {
        let expires = self.play_expiry(added, unix);
        self.url(|relay| &relay.play_url, stream, expires, reached)
    }

    /// The URL that an audience plays; without a mixer that is the main member's stream.
    #[must_use]
    pub(super) fn mixed_url(&self, stream: &str, added: u64, unix: u64, reached: &str) -> String {
        let expires = self.play_expiry(added, unix);
        self.url(|relay| &relay.mixed_play_url, stream, expires, reached)
    }

    /// A URL of `stream`, after a template where the relay is an external one.
    fn url(
        &self,
        template: impl FnOnce(&External) -> &UrlTemplate,
        stream: &str,
        expires: u64,
        reached: &str,
    ) -> String {
        let UrlSettings {
            bizid, push_key, ..
        } = &self.settings;
        let query = stream_url::signed_query(push_key.expose_secret(), bizid, stream, expires);
        match &self.relay {
            RelayAddress::External(relay) => template(relay).fill(stream, &query),
            RelayAddress::Embedded(relay) => relay.url(stream, &query, reached),
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

/// The stream id of a push URL, of any host; `None` if it has none that could be played.
#[must_use]
pub(super) fn pushed_stream(push_url: &str) -> Option<&str> {
    let path = push_url.split_once("://")?.1;
    let stream = stream_url::stream_id(path);
    let is_path = path.split_once('?').map_or(path, |(p, _)| p).contains('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.~".contains(&b);
    let fits = (1..=200).contains(&stream.len()) && stream.bytes().all(plain);
    (is_path && fits).then_some(stream)
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
        let play = |unix| urls.play_url("8525_a", NOW, unix, "h");
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
        let urls = urls(RelayAddress::External(external.clone()));
        let push = urls.push_url("8525_a", NOW, "h");
        assert!(push.starts_with("rtmp://push/live/8525_a?bizid=8525&txSecret="));
        assert_eq!(
            urls.play_url("8525_a", NOW, NOW, "h"),
            "rtmp://play/live/8525_a"
        );
        assert_eq!(
            urls.mixed_url("8525_a", NOW, NOW, "h"),
            "https://cdn/live/8525_a.flv"
        );
    }

    #[test]
    fn stream_ids_need_no_escaping() {
        let urls = embedded(None);
        assert_eq!(urls.stream_id("alice", 0x1a2b), "8525_alice_1a2b");
        assert_eq!(urls.stream_id("ä/b?c d", 1), "8525___b_c_d_0001");
    }

    #[test]
    fn finds_the_stream_of_any_push_url() {
        for (url, stream) in [
            (
                "rtmp://h/live/8525_a_1?bizid=1&x=a/b&record=mp4",
                Some("8525_a_1"),
            ),
            ("rtmp://h:1936/live/room7.cam-1", Some("room7.cam-1")),
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
