//! The users as the running server sees them: the file, followed as it changes, and the roles that
//! beginnings of user ids tell.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use super::file::{Users, UsersError};
use super::user::Standing;
use crate::config::server::{Prefixes, UserRole};
use crate::tls::{Stamp, stamp};

/// All that is known about users.
#[derive(Debug, Default)]
pub struct Directory {
    path: Option<PathBuf>,
    prefixes: Prefixes,
    users: RwLock<Users>,
    /// The file that was read last.
    seen: Mutex<Stamp>,
}

impl Directory {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub(in crate::server) fn open(
        path: Option<PathBuf>,
        prefixes: Prefixes,
    ) -> Result<Self, UsersError> {
        let seen = path.as_deref().and_then(stamp);
        let users = path.as_deref().map(Users::load).transpose()?;
        Ok(Self {
            path,
            prefixes,
            users: RwLock::new(users.unwrap_or_default()),
            seen: Mutex::new(seen),
        })
    }

    /// Whether a user gets in with a userSig that was signed at `signed` (unix seconds).
    pub(in crate::server) fn standing(&self, user: &str, signed: u64) -> Standing {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        match users.get(user) {
            Some(user) => user.standing(signed),
            None => Standing::Good(self.prefixes.role(user)),
        }
    }

    /// Whether the operator added this user, so that this server signs for them.
    pub(in crate::server) fn signs_for(&self, user: &str) -> bool {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(user).is_some_and(|user| user.revoked.is_none())
    }

    /// The role that a user has now.
    pub(in crate::server) fn role(&self, user: &str) -> UserRole {
        match self.standing(user, u64::MAX) {
            Standing::Good(role) => role,
            Standing::Revoked => UserRole::Plain,
        }
    }

    /// Reads the file again if it changed; `true` if there are other users now. A file that is
    /// wrong is reported, and the users stay as they were.
    pub(in crate::server) fn look(&self) -> bool {
        let Some(path) = &self.path else {
            return false;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(path);
        if *seen == now {
            return false;
        }
        *seen = now;
        if now.is_none() {
            log::error!(path:? = path; "the users file is gone; the users stay as they were");
            return false;
        }
        self.read(path)
    }

    fn read(&self, path: &Path) -> bool {
        match Users::load(path) {
            Ok(users) => {
                log::info!(path:? = path; "read the users file again");
                *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
                true
            }
            Err(error) => {
                log::error!("{error}; the users stay as they were");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_counts_and_a_wrong_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        let prefixes = Prefixes {
            agent: vec!["teller-".into()],
            ..Prefixes::default()
        };
        let directory = Directory::open(Some(path.clone()), prefixes).unwrap();
        let teller = || directory.standing("teller-1", 150);
        assert_eq!(teller(), Standing::Good(UserRole::Agent));
        assert!(!directory.signs_for("teller-1"));
        let mut users = Users::default();
        users.revoke("teller-1", UserRole::Agent, 200);
        users.save(&path).unwrap();
        assert!(directory.look());
        assert!(!directory.look());
        assert_eq!(teller(), Standing::Revoked);
        std::fs::write(&path, "rubbish").unwrap();
        assert!(!directory.look());
        assert_eq!(teller(), Standing::Revoked);
    }
}
