//! `[relay]`: the relay that carries the streams, inside this program or outside.

use std::net::SocketAddr;

use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use url::Url;

use super::tls::speaks_tls;
use crate::config::document::Section;
use crate::config::rules;

/// `[relay]`: external if `[relay.external]` has URLs, else embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relay {
    Embedded(Embedded),
    External(External),
}

/// `[relay.embedded]`: the RTMP relay in this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    pub listen: SocketAddr,
    /// Whether RTMPS is spoken at `listen`, and named in stream URLs.
    pub tls: bool,
    /// Address of plain RTMP as well, which no stream URL names.
    pub plain_listen: Option<SocketAddr>,
    /// Host, with a port if it is not that of `listen`, that goes into stream URLs.
    /// `None`: the address of `listen`; if that is 0.0.0.0 or [::], the host by which the client
    /// reached the room server.
    pub public_host: Option<String>,
    /// First part of a stream URL's path.
    pub app: String,
    /// Whether a late player starts with the last key frame.
    pub gop_cache: bool,
    /// Maximum of media that is kept per stream for late players, in KiB.
    pub gop_cache_kib: usize,
    /// Maximum of media that waits for one slow player before whole GOPs are dropped, in KiB.
    pub player_queue_kib: usize,
    /// Maximum number of publishers and players together.
    pub max_connections: usize,
}

/// `[relay.external]`: a relay outside this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    pub push_url: UrlTemplate,
    /// URL that members play: `accelerateURL`.
    pub play_url: UrlTemplate,
    /// URL that an audience plays: `mixedPlayURL`.
    pub mixed_play_url: UrlTemplate,
    /// Source that tells whether a stream runs; `None`: members are judged by heartbeats alone.
    pub status: Option<Status>,
    /// The questions by which it asks before it lets a client in; `None`: it does not ask.
    pub hooks: Option<Hooks>,
}

/// The questions of a relay to this server, and the way to send its clients away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    pub key: HookKey,
    pub kind: RelayKind,
    /// Address of nginx's `rtmp_control`, or base of the API of SRS.
    pub control: Option<Url>,
}

/// The kinds of relay that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayKind {
    Nginx,
    Srs,
}

/// The key by which a relay proves itself when it asks.
#[derive(Clone, PartialEq, Eq)]
pub struct HookKey(String);

impl std::fmt::Debug for HookKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookKey([redacted])")
    }
}

impl HookKey {
    /// Whether a text is the key.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        bool::from(self.0.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// The way to ask an external relay whether a stream runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// nginx with its RTMP module: the page of `rtmp_stat all`, XML.
    Nginx(Url),
    /// SRS: the base of its HTTP API, `{url}/api/v1/streams/`.
    Srs(Url),
    /// `Live_Channel_GetStatus` of Tencent's live service, signed with `auth.api_key`.
    Tencent { url: Url, app_id: u64 },
}

/// A stream URL with `{stream}` for the stream id and `{query}` for bizid, txSecret, txTime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate(String);

impl UrlTemplate {
    /// Makes the URL of a stream; `query` without `?`.
    #[must_use]
    pub fn fill(&self, stream: &str, query: &str) -> String {
        self.0.replace("{stream}", stream).replace("{query}", query)
    }

    /// Whether streams pass in plain text that others may see.
    fn is_plain(&self) -> bool {
        Url::parse(&self.fill("s", "q"))
            .is_ok_and(|url| url.scheme() == "rtmp" && !rules::is_local(&url))
    }

    fn parse(text: &str, schemes: &[&str]) -> Option<Self> {
        let template = Self(text.to_owned());
        let filled = template.fill("s", "q");
        let fits = text.contains("{stream}")
            && !filled.contains(['{', '}'])
            && rules::address(&filled, schemes).is_some();
        fits.then_some(template)
    }
}

const RTMP_ALLOWED: &str = "an RTMP URL such as \"rtmp://relay.example.com/live/{stream}?{query}\"";
const MIXED_ALLOWED: &str =
    "an RTMP or HTTP URL such as \"https://play.example.com/live/{stream}.flv\"";

impl Status {
    fn url(&self) -> &Url {
        match self {
            Self::Nginx(url) | Self::Srs(url) | Self::Tencent { url, .. } => url,
        }
    }
}

impl Relay {
    /// Whether others than this machine may reach it.
    pub(super) fn is_reached_by_others(&self) -> bool {
        match self {
            Self::External(_) => false,
            Self::Embedded(relay) => {
                let plain = relay
                    .plain_listen
                    .is_some_and(|addr| !addr.ip().is_loopback());
                plain || !relay.listen.ip().is_loopback()
            }
        }
    }

    /// Whether this relay has to prove its identity when it is asked for its status.
    pub(super) fn is_asked_by_https(&self) -> bool {
        let Self::External(relay) = self else {
            return false;
        };
        let url = relay.status.as_ref().map(Status::url);
        url.is_some_and(|url| url.scheme() == "https")
    }

    pub(super) fn read(relay: &Section<'_>, has_api_key: bool, has_certificate: bool) -> Self {
        let section = relay.section("embedded");
        let embedded = Embedded::read(&section, has_certificate);
        let external = External::read(&relay.section("external"), has_api_key);
        if external.is_some() && !section.is_empty() {
            relay.reject("embedded", "not together with [relay.external]");
        }
        external.map_or(Self::Embedded(embedded), Self::External)
    }

