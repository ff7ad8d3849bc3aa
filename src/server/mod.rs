//! The room server: the RTCRoom protocol over HTTP, with the relay that carries the streams.
//!
//! `rooms` decides who is in which room, `auth` who is who, `urls` where streams go, `http` is
//! the front door, `im` carries messages, `relay` the streams, `reaper` drops who is gone
//! without goodbye. [`RoomServer`] wires them together.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

mod auth;
mod clock;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod im;
mod keys;
mod reaper;
pub mod relay;
pub mod rooms;
mod settings;
mod urls;

pub use auth::AuthSettings;
use clock::Clock;
use http::App;
pub use http::{HttpSettings, Rate};
use im::Im;
pub use im::ImSettings;
pub use keys::KeyError;
use relay::{
    ExternalError, ExternalRelay, Relay, RelayError, RelayHandle, StreamProbe, StreamState,
};
use rooms::{MemoryStore, Occupancy, RoomEvent, Rooms, Rules};
pub use settings::{RelaySettings, Settings};
pub use urls::UrlSettings;
use urls::{EmbeddedAddress, RelayAddress, StreamUrls};

use crate::config::server as config;
use crate::tls::ServerTls;

/// Time between two clearings of limits that nobody uses any more.
const TIDY_PERIOD: Duration = Duration::from_secs(10);

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("room server cannot listen on {addr}: {source}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error(transparent)]
    External(#[from] ExternalError),
}

/// A room server that is bound, not yet serving.
#[derive(Debug)]
pub struct RoomServer {
    app: Arc<App>,
    http: HttpSettings,
    sweep: Duration,
    listener: TcpListener,
    addr: SocketAddr,
    /// With the name of its application.
    relay: Option<(Relay, String)>,
    probe: Probe,
    tls: Option<ServerTls>,
}

/// Asks a room server, also while it runs.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    app: Arc<App>,
    relay: Option<RelayHandle>,
    tls: Option<ServerTls>,
}

/// What a room server does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ServerStats {
    #[serde(flatten)]
    pub occupancy: Occupancy,
    /// Users who are logged in.
    pub sessions: usize,
    /// Users who are logged in for messages, and polls that are held for them.
    pub message_sessions: usize,
    pub polls: usize,
    /// Streams of the embedded relay; `None` with an external one.
    pub streams: Option<usize>,
}

impl RoomServer {
    /// Binds the room server, and its relay if that is embedded.
    ///
    /// # Errors
    /// An address that cannot be bound, or a relay that cannot be asked.
    pub async fn bind(settings: Settings) -> Result<Self, ServerError> {
        let (relay, address, probe) = match settings.relay {
            RelaySettings::Embedded {
                relay: config,
                public_host,
            } => {
                let app = config.app.clone();
                let relay = Relay::bind(config, clock::unix_now).await?;
                let address = RelayAddress::Embedded(EmbeddedAddress {
                    scheme: relay.scheme(),
                    host: public_host,
                    port: relay.local_addr().port(),
                    app: app.clone(),
                });
                let probe = Probe::Embedded(relay.handle());
                (Some((relay, app)), address, probe)
            }
            RelaySettings::External {
                relay,
                api_key,
                ca_file,
            } => {
                let probe = Probe::external(&relay, api_key.as_ref(), ca_file)?;
                (None, RelayAddress::External(relay), probe)
            }
        };
        let addr = settings.http.listen;
        let listen = |source| ServerError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let urls = StreamUrls::new(settings.urls, address);
        let http = settings.http.clone();
        let app = assemble(settings.rules, settings.auth, settings.im, urls, http);
        Ok(Self {
            app: Arc::new(app),
            http: settings.http,
            sweep: settings.sweep,
            listener,
            addr,
            relay,
            probe,
            tls: settings.tls,
        })
    }

    /// Where the room protocol is served: the port is known here even if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the embedded relay listens.
    #[must_use]
    pub fn relay_addr(&self) -> Option<SocketAddr> {
        self.relay.as_ref().map(|(relay, _)| relay.local_addr())
    }

