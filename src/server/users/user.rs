//! One user in the file, and what a userSig of theirs is worth.

use serde::{Deserialize, Serialize};

use crate::config::server::UserRole;

/// A user that the operator added or revoked. Times are unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub role: UserRole,
    pub added: u64,
    /// A userSig that was signed earlier is void.
    #[serde(default)]
    pub valid_from: u64,
    /// The user gets in no more since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// End of the last userSig that the operator signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_until: Option<u64>,
}

/// Whether somebody with a genuine userSig gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good(UserRole),
    Revoked,
}

impl User {
    /// A user that is new now.
    #[must_use]
    pub fn new(role: UserRole, now: u64) -> Self {
        Self {
            role,
            added: now,
            valid_from: 0,
            revoked: None,
            signed_until: None,
        }
    }

    /// The worth of a userSig that was signed at `signed`.
    #[must_use]
    pub fn standing(&self, signed: u64) -> Standing {
        if self.revoked.is_some() || signed < self.valid_from {
            Standing::Revoked
        } else {
            Standing::Good(self.role)
        }
    }

    /// Voids everything that was ever signed for this user.
    pub fn revoke(&mut self, now: u64) {
        self.revoked.get_or_insert(now);
        self.valid_from = self.valid_from.max(now + 1);
        self.signed_until = None;
    }
}