    /// Lists warnings about streams that pass in plain text that others may see.
    pub(super) fn warnings(&self) -> Vec<String> {
        const UNASKED: &str = "relay.external.hook_key is not set: whoever gets a URL to play may push \
            by it too, and plays do not end when a member leaves";
        const SEEN: &str = "plain RTMP, pictures and sound can be seen on the way";
        match self {
            Self::External(relay) => [("push_url", &relay.push_url), ("play_url", &relay.play_url)]
                .into_iter()
                .filter(|(_, template)| template.is_plain())
                .map(|(key, _)| format!("relay.external.{key}: {SEEN}; use rtmps"))
                .chain(relay.hooks.is_none().then(|| UNASKED.to_owned()))
                .collect(),
            Self::Embedded(relay) => {
                let listen = (!relay.tls).then_some(("listen", relay.listen));
                let plain = relay.plain_listen.map(|addr| ("plain_listen", addr));
                [listen, plain]
                    .into_iter()
                    .flatten()
                    .filter(|(_, addr)| !addr.ip().is_loopback())
                    .map(|(key, addr)| {
                        format!("relay.embedded.{key} = \"{addr}\": {SEEN}; use [tls]")
                    })
                    .collect()
            }
        }
    }
}

impl Embedded {
    fn read(embedded: &Section<'_>, has_certificate: bool) -> Self {
        let tls = speaks_tls(embedded, has_certificate);
        let plain_listen = embedded.optional("plain_listen", rules::socket);
        if !tls {
            embedded.reject(
                "plain_listen",
                "only beside TLS: relay.embedded.listen is plain itself",
            );
        }
        Self {
            listen: embedded.get(
                "listen",
                SocketAddr::from(([127, 0, 0, 1], 1935)),
                rules::socket,
            ),
            tls,
            plain_listen,
            public_host: embedded.optional("public_host", rules::host),
            app: embedded.get("app", "live".to_owned(), rules::identifier(32)),
            gop_cache: embedded.get("gop_cache", true, rules::flag),
            // 16 MiB hold a minute of a stream at 2 Mbit/s.
            gop_cache_kib: embedded.get("gop_cache_kib", 16_384, rules::whole(64..=65_536)),
            player_queue_kib: embedded.get("player_queue_kib", 1024, rules::whole(64..=65_536)),
            max_connections: embedded.get("max_connections", 4096, rules::whole(2..=100_000)),
        }
    }
}

impl External {
    fn read(external: &Section<'_>, has_api_key: bool) -> Option<Self> {
        let rtmp = || {
            rules::text(RTMP_ALLOWED, |text| {
                UrlTemplate::parse(text, &["rtmp", "rtmps"])
            })
        };
        let mixed = rules::text(MIXED_ALLOWED, |text| {
            UrlTemplate::parse(text, &["rtmp", "rtmps", "http", "https"])
        });
        let push_url = external.optional("push_url", rtmp());
        let play_url = external.optional("play_url", rtmp());
        let mixed_play_url = external.optional("mixed_play_url", mixed);
        let status = Status::read(external, has_api_key);
        let given = [
            "push_url",
            "play_url",
            "mixed_play_url",
            "status_url",
            "status_kind",
            "app_id",
            "hook_key",
            "control_url",
        ];
        let hooks = Hooks::read(external, status.as_ref());
        let asks = ["status_url", "status_kind", "hook_key", "control_url"];
        let asks = asks.iter().any(|key| external.has(key));
        let needed = ["push_url", "play_url", "status_url", "status_kind"];
        external.require(&given, &needed[..if asks { 4 } else { 2 }]);
        let (push_url, play_url) = (push_url?, play_url?);
        Some(Self {
            mixed_play_url: mixed_play_url.unwrap_or_else(|| play_url.clone()),
            push_url,
            play_url,
            status,
            hooks,
        })
    }
}

impl Hooks {
    fn read(external: &Section<'_>, status: Option<&Status>) -> Option<Self> {
        let key = external.secret("hook_key", rules::secret(16));
        let control = external.optional(
            "control_url",
            rules::text(
                "an HTTP URL such as \"http://127.0.0.1:8080/control\"",
                |text| rules::address(text, &["http", "https"]),
            ),
        );
        if !external.has("hook_key") {
            external.reject(
                "control_url",
                "only with relay.external.hook_key: nobody is known otherwise",
            );
        }
        let kind = match status {
            Some(Status::Nginx(_)) => RelayKind::Nginx,
            Some(Status::Srs(_)) => RelayKind::Srs,
            Some(Status::Tencent { .. }) => {
                external.reject(
                    "hook_key",
                    "not with status_kind = \"tencent\", which does not ask",
                );
                return None;
            }
            None => return None,
        };
        let key = HookKey(key?.expose_secret().to_owned());
        Some(Self { key, kind, control })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StatusKind {
    Nginx,
    Srs,
    Tencent,
}

impl Status {
    fn read(external: &Section<'_>, has_api_key: bool) -> Option<Self> {
        let kinds = [
            ("nginx", StatusKind::Nginx),
            ("srs", StatusKind::Srs),
            ("tencent", StatusKind::Tencent),
        ];
        let url = external.optional(
            "status_url",
            rules::text(
                "an HTTP URL such as \"http://127.0.0.1:8080/stat\"",
                |text| rules::address(text, &["http", "https"]),
            ),
        );
        let kind = external.optional("status_kind", rules::choice(&kinds));
        let app_id = external.optional("app_id", rules::whole(1..=u64::from(u32::MAX)));
        match (url?, kind?) {
            (url, StatusKind::Nginx) => Some(Self::Nginx(url)),
            (url, StatusKind::Srs) => Some(Self::Srs(url)),
            (url, StatusKind::Tencent) => {
                if !(has_api_key && external.has("app_id")) {
                    external.reject(
                        "status_kind",
                        "needs relay.external.app_id and auth.api_key as well",
                    );
                }
                app_id.map(|app_id| Self::Tencent { url, app_id })
            }
        }
    }
}