    /// Where it is reached, for a person:
    /// `http://127.0.0.1:5757/weapp (rooms) and rtmp://127.0.0.1:1935/live (relay)`.
    #[must_use]
    pub fn addresses(&self) -> String {
        let scheme = if self.http.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let rooms = format!("{scheme}://{}/weapp (rooms)", self.addr);
        match &self.relay {
            Some((relay, app)) => {
                let (scheme, addr) = (relay.scheme(), relay.local_addr());
                format!("{rooms} and {scheme}://{addr}/{app} (relay)")
            }
            None => rooms,
        }
    }

    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            app: self.app.clone(),
            relay: self.relay.as_ref().map(|(relay, _)| relay.handle()),
            tls: self.tls.clone(),
        }
    }

    /// Serves until `stop` is cancelled; open requests then get a few seconds to finish.
    pub async fn run(self, stop: CancellationToken) {
        // If this future is dropped, everything that it started stops too.
        let stop = stop.child_token();
        let _guard = stop.clone().drop_guard();
        let router = http::router(self.app.clone());
        let serve = http::serve::run(self.listener, router, &self.http, stop.clone());
        let reap = reaper::run(
            self.app.rooms.clone(),
            Arc::new(self.probe),
            self.app.clock,
            self.sweep,
            stop.clone(),
        );
        let tidy = stop.run_until_cancelled(async {
            loop {
                tokio::time::sleep(TIDY_PERIOD).await;
                self.app.tidy();
            }
        });
        let relay = async {
            if let Some((relay, _)) = self.relay {
                relay.run(stop.clone()).await;
            }
        };
        let messages = self.app.im.run(stop.clone());
        let certificate = async {
            if let Some(tls) = &self.tls {
                tls.watch(stop.clone()).await;
            }
        };
        tokio::join!(
            Box::pin(serve),
            reap,
            tidy,
            messages,
            Box::pin(relay),
            certificate
        );
    }
}

/// Everything behind the front door.
fn assemble(
    rules: Rules,
    auth: AuthSettings,
    im: ImSettings,
    urls: StreamUrls,
    http: HttpSettings,
) -> App {
    let rooms = Arc::new(Rooms::new(rules, MemoryStore::default()));
    let auth = Arc::new(auth::Auth::new(auth));
    let clock = Clock::start();
    let im = Im::new(im, rooms.clone(), auth.clone(), clock, http.request_timeout);
    App::new(rooms, auth, Arc::new(im), urls, clock, http)
}

impl ServerHandle {
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        ServerStats {
            occupancy: self.app.rooms.occupancy(),
            sessions: self.app.auth.sessions_open(),
            message_sessions: self.app.im.sessions_open(),
            polls: self.app.im.polls_held(),
            streams: self.relay.as_ref().map(|relay| relay.streams().len()),
        }
    }

    /// Everything that happens to rooms from now on.
    #[must_use]
    pub fn room_events(&self) -> broadcast::Receiver<RoomEvent> {
        self.app.rooms.subscribe()
    }

    /// Reads the certificate and its key from their files again, if there are any.
    pub fn reload_certificate(&self) {
        match &self.tls {
            Some(tls) => tls.reload(),
            None => log::info!("there is no certificate to read again"),
        }
    }

    /// The embedded relay.
    #[must_use]
    pub fn relay(&self) -> Option<&RelayHandle> {
        self.relay.as_ref()
    }
}

/// Whom the reaper asks whether a silent member's stream runs.
#[derive(Debug)]
enum Probe {
    Embedded(RelayHandle),
    External(ExternalRelay),
    /// Members are judged by their heartbeats alone.
    Nobody,
}

impl Probe {
    fn external(
        relay: &config::External,
        api_key: Option<&SecretString>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, ExternalError> {
        let Some(status) = &relay.status else {
            return Ok(Self::Nobody);
        };
        let relay = ExternalRelay::new(status, api_key, ca_file, clock::unix_now)?;
        Ok(Self::External(relay))
    }
}

impl StreamProbe for Probe {
    async fn state(&self, stream_id: &str) -> StreamState {
        match self {
            Self::Embedded(relay) => relay.state(stream_id).await,
            Self::External(relay) => relay.state(stream_id).await,
            Self::Nobody => StreamState::NotLive,
        }
    }
}
