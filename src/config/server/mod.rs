//! Configuration of the room server; board/rtcroomd.toml documents every key for the operator.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::config::document::{self, ConfigErrors, Section};
use crate::config::rules;

use self::tls::speaks_tls;

mod auth;
mod relay;
mod tls;

pub use auth::{Access, Auth, Keys, Prefixes, UserRole};
pub use relay::{Embedded, External, HookKey, Hooks, Relay, RelayKind, Status, UrlTemplate};
pub use tls::Tls;

/// A valid server configuration: made only by [`ServerConfig::parse`] and `default`.
#[derive(Debug, Clone)]
pub struct ServerConfig(Settings);

impl ServerConfig {
    /// Reads a configuration; `file` is only the name used in messages.
    ///
    /// # Errors
    /// All mistakes in the text, one per line.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigErrors> {
        document::read(file, text, Settings::read).map(Self)
    }

    /// Lists choices that are allowed but that an operator should know about, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let open = !self.http.listen.ip().is_loopback();
        let mut warnings = Vec::new();
        if open && !self.http.tls {
            warnings.push(format!(
                "http.listen = \"{}\": plain HTTP, tokens can be read on the way; \
                 set [tls] or put a TLS proxy in front",
                self.http.listen
            ));
        }
        warnings.extend(self.relay.warnings());
        if self.access == Access::Open && self.asks_for_locks {
            warnings.push(
                "open = true: whoever reaches this server gets an identity signed".to_owned(),
            );
        }
        if open && self.auth.keys == Keys::Generated && self.state_dir.is_none() {
            warnings.push(
                "auth.private_key_file is not set: every userSig is void after a restart"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// The configuration of an empty file: server and relay for this machine only.
impl Default for ServerConfig {
    fn default() -> Self {
        Self::parse("defaults", "").expect("an empty file is valid: a test holds it so")
    }
}

impl Deref for ServerConfig {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.0
    }
}

#[cfg(test)]
pub(super) fn known_keys() -> Vec<String> {
    document::known_paths(Settings::read)
}

/// All settings of a room server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory that keeps generated keys over restarts; `None`: they are not kept.
    pub state_dir: Option<PathBuf>,
    /// Whether identities are given for the asking.
    pub access: Access,
    /// Whether others than this machine reach the server, as far as the configuration tells.
    asks_for_locks: bool,
    /// Memory that this server may use, in MiB.
    pub memory_mib: usize,
    /// Level of the log.
    pub log: log::LevelFilter,
    /// Certificate and key of this server; `None`: plain text.
    pub tls: Option<Tls>,
    /// `tls.ca_file`: CA certificates (PEM) that are trusted beside those of the system when this
    /// server asks others.
    pub ca_file: Option<PathBuf>,
    pub http: Http,
    pub rooms: Rooms,
    pub auth: Auth,
    pub im: Im,
    pub stream: Stream,
    pub relay: Relay,
}

/// `[http]`: the listener of the room protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    pub listen: SocketAddr,
    /// Whether it speaks HTTPS.
    pub tls: bool,
    /// Web origins that may call; `None`: all of an open server, none of a locked one.
    pub cors_origins: Option<Vec<String>>,
    pub max_body_bytes: usize,
    /// Limit from request to answer.
    pub request_timeout: Duration,
    /// Maximum number of connections, most of them for polls that are held.
    pub max_connections: usize,
    /// Networks of proxies that are believed about their clients.
    pub trusted_proxies: Vec<IpNet>,
    pub per_address: Rate,
    pub per_user: Rate,
}

/// A limit on the rate of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Long-term average, at least 1.
    pub per_second: u32,
    /// Maximum at once after a pause, at least `per_second`.
    pub burst: u32,
}

/// `[rooms]`: sizes and lifetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rooms {
    /// Maximum number of pushers in a room, its creator included.
    pub double_capacity: usize,
    pub multi_capacity: usize,
    pub live_capacity: usize,
    /// Maximum length of a live room's list of its audience.
    pub live_audience: usize,
    /// Maximum size of `roomInfo`, in bytes of UTF-8.
    pub room_info_limit: usize,
    /// Maximum number of rooms, of all types together.
    pub max_rooms: usize,
    /// Maximum number of rooms whose ids one user reserved.
    pub rooms_per_user: usize,
    /// Maximum number of rooms that one user is in.
    pub memberships_per_user: usize,
    /// Silence after which a member is dropped, unless its stream still runs.
    pub heartbeat_timeout: Duration,
    /// Time between two looks for silent members.
    pub sweep: Duration,
    /// Life of a room that nobody entered.
    pub idle_room: Duration,
    /// Whether a multi or double room ends when its creator leaves.
    pub creator_can_destroy_room: bool,
}

