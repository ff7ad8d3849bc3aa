//! A private CA, and a server certificate that it signs.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

/// Days for which the CA is valid: the life of a kiosk.
const CA_DAYS: i64 = 3650;

/// Days for which the server's certificate is valid: what browsers accept at most.
const SERVER_DAYS: i64 = 397;

/// Days before now from which on both are valid, for clocks that are behind.
const BEFORE_DAYS: i64 = 1;

/// Certificates and keys in PEM.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) ca: String,
    pub(super) ca_key: String,
    pub(super) server: Server,
}

/// A server's certificate with its key, in PEM.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Makes a CA, and a certificate for a host name or IP address.
pub(super) fn make(host: &str) -> Result<Made> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let ca_key = key.serialize_pem();
    let ca = authority(host)?.self_signed(&key)?.pem();
    Ok(Made {
        server: server(host, &ca_key)?,
        ca,
        ca_key,
    })
}

/// Makes a certificate for a host by the CA that was made for it, whose key this is.
pub(super) fn server(host: &str, ca_key: &str) -> Result<Server> {
    let issuer = KeyPair::from_pem(ca_key).context("the CA's key")?;
    let issuer = Issuer::new(authority(host)?, issuer);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(vec![host.to_owned()])
        .with_context(|| format!("{host} cannot stand in a certificate"))?;
    params.distinguished_name = named(host);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid_for(&mut params, SERVER_DAYS)?;
    Ok(Server {
        certificate: params.signed_by(&key, &issuer)?.pem(),
        key: key.serialize_pem(),
    })
}

/// The CA of a host: the same each time but for its days.
fn authority(host: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("rtckiosk CA of {host}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, CA_DAYS)?;
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn valid_for(params: &mut CertificateParams, days: i64) -> Result<()> {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let day = |offset: i64| -> Result<_> {
        let day = today.checked_add(jiff::Span::new().try_days(offset)?)?;
        let [month, day_of_month] = [day.month(), day.day()].map(u8::try_from);
        Ok(date_time_ymd(day.year().into(), month?, day_of_month?))
    };
    params.not_before = day(-BEFORE_DAYS)?;
    params.not_after = day(days)?;
    Ok(())
}
