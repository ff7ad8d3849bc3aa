//! Ways into what is read of foreign certificates, for fuzz targets and property tests. No part of
//! the product.

use std::sync::LazyLock;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};

use super::date;
use super::provider::provider;
use super::trust::{Trust, TrustSettings};
use super::verifier::Verifier;

/// Longest sentence about a certificate that is shown, bytes: our choice.
const MAX_WORDS: usize = 1024;

/// A CA that is trusted, and whoever judges by it.
struct House {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
    verifier: Verifier,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let key = || KeyPair::generate().expect("the system has random numbers");
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = key();
    let ca = params.self_signed(&ca_key).expect("a certificate of a CA");
    let settings = TrustSettings {
        ca: Some(ca.pem()),
        system: false,
        ..TrustSettings::default()
    };
    House {
        issuer: Issuer::new(params, ca_key),
        key: key(),
        verifier: Verifier {
            trust: Trust::load(&settings).expect("the CA is good"),
            pins: Vec::new(),
            algorithms: provider().signature_verification_algorithms,
        },
    }
});

/// A server's certificate: the bytes themselves, and one of a trusted CA with the lines as names.
/// Whatever is said about it is short, of one line, and nothing that a terminal obeys.
pub fn certificate(input: &[u8]) {
    judge(&CertificateDer::from(input));
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines().take(200);
    let mut params = CertificateParams::default();
    let name = lines.next().unwrap_or_default();
    params.distinguished_name.push(DnType::CommonName, name);
    let names = lines.filter_map(|line| line.try_into().ok());
    params.subject_alt_names = names.map(rcgen::SanType::DnsName).collect();
    let house = &*HOUSE;
    let made = [
        params.signed_by(&house.key, &house.issuer),
        params.self_signed(&house.key),
    ];
    for certificate in made.iter().flatten() {
        judge(certificate.der());
    }
}

fn judge(leaf: &CertificateDer<'_>) {
    let wanted = ServerName::try_from("kiosks.example").expect("a name");
    if let Err(fault) = HOUSE.verifier.judge(leaf, &[], &wanted, date::now()) {
        let words = fault.to_string();
        assert!(words.len() <= MAX_WORDS, "{} bytes", words.len());
        assert!(!words.chars().any(char::is_control), "{words:?}");
    }
    let _ = date::valid_until(leaf);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_certificate_does_harm(
            names in prop::collection::vec("\\PC{0,100}|[\\x00-\\x7f]{0,40}|[a-z.*-]{1,300}", 0..6),
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            certificate(names.join("\n").as_bytes());
            certificate(&noise);
        }
    }

    #[test]
    fn a_good_certificate_is_told_apart() {
        let house = &*HOUSE;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![rcgen::SanType::DnsName(
            "kiosks.example".try_into().unwrap(),
        )];
        let made = params.signed_by(&house.key, &house.issuer).unwrap();
        let wanted = ServerName::try_from("kiosks.example").unwrap();
        assert_eq!(
            house.verifier.judge(made.der(), &[], &wanted, date::now()),
            Ok(())
        );
    }
}