/// `[im]`: the message service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Im {
    /// The user whose userSig lets other room servers command it.
    pub administrator: String,
    /// Time for which a poll is held while there is nothing new.
    pub hold: Duration,
    /// Maximum number of readers without a login in one group.
    pub anonymous_readers: usize,
    /// Maximum number of groups that other room servers may make.
    pub max_groups: usize,
    pub polls_per_address: usize,
    /// Limit on the requests of a user.
    pub per_user: Rate,
    /// Limit on the messages that a user sends.
    pub messages: Rate,
}

/// `[stream]`: names and signatures of stream URLs.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Prefix of every stream id.
    pub bizid: String,
    /// Key that signs the URLs to push; `None`: made, and kept in `state_dir` if there is one.
    pub push_key: Option<SecretString>,
    /// Key that signs the URLs to play, each for one viewer; the same if `None`.
    pub play_key: Option<SecretString>,
    /// Life of a signed URL.
    pub valid: Duration,
}

impl Settings {
    fn read(root: &Section<'_>) -> Self {
        let state_dir = root.optional("state_dir", rules::path);
        let auth_section = root.section("auth");
        let auth = Auth::read(&auth_section);
        let section = root.section("tls");
        let tls = Tls::read(&section);
        let ca_file = section.optional("ca_file", rules::path);
        let api_key = auth.api_key.is_some();
        let given = root.section("relay");
        let relay = Relay::read(&given, api_key, tls.is_some());
        // For an external relay whose settings are wrong that is enough to report.
        let known = matches!(relay, Relay::External(_)) || given.section("external").is_empty();
        if known && !relay.is_asked_by_https() {
            section.reject("ca_file", NO_CA_NEEDED);
        }
        let http_section = root.section("http");
        let mut http = Http::read(&http_section, tls.is_some());
        let stream = Stream::read(&root.section("stream"));
        let is_local = http.listen.ip().is_loopback() && http.trusted_proxies.is_empty();
        let asks_for_locks = !is_local || relay.is_reached_by_others();
        let access = Access::read(root, asks_for_locks);
        if access == Access::Locked
            && state_dir.is_none()
            && !(auth.has_keys() && stream.has_keys())
        {
            root.reject("open", KEYS_NEEDED);
            http_section.reject("listen", KEYS_NEEDED);
            http_section.reject("trusted_proxies", KEYS_NEEDED);
            given.section("embedded").reject("listen", KEYS_NEEDED);
        }
        if access == Access::Locked && !http_section.has("cors_origins") {
            http.cors_origins = Some(Vec::new());
        }
        if access == Access::Open && matches!(auth.keys, Keys::Public(_)) {
            auth_section.reject("public_key_file", CANNOT_SIGN);
        }
        Self {
            state_dir,
            access,
            asks_for_locks,
            memory_mib: root.get("memory_mib", 512, rules::whole(64..=65_536)),
            log: root.get("log", log::LevelFilter::Info, rules::log_level),
            http,
            rooms: Rooms::read(&root.section("rooms")),
            relay,
            tls,
            ca_file,
            auth,
            im: Im::read(&root.section("im")),
            stream,
        }
    }
}

const NO_CA_NEEDED: &str = "only where relay.external.status_url starts with https: nobody else is \
    asked for a certificate";

const KEYS_NEEDED: &str = "a server that does not give identities away needs keys: state_dir, or \
    auth.private_key_file with stream.push_key and stream.play_key (`rtcroomd init` makes them all)";

const CANNOT_SIGN: &str = "cannot sign, and this server is open: needs open = false, or \
    auth.private_key_file instead";

