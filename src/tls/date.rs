//! Moments in words, and the time in which a certificate is valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

/// Writes a moment as `2026-11-25T22:45:00Z`.
pub(super) fn words(at: UnixTime) -> String {
    let second = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(second).map_or_else(
        |_| format!("{second} s after 1970"),
        |time| time.to_string(),
    )
}

pub(super) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or_default())
}

/// A moment after the end of every real certificate: 2^40 s, in the year 36812.
const FAR_FUTURE: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));

/// Finds the last moment at which a certificate is valid. webpki tells it only of an expired one,
/// so it is asked about a far future.
pub(super) fn valid_until(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let leaf = EndEntityCert::try_from(certificate).ok()?;
    let judged = leaf.verify_for_usage(
        &[],
        &[],
        &[],
        FAR_FUTURE,
        KeyUsage::server_auth(),
        None,
        None,
    );
    match judged {
        Err(Error::CertExpired { not_after, .. }) => Some(not_after),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_readable() {
        let at = |seconds| words(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(1_764_110_700), "2025-11-25T22:45:00Z");
        assert_eq!(at(u64::MAX), format!("{} s after 1970", i64::MAX));
    }
}
