//! Settings of a room server, with keys read and secrets made: from the configuration, or the
//! embedded default for this machine alone.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::auth::AuthSettings;
use super::budget::{Budget, Budgets};
use super::http::HttpSettings;
use super::im::ImSettings;
use super::keys::{self, KeyError};
use super::limits::Rate;
use super::relay::RelayConfig;
use super::rooms::Rules;
use super::urls::UrlSettings;
use crate::config::ServerConfig;
use crate::config::server as config;
use crate::protocol::user_sig::{SigningKey, VerifyingKey};
use crate::server::users::Directory;
use crate::tls::ServerTls;

/// Everything that a [`RoomServer`](super::RoomServer) needs.
#[derive(Debug)]
pub struct Settings {
    /// The certificate of all listeners that speak TLS.
    pub tls: Option<ServerTls>,
    pub http: HttpSettings,
    pub rules: Rules,
    /// Time between two looks for silent members.
    pub sweep: Duration,
    pub auth: AuthSettings,
    pub im: ImSettings,
    pub urls: UrlSettings,
    pub relay: RelaySettings,
}

/// The relay that carries the streams.
#[derive(Debug, Clone)]
pub enum RelaySettings {
    /// The relay in this program, started and stopped with the room server, which is its gate.
    Embedded {
        relay: RelayConfig,
        /// Host for stream URLs, with a port if it is not the relay's own; `None` = the host by
        /// which a client reached the room server.
        public_host: Option<String>,
    },
    /// A relay of its own, which is only asked which streams run.
    External {
        relay: config::External,
        /// Signs status requests to Tencent.
        api_key: Option<SecretString>,
        /// CA certificates that may vouch for the relay's status address, beside the system's.
        ca_file: Option<PathBuf>,
    },
}

/// Name of the users file in the state directory.
const USERS_FILE: &str = "users.json";

/// Open files beside connections: listeners, logs, key files and the runtime's own.
const OTHER_FILES: usize = 32;

impl Settings {
    /// Reads the key files that the configuration names, and makes what it leaves out.
    ///
    /// # Errors
    /// A key file that cannot be read, made or understood.
    pub fn load(config: &ServerConfig) -> Result<Self, KeyError> {
        let dir = config.state_dir.as_deref();
        let push_key = match &config.stream.push_key {
            Some(key) => key.clone(),
            None => keys::push_key(dir)?,
        };
        let budgets = Budgets::of(config.memory_mib << 20);
        let play_key = match &config.stream.play_key {
            Some(key) => key.clone(),
            None => keys::play_key(dir)?,
        };
        let (verifying_key, signing_key) = user_sig_keys(config)?;
        let users_file = Self::users_file(config);
        let tls = config.tls.as_ref();
        let tls = tls
            .map(|tls| ServerTls::load(&tls.certificate_file, &tls.key_file))
            .transpose()?;
        Ok(Self {
            http: HttpSettings {
                bodies: Budget::new(budgets.bodies),
                ..http(&config.http, tls.as_ref())
            },
            rules: Rules {
                max_bytes: budgets.rooms,
                ..rules(&config.rooms)
            },
            sweep: config.rooms.sweep,
            auth: AuthSettings {
                sdk_app_id: config.auth.sdk_app_id,
                account_type: config.auth.account_type.clone(),
                verifying_key,
                signing_key,
                access: config.access,
                users: Directory::open(users_file, config.auth.prefixes.clone())?,
                user_sig_life: config.auth.user_sig_life,
                token_life: config.auth.token_life,
            },
            im: ImSettings {
                history_bytes: budgets.messages,
                inbox_bytes: budgets.letters,
                bodies: Budget::new(budgets.bodies),
                ..im(config)
            },
            relay: relay(config, tls.as_ref(), budgets),
            tls,
            urls: UrlSettings {
                bizid: config.stream.bizid.clone(),
                push_key,
                play_key,
                valid: config.stream.valid,
                is_own_key: config.stream.push_key.is_some()
                    || matches!(config.relay, config::Relay::Embedded(_)),
            },
        })
    }

    /// The file of users and revocations; `None` = none is kept.
    #[must_use]
    pub fn users_file(config: &ServerConfig) -> Option<PathBuf> {
        let given = config.auth.users_file.clone();
        given.or_else(|| Some(config.state_dir.as_deref()?.join(USERS_FILE)))
    }

    /// The key that signs identities, which is made if there is none; `None` = somebody else signs.
    ///
    /// # Errors
    /// A key file that cannot be read, made or understood.
    pub fn signing_key(config: &ServerConfig) -> Result<Option<SigningKey>, KeyError> {
        user_sig_keys(config).map(|(_, signing)| signing)
    }

    /// The files of keys that are kept in the state directory.
    #[must_use]
    pub fn kept_keys(config: &ServerConfig) -> Vec<PathBuf> {
        config.state_dir.as_deref().map_or(Vec::new(), keys::files)
    }

    /// Files that this process needs when everything that is configured is used: one for each
    /// connection, and a few more.
    #[must_use]
    pub fn open_files(&self) -> usize {
        let relayed = match &self.relay {
            RelaySettings::Embedded { relay, .. } => relay.max_connections,
            RelaySettings::External { .. } => 0,
        };
        self.http.max_connections + relayed + OTHER_FILES
    }