impl Http {
    fn read(http: &Section<'_>, has_certificate: bool) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5757));
        Self {
            listen: http.get("listen", local, rules::socket),
            tls: speaks_tls(http, has_certificate),
            cors_origins: http.get("cors_origins", None, rules::origins),
            max_body_bytes: http.get("max_body_bytes", 1 << 20, rules::whole(1024..=16 << 20)),
            request_timeout: http.get(
                "request_timeout_ms",
                Duration::from_secs(10),
                rules::millis(500..=60_000),
            ),
            // A thousand kiosks, each with four.
            max_connections: http.get("max_connections", 4096, rules::whole(8..=1_000_000)),
            trusted_proxies: http.get("trusted_proxies", Vec::new(), rules::networks),
            // A branch with fifty kiosks behind one address asks about 30 times a second.
            per_address: Rate::read(&http.section("per_address"), 100),
            // A kiosk asks less than once a second, a few times more while it joins.
            per_user: Rate::read(&http.section("per_user"), 10),
        }
    }
}

impl Rate {
    fn read(rate: &Section<'_>, default: u32) -> Self {
        let per_second = rate.get("per_second", default, rules::whole(1..=100_000));
        let burst = rate.optional("burst", rules::whole(1..=1_000_000));
        if burst.is_some_and(|burst| burst < per_second) {
            rate.reject(
                "burst",
                format!("must be at least per_second, {per_second}"),
            );
        }
        Self {
            per_second,
            burst: burst.unwrap_or(per_second * 2),
        }
    }
}

impl Rooms {
    fn read(rooms: &Section<'_>) -> Self {
        let sweep = rooms.get(
            "sweep_seconds",
            Duration::from_secs(5),
            rules::seconds(1..=60),
        );
        let heartbeat_timeout = rooms.get(
            "heartbeat_timeout_seconds",
            Duration::from_secs(20),
            rules::seconds(5..=300),
        );
        if sweep > heartbeat_timeout {
            rooms.reject(
                "sweep_seconds",
                "must not be longer than heartbeat_timeout_seconds",
            );
        }
        Self {
            double_capacity: rooms.get("double_capacity", 2, rules::whole(2..=16)),
            multi_capacity: rooms.get("multi_capacity", 4, rules::whole(2..=16)),
            live_capacity: rooms.get("live_capacity", 4, rules::whole(1..=16)),
            live_audience: rooms.get("live_audience", 30, rules::whole(0..=10_000)),
            room_info_limit: rooms.get("room_info_limit", 1024, rules::whole(1..=65_536)),
            max_rooms: rooms.get("max_rooms", 10_000, rules::whole(1..=1_000_000)),
            rooms_per_user: rooms.get("rooms_per_user", 8, rules::whole(1..=1_000_000)),
            memberships_per_user: rooms.get("memberships_per_user", 8, rules::whole(1..=1_000_000)),
            heartbeat_timeout,
            sweep,
            idle_room: rooms.get(
                "idle_room_seconds",
                // An agent whose browser asks for the camera may think about it for a minute.
                Duration::from_secs(120),
                rules::seconds(5..=86_400),
            ),
            creator_can_destroy_room: rooms.get("creator_can_destroy_room", false, rules::flag),
        }
    }
}

impl Im {
    fn read(im: &Section<'_>) -> Self {
        Self {
            administrator: im.get("administrator", "admin".to_owned(), rules::identifier(64)),
            // Mini-programs give up a request after a minute, proxies often after half of one.
            hold: im.get(
                "hold_seconds",
                Duration::from_secs(25),
                rules::seconds(1..=30),
            ),
            anonymous_readers: im.get("anonymous_readers", 0, rules::whole(0..=1000)),
            max_groups: im.get("max_groups", 10_000, rules::whole(0..=1_000_000)),
            // Two per kiosk: a branch with fifty kiosks behind one address has a hundred.
            polls_per_address: im.get("polls_per_address", 200, rules::whole(2..=1_000_000)),
            // Besides the two polls, a kiosk that joins asks ten times at once.
            per_user: Rate::read(&im.section("per_user"), 20),
            messages: Rate::read(&im.section("messages"), 5),
        }
    }
}

impl Stream {
    fn has_keys(&self) -> bool {
        self.push_key.is_some() && self.play_key.is_some()
    }

    fn read(stream: &Section<'_>) -> Self {
        Self {
            bizid: stream.get("bizid", "1000".to_owned(), rules::identifier(16)),
            push_key: stream.secret("push_key", rules::secret(8)),
            play_key: stream.secret("play_key", rules::secret(8)),
            // A call must not outlast its URL: reconnecting uses it again.
            valid: stream.get(
                "valid_seconds",
                Duration::from_secs(604_800),
                rules::seconds(60..=31_536_000),
            ),
        }
    }
}
