//! Connections to servers, with certificates verified.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, CommonState};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connect_error::{ConnectError, bare};
use super::date;
use super::dialer::Dialer;
use super::fault::TlsFault;
use super::provider::provider;
use super::trust::{Pin, Trust};
use super::verifier::Verifier;

/// A connection with a session on it.
pub type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Limit for the handshake (our choice).
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The rules for connections to one kind of server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
    dialer: Dialer,
}

impl Trust {
    /// Sets up connections to servers with one of the keys `pins` in their chain; with any
    /// trusted chain if `pins` is empty.
    #[must_use]
    pub fn client(&self, pins: &[Pin]) -> ClientTls {
        let provider = provider();
        let verifier = Arc::new(Verifier {
            trust: self.clone(),
            pins: pins.to_vec(),
            algorithms: provider.signature_verification_algorithms,
        });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has ciphers for TLS 1.3 and 1.2")
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        ClientTls {
            config: Arc::new(config),
            verifier,
            dialer: Dialer::default(),
        }
    }
}

/// Trusts the system's certificates.
impl Default for ClientTls {
    fn default() -> Self {
        Trust::system().client(&[])
    }
}

impl ClientTls {
    /// Connects by this dialer from now on; by a direct one of its own if never told.
    #[must_use]
    pub fn by(mut self, dialer: &Dialer) -> Self {
        self.dialer = dialer.clone();
        self
    }

    /// The way to servers, for connections without TLS.
    #[must_use]
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Whether certificates are not looked at.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.verifier.trust.insecure
    }

    /// Connects, or gives up within 15 s, through a proxy within 25 s; mostly in far less.
    ///
    /// # Errors
    /// The hop that failed, with the reason.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TlsStream, ConnectError> {
        let tcp = self.dialer.connect(host, port).await?;
        self.secure(tcp, host, port).await
    }

    /// Makes a TLS session with the server at the other end of a connection.
    ///
    /// # Errors
    /// A server that does not prove its identity, or does not speak TLS within 5 s.
    pub async fn secure(
        &self,
        tcp: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TlsStream, ConnectError> {
        let tls = |fault| ConnectError::Tls {
            host: host.to_owned(),
            port,
            fault,
        };
        let name = ServerName::try_from(bare(host).to_owned()).map_err(|_| {
            tls(TlsFault::Certificate(
                "the host's name is not valid".to_owned(),
            ))
        })?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        match timeout(HANDSHAKE, connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(tls(TlsFault::of_io(&error))),
            Err(_) => Err(tls(TlsFault::NoAnswer(HANDSHAKE))),
        }
    }
}

/// Describes what was agreed on: `TLSv1_3, TLS13_AES_256_GCM_SHA384, X25519`.
#[must_use]
pub fn describe(session: &CommonState) -> String {
    let version = session
        .protocol_version()
        .map(|version| format!("{version:?}"));
    let suite = session
        .negotiated_cipher_suite()
        .map(|suite| format!("{:?}", suite.suite()));
    let group = session
        .negotiated_key_exchange_group()
        .map(|group| format!("{:?}", group.name()));
    let parts: Vec<_> = [version, suite, group].into_iter().flatten().collect();
    parts.join(", ")
}

/// Returns the end of the peer's certificate, and the days until then.
#[must_use]
pub fn certificate_end(session: &CommonState) -> Option<(String, u64)> {
    let until = date::valid_until(session.peer_certificates()?.first()?)?;
    let left = until.as_secs().saturating_sub(date::now().as_secs());
    Some((date::words(until), left / 86_400))
}
