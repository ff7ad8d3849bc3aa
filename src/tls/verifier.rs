//! Judges a server's certificate: by its chain, its time, its name and, if keys are pinned, by
//! those. Every refusal has a name of its own.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::fault::TlsFault;
use super::name;
use super::trust::{Pin, Trust};

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) trust: Trust,
    /// Keys of which one must be in the chain; empty: any chain will do.
    pub(super) pins: Vec<Pin>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Judges whether the owner of `leaf` may be taken for `name` at `now`.
    pub(super) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), TlsFault> {
        let leaf = EndEntityCert::try_from(leaf).map_err(|error| unusable(&error))?;
        if self.trust.insecure {
            let key = leaf.subject_public_key_info();
            return self.pinned([Pin::of(key.as_ref())].into_iter());
        }
        let anchors = self.trust.anchors();
        if anchors.is_empty() {
            return Err(TlsFault::NoCa);
        }
        let usage = KeyUsage::server_auth();
        let algorithms = self.algorithms.all;
        let path = leaf
            .verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None)
            .map_err(|error| fault(&error, &leaf))?;
        leaf.verify_is_valid_for_subject_name(name)
            .map_err(|error| fault(&error, &leaf))?;
        self.pinned(keys(&path))
    }

    fn pinned(&self, mut keys: impl Iterator<Item = Pin>) -> Result<(), TlsFault> {
        if self.pins.is_empty() || keys.any(|key| self.pins.contains(&key)) {
            return Ok(());
        }
        Err(TlsFault::NotPinned)
    }
}

/// Lists the keys of a chain that was verified. Other certificates of a peer prove nothing.
fn keys(path: &VerifiedPath<'_>) -> impl Iterator<Item = Pin> {
    let leaf = path.end_entity().subject_public_key_info();
    let anchor = sequence(path.anchor().subject_public_key_info.as_ref());
    let between = path
        .intermediate_certificates()
        .map(|cert| Pin::of(cert.subject_public_key_info().as_ref()));
    [Pin::of(leaf.as_ref())]
        .into_iter()
        .chain(between)
        .chain([Pin::of(&anchor)])
        .collect::<Vec<_>>()
        .into_iter()
}

/// Wraps content into a DER sequence.
fn sequence(content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let length = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..];
    let mut der = vec![0x30];
    if content.len() >= 0x80 {
        der.push(0x80 | length.len() as u8);
    }
    der.extend_from_slice(length);
    der.extend_from_slice(content);
    der
}

fn unusable(error: &webpki::Error) -> TlsFault {
    TlsFault::Certificate(error.to_string())
}

fn fault(error: &webpki::Error, leaf: &EndEntityCert<'_>) -> TlsFault {
    let signs_itself = leaf.issuer() == leaf.subject();
    match error {
        webpki::Error::CertExpired { time, not_after } => TlsFault::Expired {
            until: *not_after,
            now: *time,
        },
        webpki::Error::CertNotValidYet { time, not_before } => TlsFault::NotYetValid {
            from: *not_before,
            now: *time,
        },
        webpki::Error::CertNotValidForName(names) => TlsFault::WrongName {
            wanted: names.expected.to_str().into_owned(),
            presented: names.presented.clone(),
        },
        // openssl makes self-signed certificates those of a CA.
        webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity if signs_itself => {
            TlsFault::SelfSigned
        }
        webpki::Error::UnknownIssuer => TlsFault::UnknownCa(common_name(leaf.issuer())),
        other => unusable(other),
    }
}

/// Finds the common name in a distinguished name (DER), as far as it can be shown.
fn common_name(subject: &[u8]) -> Option<String> {
    const OID: [u8; 5] = [6, 3, 0x55, 4, 3];
    let at = subject
        .windows(OID.len())
        .position(|window| window == OID)?
        + OID.len();
    let length = usize::from(*subject.get(at + 1)?);
    let text = subject.get(at + 2..at + 2 + length)?;
    Some(name::shown(&String::from_utf8_lossy(text)))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity, intermediates, server_name, now)
            .map(|()| ServerCertVerified::assertion())
            .map_err(|fault| CertificateError::Other(OtherError(std::sync::Arc::new(fault))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_is_found_and_tamed() {
        let der = [
            0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x0c, 4, b'E', 7, b'v', b'l',
        ];
        assert_eq!(common_name(&der).as_deref(), Some("Evl"));
        assert_eq!(common_name(&der[..12]), None);
        assert_eq!(common_name(&[]), None);
    }

    #[test]
    fn sequences_have_short_and_long_lengths() {
        assert_eq!(sequence(&[1, 2]), [0x30, 2, 1, 2]);
        assert_eq!(sequence(&[7; 0x80])[..3], [0x30, 0x81, 0x80]);
        assert_eq!(sequence(&[7; 294])[..4], [0x30, 0x82, 1, 38]);
    }
}
