//! The certificate and the private key of a server, from their files.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::date;
use super::stamp::{Stamp, stamp};

/// Days before a certificate's end from which on it is warned about.
pub const SOON_DAYS: u64 = 30;

/// Reasons for which a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{key} = \"{}\": {reason}", path.display())]
    File {
        /// The key in the configuration.
        key: &'static str,
        path: PathBuf,
        reason: String,
    },
    #[error("tls.key_file = \"{}\" does not belong to the first certificate in tls.certificate_file = \"{}\"",
        key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The files of certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The chain (PEM), with the server's certificate first.
    pub(super) certificate: PathBuf,
    /// Its private key (PEM).
    pub(super) key: PathBuf,
}

impl Files {
    /// Returns stamps that change when one of the files does.
    pub(super) fn stamps(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|path| stamp(path))
    }

    pub(super) fn load(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
        let chain = chain(&self.certificate)?;
        let wrong = |reason: String| CertificateError::File {
            key: "tls.key_file",
            path: self.key.clone(),
            reason,
        };
        let text = std::fs::read(&self.key).map_err(|error| wrong(error.to_string()))?;
        warn_about_mode(&self.key);
        let der = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| wrong("holds no private key (PEM)".to_owned()))?;
        let key = provider
            .key_provider
            .load_private_key(der)
            .map_err(|error| wrong(error.to_string()))?;
        let certified = CertifiedKey::new(chain, key);
        if certified.keys_match().is_err() {
            return Err(CertificateError::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            });
        }
        Ok(certified)
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let wrong = |reason: String| CertificateError::File {
        key: "tls.certificate_file",
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    let Some(leaf) = chain.first() else {
        return Err(wrong("holds no -----BEGIN CERTIFICATE-----".to_owned()));
    };
    EndEntityCert::try_from(leaf)
        .map_err(|error| wrong(format!("its first certificate cannot be used: {error}")))?;
    Ok(chain)
}

/// The names and the end of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// DNS names; IP addresses are not listed.
    pub names: Vec<String>,
    /// Unix seconds of the last moment at which it is valid.
    pub ends: u64,
    /// The same moment in words.
    pub end: String,
    leaf: CertificateDer<'static>,
}

impl CertificateFacts {
    /// Reads the first certificate in a file (PEM).
    ///
    /// # Errors
    /// A file that cannot be read, or holds no certificate.
    pub fn read(path: &Path) -> Result<Self, CertificateError> {
        let chain = chain(path)?;
        let leaf = chain.into_iter().next();
        let facts = leaf.and_then(|leaf| {
            let until = date::valid_until(&leaf)?;
            let names = EndEntityCert::try_from(&leaf).ok()?;
            let names = names.valid_dns_names().map(str::to_owned).collect();
            Some(Self {
                names,
                ends: until.as_secs(),
                end: date::words(until),
                leaf,
            })
        });
        facts.ok_or_else(|| CertificateError::File {
            key: "tls.certificate_file",
            path: path.to_owned(),
            reason: "does not say until when it is valid".to_owned(),
        })
    }

    /// Whether the certificate is for a host name or IP address.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let name = ServerName::try_from(host.trim_matches(['[', ']']));
        let leaf = EndEntityCert::try_from(&self.leaf);
        matches!((name, leaf), (Ok(name), Ok(leaf)) if leaf.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

/// Warns about a private key that other users can read.
fn warn_about_mode(path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else {
        return;
    };
    let mode = metadata.mode() & 0o777;
    if mode & 0o027 != 0 {
        log::warn!(
            "tls.key_file = \"{}\": with mode {mode:03o} other users can read the private key; make it 600 or 640",
            path.display()
        );
    }
}

/// Logs the names and the end of a certificate, with a warning if that is near.
pub(super) fn log_certificate(certified: &CertifiedKey) {
    let Some(leaf) = certified.cert.first() else {
        return;
    };
    let names: Vec<String> = EndEntityCert::try_from(leaf)
        .map(|leaf| leaf.valid_dns_names().map(str::to_owned).collect())
        .unwrap_or_default();
    let names = names.join(", ");
    let Some(until) = date::valid_until(leaf) else {
        return log::info!(names; "certificate loaded");
    };
    let (end, now) = (date::words(until), date::now());
    if until.as_secs() <= now.as_secs() {
        log::error!(names; "the certificate expired at {end}: clients refuse it");
    } else if until.as_secs() - now.as_secs() < SOON_DAYS * 86_400 {
        log::warn!(names; "the certificate expires soon, at {end}");
    } else {
        log::info!(names; "certificate loaded, valid until {end}");
    }
}
