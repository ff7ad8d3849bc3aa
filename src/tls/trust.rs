//! The certificates that are trusted: those of the system, those of a file that may be changed at
//! any time, and pinned keys.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::stamp::{Stamp, stamp};

/// SHA-256 of a public key (SubjectPublicKeyInfo), as in RFC 7469.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256/{}", STANDARD.encode(self.0))
    }
}

impl Pin {
    /// Makes the pin of a public key in DER.
    pub(super) fn of(public_key: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, public_key);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        Self(hash)
    }
}

/// The trust that a configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSettings {
    /// CA certificates (PEM) that are trusted beside those of the system, or in their place.
    pub ca_file: Option<PathBuf>,
    /// The same as text, which does not change.
    pub ca: Option<String>,
    /// Whether the system's CA certificates are trusted.
    pub system: bool,
    /// Whether every certificate is accepted; pinned keys are still asked for.
    pub insecure: bool,
}

impl Default for TrustSettings {
    fn default() -> Self {
        Self {
            ca_file: None,
            ca: None,
            system: true,
            insecure: false,
        }
    }
}

/// Reasons for which the configured trust cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("tls.ca_file = \"{}\" cannot be read: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("tls.ca_file = \"{}\" holds no -----BEGIN CERTIFICATE-----", .0.display())]
    Empty(PathBuf),
    #[error("tls.ca: {0}")]
    Text(String),
    #[error("tls.ca_file = \"{}\": a certificate in it cannot be used as a CA's: {reason}", path.display())]
    NotACa { path: PathBuf, reason: String },
}

type Anchors = Arc<Vec<TrustAnchor<'static>>>;

/// The certificates that every connection is judged by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The certificates that no file changes.
    fixed: Anchors,
    file: Option<Arc<CaFile>>,
    pub(super) insecure: bool,
}

impl Trust {
    /// Reads the certificates. A system without any is not an error yet: it shows when one is
    /// needed.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no certificate.
    pub fn load(settings: &TrustSettings) -> Result<Self, TrustError> {
        let mut fixed = match settings.system {
            true => Arc::clone(system()),
            false => Anchors::default(),
        };
        if let Some(text) = &settings.ca {
            Arc::make_mut(&mut fixed).extend(from_text(text)?);
        }
        let file = settings.ca_file.as_deref();
        let file = file.map(|path| CaFile::read(path, &fixed)).transpose()?;
        Ok(Self {
            fixed,
            file: file.map(Arc::new),
            insecure: settings.insecure,
        })
    }

    /// Trusts the system's certificates alone.
    #[must_use]
    pub fn system() -> Self {
        Self {
            fixed: Arc::clone(system()),
            file: None,
            insecure: false,
        }
    }

    /// Returns the certificates that are trusted at this moment.
    pub(super) fn anchors(&self) -> Anchors {
        match &self.file {
            Some(file) => file.anchors(&self.fixed),
            None => Arc::clone(&self.fixed),
        }
    }
}

/// A file of CA certificates, read again when it was changed.
#[derive(Debug)]
struct CaFile {
    path: PathBuf,
    /// The file's stamp when it was read last, and all that is trusted since then.
    last: Mutex<(Stamp, Anchors)>,
}

impl CaFile {
    fn read(path: &Path, fixed: &Anchors) -> Result<Self, TrustError> {
        let seen = stamp(path);
        let anchors = with_file(path, fixed)?;
        Ok(Self {
            path: path.to_owned(),
            last: Mutex::new((seen, anchors)),
        })
    }

    /// Looks at the file, which takes some microseconds; a connection costs milliseconds. If a
    /// new file is faulty, logs that and keeps the old certificates.
    fn anchors(&self, fixed: &Anchors) -> Anchors {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.path);
        if now != last.0 {
            last.0 = now;
            match with_file(&self.path, fixed) {
                Ok(anchors) => {
                    let path = self.path.display();
                    log::info!("tls.ca_file = \"{path}\" has changed and was read again");
                    last.1 = anchors;
                }
                Err(error) => log::error!("the old CA certificates are kept: {error}"),
            }
        }
        Arc::clone(&last.1)
    }
}

fn with_file(path: &Path, fixed: &Anchors) -> Result<Anchors, TrustError> {
    let mut anchors = Vec::clone(fixed);
    anchors.extend(from_file(path)?);
    Ok(Arc::new(anchors))
}

/// Returns the system's store, which is read once.
fn system() -> &'static Anchors {
    static STORE: OnceLock<Anchors> = OnceLock::new();
    STORE.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::debug!(error:%; "the system's CA certificates");
        }
        // A certificate that cannot be used is no reason to do without the others.
        let anchors = found.certs.iter().filter_map(|der| anchor(der).ok());
        Arc::new(anchors.collect())
    })
}

fn from_text(text: &str) -> Result<Vec<TrustAnchor<'static>>, TrustError> {
    let ders = CertificateDer::pem_slice_iter(text.as_bytes());
    let anchors = ders.map(|der| {
        let der = der.map_err(|error| TrustError::Text(error.to_string()))?;
        anchor(&der).map_err(|error| TrustError::Text(error.to_string()))
    });
    anchors.collect()
}

fn from_file(path: &Path) -> Result<Vec<TrustAnchor<'static>>, TrustError> {
    let unreadable = |reason: String| TrustError::File {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let mut anchors = Vec::new();
    for der in CertificateDer::pem_slice_iter(&text) {
        let der = der.map_err(|error| unreadable(error.to_string()))?;
        anchors.push(anchor(&der).map_err(|error| TrustError::NotACa {
            path: path.to_owned(),
            reason: error.to_string(),
        })?);
    }
    if anchors.is_empty() {
        return Err(TrustError::Empty(path.to_owned()));
    }
    Ok(anchors)
}

fn anchor(der: &CertificateDer<'_>) -> Result<TrustAnchor<'static>, webpki::Error> {
    webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned())
}
