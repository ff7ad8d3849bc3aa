//! The certificate and the private key of a server, from their files.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::date;
use super::stamp::{Stamp, stamp};

/// Days before its end from which a certificate is warned about.
const SOON: u64 = 14;

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{key} = \"{}\": {reason}", path.display())]
    File {
        /// The configuration's.
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

/// Where certificate and key stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The chain (PEM), the server's own first.
    pub(super) certificate: PathBuf,
    /// Its private key (PEM).
    pub(super) key: PathBuf,
}

impl Files {
    /// Changes when one of the files does.
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

/// A key that others can read is no secret.
fn warn_about_mode(path: &Path) {
    let Ok(facts) = std::fs::metadata(path) else {
        return;
    };
    let mode = facts.mode() & 0o777;
    if mode & 0o027 != 0 {
        log::warn!(
            "tls.key_file = \"{}\": its mode {mode:03o} lets others at the private key; make it 600 or 640",
            path.display()
        );
    }
}

/// Says for whom a certificate is and how long, and warns when that is not long.
pub(super) fn tell(certified: &CertifiedKey) {
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
    } else if until.as_secs() - now.as_secs() < SOON * 86_400 {
        log::warn!(names; "the certificate expires soon, at {end}");
    } else {
        log::info!(names; "certificate loaded, valid until {end}");
    }
}
