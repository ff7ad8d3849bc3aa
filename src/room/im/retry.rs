//! Pauses between tries on the message channel.

use std::time::Duration;

use crate::process::backoff::Backoff;

/// First pause: the official client's.
const MINIMUM: Duration = Duration::from_millis(100);
/// Longest pause: the official client's.
pub(super) const MAXIMUM: Duration = Duration::from_secs(5);

/// The official client's pauses.
pub(super) fn backoff() -> Backoff {
    Backoff::endless(MINIMUM * 2, MAXIMUM)
}

/// Pauses that grow up to `maximum`, for what is not expected to come back soon.
pub(super) fn slow_backoff(maximum: Duration) -> Backoff {
    Backoff::endless(MINIMUM * 10, maximum)
}
