//! Which certificates are trusted: those of the system, those of a file, and pinned keys.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};

/// SHA-256 of a public key (SubjectPublicKeyInfo), as in RFC 7469.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256/{}", STANDARD.encode(self.0))
    }
}

impl Pin {
    /// Of a public key in DER.
    pub(super) fn of(public_key: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, public_key);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        Self(hash)
    }
}

/// What a configuration says about trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSettings {
    /// CA certificates (PEM) that are trusted beside those of the system, or in their place.
    pub ca_file: Option<PathBuf>,
    /// Whether the system's CA certificates are trusted.
    pub system: bool,
    /// Accepts every certificate; pinned keys are still asked for.
    pub insecure: bool,
}

impl Default for TrustSettings {
    fn default() -> Self {
        Self {
            ca_file: None,
            system: true,
            insecure: false,
        }
    }
}

/// Why the configured trust cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the CA certificates in {} cannot be read: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{} holds no -----BEGIN CERTIFICATE-----", .0.display())]
    Empty(PathBuf),
    #[error("{}: a certificate in it cannot be used as a CA's: {reason}", path.display())]
    NotACa { path: PathBuf, reason: String },
}

/// The certificates that every connection is judged by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust {
    pub(super) anchors: Arc<Vec<TrustAnchor<'static>>>,
    pub(super) insecure: bool,
}

impl Trust {
    /// Reads the certificates. A system without any is no error: that shows when one is needed.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no certificate.
    pub fn load(settings: &TrustSettings) -> Result<Self, TrustError> {
        let mut anchors = Vec::new();
        if settings.system {
            anchors.extend(system().iter().cloned());
        }
        if let Some(path) = &settings.ca_file {
            anchors.extend(from_file(path)?);
        }
        Ok(Self {
            anchors: Arc::new(anchors),
            insecure: settings.insecure,
        })
    }

    /// The system's certificates alone.
    #[must_use]
    pub fn system() -> Self {
        Self {
            anchors: Arc::clone(system()),
            insecure: false,
        }
    }
}

/// The system's store, read once.
fn system() -> &'static Arc<Vec<TrustAnchor<'static>>> {
    static STORE: OnceLock<Arc<Vec<TrustAnchor<'static>>>> = OnceLock::new();
    STORE.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::debug!(error:%; "the system's CA certificates");
        }
        // One that is of no use to us is no reason to do without the others.
        let anchors = found.certs.iter().filter_map(|der| anchor(der).ok());
        Arc::new(anchors.collect())
    })
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