    /// The embedded default on free ports of this machine, for trials beside a running server.
    ///
    /// # Errors
    /// A key that cannot be made.
    pub fn on_free_ports() -> Result<Self, KeyError> {
        let mut settings = Self::load(&ServerConfig::default())?;
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.http.listen = any_port;
        if let RelaySettings::Embedded { relay, .. } = &mut settings.relay {
            relay.listen = any_port;
        }
        Ok(settings)
    }
}

fn user_sig_keys(config: &ServerConfig) -> Result<(VerifyingKey, Option<SigningKey>), KeyError> {
    let private = match &config.auth.keys {
        config::Keys::Public(path) => return Ok((keys::public(path)?, None)),
        config::Keys::Private(path) => keys::private(path)?,
        config::Keys::Generated => keys::generated(config.state_dir.as_deref())?,
    };
    Ok((private.verifying_key(), Some(private)))
}

/// Longest pause between two requests: clients come every 7 to 15 s, and a connection kept open
/// must survive that.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Age at which a connection is closed between two requests, so that no client keeps its place
/// among them for ever.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(600);

/// Time that open requests get to finish when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

fn http(http: &config::Http, tls: Option<&ServerTls>) -> HttpSettings {
    HttpSettings {
        listen: http.listen,
        tls: tls.filter(|_| http.tls).cloned(),
        cors_origins: http.cors_origins.clone(),
        max_body: http.max_body_bytes,
        request_timeout: http.request_timeout,
        header_timeout: HEADER_TIMEOUT,
        max_connection_age: MAX_CONNECTION_AGE,
        bodies: Budget::new(0),
        max_connections: http.max_connections,
        trusted_proxies: http.trusted_proxies.clone(),
        shutdown_timeout: SHUTDOWN_TIMEOUT,
        per_address: rate(http.per_address),
        per_user: rate(http.per_user),
    }
}

fn im(config: &ServerConfig) -> ImSettings {
    let im = &config.im;
    ImSettings {
        administrator: im.administrator.clone(),
        hold: im.hold,
        anonymous_readers: im.anonymous_readers,
        max_groups: im.max_groups,
        // Every poll keeps a connection: the rest is for other requests.
        max_polls: config.http.max_connections / 4 * 3,
        polls_per_address: im.polls_per_address,
        history_bytes: 0,
        inbox_bytes: 0,
        bodies: Budget::new(0),
        per_user: rate(im.per_user),
        messages: rate(im.messages),
    }
}

fn rate(rate: config::Rate) -> Rate {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Rate {
        per_second: at_least_one(rate.per_second),
        burst: at_least_one(rate.burst),
    }
}

fn rules(rooms: &config::Rooms) -> Rules {
    Rules {
        double_capacity: rooms.double_capacity,
        multi_capacity: rooms.multi_capacity,
        live_capacity: rooms.live_capacity,
        audience_limit: rooms.live_audience,
        room_info_limit: rooms.room_info_limit,
        max_rooms: rooms.max_rooms,
        rooms_per_user: rooms.rooms_per_user,
        memberships_per_user: rooms.memberships_per_user,
        max_bytes: Rules::default().max_bytes,
        member_timeout: rooms.heartbeat_timeout,
        idle_timeout: rooms.idle_room,
        creator_can_destroy: rooms.creator_can_destroy_room,
    }
}

fn relay(config: &ServerConfig, tls: Option<&ServerTls>, budgets: Budgets) -> RelaySettings {
    match &config.relay {
        config::Relay::External(relay) => RelaySettings::External {
            relay: relay.clone(),
            api_key: config.auth.api_key.clone(),
            ca_file: config.ca_file.clone(),
        },
        config::Relay::Embedded(embedded) => RelaySettings::Embedded {
            public_host: public_host(embedded),
            relay: RelayConfig {
                receiving: Budget::new(budgets.receiving),
                media: Budget::new(budgets.media),
                ..relay_config(embedded, tls)
            },
        },
    }
}

fn public_host(embedded: &config::Embedded) -> Option<String> {
    let listened = || match embedded.listen {
        addr if addr.ip().is_unspecified() => None,
        SocketAddr::V4(addr) => Some(addr.ip().to_string()),
        SocketAddr::V6(addr) => Some(format!("[{}]", addr.ip())),
    };
    embedded.public_host.clone().or_else(listened)
}

fn relay_config(embedded: &config::Embedded, tls: Option<&ServerTls>) -> RelayConfig {
    let defaults = RelayConfig::default();
    // What a late player is given at once does not count, but any single message must fit.
    let player_queue_bytes = defaults.max_message_bytes + (embedded.player_queue_kib << 10);
    RelayConfig {
        listen: embedded.listen,
        tls: tls.filter(|_| embedded.tls).cloned(),
        plain_listen: embedded.plain_listen,
        app: embedded.app.clone(),
        gop_cache: embedded.gop_cache,
        gop_cache_bytes: embedded.gop_cache_kib << 10,
        player_queue_bytes,
        max_connections: embedded.max_connections,
        max_streams: embedded.max_connections,
        ..defaults
    }
}
