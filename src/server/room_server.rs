//! The room server as a whole: binds, wires the parts together, and runs them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::auth::{Auth, AuthSettings};
use super::clock::{self, Clock};
use super::gate::StreamGate;
use super::handle::ServerHandle;
use super::http::{self, App, HttpSettings, RelayHooks};
use super::im::{Im, ImSettings};
use super::reaper;
use super::relay::{ExternalClients, ExternalError, Gate, Kick, Relay, RelayError, external_http};
use super::relay_probe::RelayProbe;
use super::rooms::{Rooms, Rules};
use super::settings::{RelaySettings, Settings};
use super::urls::{EmbeddedAddress, RelayAddress, StreamUrls, UrlSettings};
use super::warden::{RelayControl, Warden};
use crate::config::server::External;
use crate::tls::ServerTls;

/// Time between two clearings of limits that nobody uses any more.
const TIDY_PERIOD: Duration = Duration::from_secs(10);

/// The reason for which the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("the room server cannot listen on {addr}: {source}")]
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
    warden: Warden,
    http: HttpSettings,
    sweep: Duration,
    listener: TcpListener,
    addr: SocketAddr,
    /// The embedded relay, with the name of its application.
    relay: Option<(Relay, String)>,
    probe: RelayProbe,
    tls: Option<ServerTls>,
}

impl RoomServer {
    /// Binds the room server, and its relay if that is embedded.
    ///
    /// # Errors
    /// An address that cannot be bound, or a relay that cannot be asked.
    pub async fn bind(settings: Settings) -> Result<Self, ServerError> {
        let ground = Ground::new(settings.rules, settings.auth);
        let gate = ground.gate(settings.urls.clone());
        let mut hooks = None;
        let (relay, address, probe) = match settings.relay {
            RelaySettings::Embedded {
                relay: mut config,
                public_host,
            } => {
                let app = config.app.clone();
                config.gate.get_or_insert_with(|| gate.clone());
                let relay = Relay::bind(config, clock::unix_now).await?;
                let address = RelayAddress::Embedded(EmbeddedAddress {
                    scheme: relay.scheme(),
                    host: public_host,
                    port: relay.local_addr().port(),
                    app: app.clone(),
                });
                let probe = RelayProbe::Embedded(relay.handle());
                (Some((relay, app)), address, probe)
            }
            RelaySettings::External {
                relay,
                api_key,
                ca_file,
            } => {
                let probe = RelayProbe::external(&relay, api_key.as_ref(), ca_file.clone())?;
                hooks = relay_hooks(&relay, ca_file, &gate)?;
                (None, RelayAddress::External(Box::new(relay)), probe)
            }
        };
        let addr = settings.http.listen;
        let listen = |source| ServerError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let urls = StreamUrls::new(settings.urls, address);
        let http = settings.http.clone();
        let control = control(relay.as_ref().map(|(relay, _)| relay), hooks.as_ref());
        let app = ground.assemble(settings.im, urls, http).with_hooks(hooks);
        let app = app.with_relay(relay.as_ref().map(|(relay, _)| relay.handle()));
        let app = Arc::new(app);
        let warden = Warden {
            rooms: app.rooms.clone(),
            auth: app.auth.clone(),
            im: app.im.clone(),
            gate,
            relay: control,
        };
        Ok(Self {
            app,
            warden,
            http: settings.http,
            sweep: settings.sweep,
            listener,
            addr,
            relay,
            probe,
            tls: settings.tls,
        })
    }

    /// The address of the room protocol, with the port that was found if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address of the embedded relay.
    #[must_use]
    pub fn relay_addr(&self) -> Option<SocketAddr> {
        self.relay.as_ref().map(|(relay, _)| relay.local_addr())
    }

    /// The addresses as a person reads them:
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

    /// A handle for others, also while the server runs.
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
        let serve = http::serve(self.listener, router, &self.http, stop.clone());
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
        let rights = self.warden.run(stop.clone());
        tokio::join!(
            Box::pin(serve),
            Box::pin(rights),
            reap,
            tidy,
            messages,
            Box::pin(relay),
            certificate
        );
    }
}

/// The way to end rights at the relay.
fn control(relay: Option<&Relay>, hooks: Option<&RelayHooks>) -> RelayControl {
    match (relay, hooks) {
        (Some(relay), _) => RelayControl::Embedded(relay.handle()),
        (None, Some(hooks)) => RelayControl::External(hooks.clients.clone()),
        (None, None) => RelayControl::None,
    }
}

/// The answering side for an external relay that asks.
fn relay_hooks(
    relay: &External,
    ca_file: Option<PathBuf>,
    gate: &Arc<dyn Gate>,
) -> Result<Option<RelayHooks>, ServerError> {
    let Some(hooks) = &relay.hooks else {
        return Ok(None);
    };
    let kick = Kick::new(hooks, external_http(ca_file)?);
    Ok(Some(RelayHooks {
        key: hooks.key.clone(),
        clients: Arc::new(ExternalClients::new(gate.clone(), kick)),
    }))
}

/// The rooms and the users, on which all else stands.
pub(super) struct Ground {
    rooms: Arc<Rooms>,
    auth: Arc<Auth>,
    clock: Clock,
}

impl Ground {
    pub(super) fn new(rules: Rules, auth: AuthSettings) -> Self {
        Self {
            rooms: Arc::new(Rooms::new(rules)),
            auth: Arc::new(Auth::new(auth)),
            clock: Clock::start(),
        }
    }

    /// The gate of the streams.
    fn gate(&self, urls: UrlSettings) -> Arc<dyn Gate> {
        Arc::new(StreamGate {
            urls,
            rooms: self.rooms.clone(),
            auth: self.auth.clone(),
            clock: self.clock,
        })
    }

    /// Everything behind the front door.
    pub(super) fn assemble(self, im: ImSettings, urls: StreamUrls, http: HttpSettings) -> App {
        let Self { rooms, auth, clock } = self;
        let im = Im::new(im, rooms.clone(), auth.clone(), clock, http.request_timeout);
        App::new(rooms, auth, Arc::new(im), urls, clock, http)
    }
}
