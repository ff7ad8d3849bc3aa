//! The server's side of TLS: certificate and key from files that may be renewed at any time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::fault::TlsFault;
use super::files::{CertificateError, Files, log_certificate};
use super::provider::provider;
use super::stamp::Stamp;

/// A client's connection with a session on it.
pub type AcceptedStream = tokio_rustls::server::TlsStream<TcpStream>;

/// Pause between two looks at the files.
const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// First byte of every handshake: the record type (RFC 8446, 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
/// Maximum size of rustls' write buffer, in bytes: a slow client's backlog belongs to the relay,
/// which counts it.
const WRITE_BUFFER: usize = 16 * 1024;

/// Reasons for which a client got no session.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The connection is given back, for an answer in plain text.
    #[error("it does not speak TLS")]
    Plain(TcpStream),
    #[error("no TLS handshake within {0:?}")]
    TooSlow(Duration),
    #[error("{0}")]
    Tls(TlsFault),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// TLS with one certificate, which may change. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    files: Arc<Files>,
    current: Arc<Current>,
    /// Stamps of the files when they were read last.
    seen: Arc<Mutex<[Stamp; 2]>>,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerTls").field(&self.files).finish()
    }
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// Pause between two lines in the log about the end of the certificate.
const DAY: Duration = Duration::from_secs(86_400);

impl ServerTls {
    /// Reads a chain and its private key, both PEM.
    ///
    /// # Errors
    /// Files that cannot be read, or do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let files = Files {
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(key),
        };
        let provider = provider();
        let seen = files.stamps();
        let certified = files.load(&provider)?;
        log_certificate(&certified);
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            files: Arc::new(files),
            current,
            seen: Arc::new(Mutex::new(seen)),
        })
    }

    /// Reads the files again. If the new ones are faulty, logs that and keeps the old certificate;
    /// connections that stand are not touched.
    pub fn reload(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = self.files.stamps();
        match self.files.load(self.acceptor.config().crypto_provider()) {
            Ok(certified) => {
                log_certificate(&certified);
                let mut current = self
                    .current
                    .0
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(certified);
            }
            Err(error) => log::error!("the old certificate is kept: {error}"),
        }
    }

    /// Reads the files again whenever they change, until `stop`.
    pub async fn watch(&self, stop: CancellationToken) {
        let look = async {
            let mut told = tokio::time::Instant::now();
            loop {
                tokio::time::sleep(LOOK_PAUSE).await;
                if told.elapsed() >= DAY {
                    told = tokio::time::Instant::now();
                    self.tell();
                }
                let tls = self.clone();
                // Files block, and the reason of a failure is in the log.
                let _ = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
            }
        };
        stop.run_until_cancelled(look).await;
    }

    /// Logs until when the certificate is valid.
    fn tell(&self) {
        let current = self.current.0.read();
        log_certificate(&current.unwrap_or_else(PoisonError::into_inner));
    }

    fn reload_if_changed(&self) {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.files.stamps() != seen {
            self.reload();
        }
    }

    /// Makes a session on a client's connection before `deadline`.
    ///
    /// # Errors
    /// The reason for which there is none. The connection of a client that speaks plain text is
    /// given back.
    pub async fn accept(
        &self,
        tcp: TcpStream,
        deadline: Duration,
    ) -> Result<AcceptedStream, AcceptError> {
        let handshake = async {
            let mut first = [0; 1];
            if tcp.peek(&mut first).await? == 0 {
                return Err(AcceptError::Tls(TlsFault::Closed));
            }
            if first[0] != HANDSHAKE_RECORD {
                return Err(AcceptError::Plain(tcp));
            }
            let limited = |session: &mut rustls::ServerConnection| {
                session.set_buffer_limit(Some(WRITE_BUFFER));
            };
            let accepted = self.acceptor.accept_with(tcp, limited).await;
            accepted.map_err(|error| AcceptError::Tls(TlsFault::of_io(&error)))
        };
        timeout(deadline, handshake)
            .await
            .map_err(|_| AcceptError::TooSlow(deadline))?
    }
}
