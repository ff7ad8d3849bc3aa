//! The time of the wall clock, which userSigs and messages carry.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds; 0 on a board whose clock stands before 1970.
pub(super) fn unix_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
