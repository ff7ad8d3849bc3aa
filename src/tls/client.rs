//! Connections to servers, with certificates verified.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, CommonState};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::date;
use super::fault::TlsFault;
use super::provider::provider;
use super::trust::{Pin, Trust};
use super::verifier::Verifier;

/// A connection with a session on it.
pub type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Limit for the name, and for the handshake.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for each address of a name.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of addresses that are tried.
const MAX_ADDRESSES: usize = 4;

/// Reasons for which there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the name {host} cannot be resolved: {source}")]
    Dns { host: String, source: io::Error },
    #[error("cannot connect to {host}:{port}: {source}")]
    Unreachable {
        host: String,
        port: u16,
        source: io::Error,
    },
    #[error("no TLS session with {host}:{port}: {fault}")]
    Tls {
        host: String,
        port: u16,
        fault: TlsFault,
    },
}

/// The rules for connections to one kind of server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
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
    /// Returns the rules for an HTTP client.
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }

    /// Whether certificates are not looked at.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.verifier.trust.insecure
    }

    /// Connects, or gives up within 22 s, mostly far less: 5 s each for the name and the
    /// handshake, 3 s for each of at most four addresses.
    ///
    /// # Errors
    /// The step that failed, with the reason.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TlsStream, ConnectError> {
        let tcp = tcp(host, port).await?;
        let tls = |fault| ConnectError::Tls {
            host: host.to_owned(),
            port,
            fault,
        };
        // The brackets of an IPv6 address belong to the URL.
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(bare).map_err(|_| {
            tls(TlsFault::Certificate(
                "the host's name is not valid".to_owned(),
            ))
        })?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        match timeout(STEP_TIMEOUT, connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(tls(TlsFault::of_io(&error))),
            Err(_) => Err(tls(TlsFault::NoAnswer(STEP_TIMEOUT))),
        }
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let dns = |source| ConnectError::Dns {
        host: host.to_owned(),
        source,
    };
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let found = timeout(
        STEP_TIMEOUT,
        tokio::net::lookup_host((host.trim_matches(['[', ']']), port)),
    )
    .await
    .map_err(|_| dns(late()))?;
    let mut last = late();
    for address in found.map_err(dns)?.take(MAX_ADDRESSES) {
        match timeout(ADDRESS_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // RTMP's acknowledgements must not wait for more to send.
                if let Err(error) = stream.set_nodelay(true) {
                    log::debug!(error:%; "TCP_NODELAY cannot be set");
                }
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = late(),
        }
    }
    Err(ConnectError::Unreachable {
        host: host.to_owned(),
        port,
        source: last,
    })
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
