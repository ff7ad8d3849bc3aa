//! `[tls]`, and the listeners that speak it.

use std::path::PathBuf;

use crate::config::document::Section;
use crate::config::rules;

/// `[tls]`: files in PEM, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain, with the server's certificate first.
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

impl Tls {
    pub(super) fn read(tls: &Section<'_>) -> Option<Self> {
        let certificate_file = tls.optional("certificate_file", rules::path);
        let key_file = tls.optional("key_file", rules::path);
        let both = ["certificate_file", "key_file"];
        tls.require(&both, &both);
        Some(Self {
            certificate_file: certificate_file?,
            key_file: key_file?,
        })
    }
}

/// Reads `tls` of a listener: on if there is a certificate, unless it is switched off.
pub(super) fn speaks_tls(listener: &Section<'_>, has_certificate: bool) -> bool {
    let wanted = listener.optional("tls", rules::flag);
    if wanted == Some(true) && !has_certificate {
        listener.reject("tls", "needs tls.certificate_file and tls.key_file as well");
    }
    has_certificate && wanted.unwrap_or(true)
}
