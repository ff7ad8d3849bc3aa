//! All users as one file of JSON, written whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::user::User;
use crate::config::server::UserRole;
use crate::process::private_file;

/// The form of the file that this program writes.
const VERSION: u32 = 1;

/// Largest file in bytes: a hundred thousand users have about fifteen million.
const MAX_BYTES: u64 = 64 << 20;

/// Longest user id in bytes.
const MAX_ID: usize = 128;

/// Reasons for which the users cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    #[error("cannot read the users file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write the users file {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the users file {path} has more than {MAX_BYTES} bytes")]
    TooLong { path: PathBuf },
    #[error("the users file {path} is wrong: {reason}")]
    Wrong { path: PathBuf, reason: String },
}

/// Users by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users(BTreeMap<String, User>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    users: BTreeMap<String, User>,
}

impl Users {
    /// Reads the file; no file means no users.
    ///
    /// # Errors
    /// The file cannot be read, or is not what this program writes.
    pub fn load(path: &Path) -> Result<Self, UsersError> {
        let error = |source| UsersError::Read {
            path: path.to_owned(),
            source,
        };
        let data = match std::fs::metadata(path) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(error(source)),
        };
        if data.len() > MAX_BYTES {
            let path = path.to_owned();
            return Err(UsersError::TooLong { path });
        }
        let text = std::fs::read_to_string(path).map_err(error)?;
        Self::parse(&text).map_err(|reason| UsersError::Wrong {
            path: path.to_owned(),
            reason,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.version != VERSION {
            return Err(format!(
                "version is {}, this program reads {VERSION}",
                document.version
            ));
        }
        match document.users.keys().find(|id| !is_user_id(id)) {
            Some(id) => Err(format!("{id:?} is no user id")),
            None => Ok(Self(document.users)),
        }
    }

    /// Keeps all users in the file, which only its owner can read.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), UsersError> {
        let error = |source| UsersError::Write {
            path: path.to_owned(),
            source,
        };
        let text = self.text().map_err(|source| error(source.into()))?;
        private_file::write(path, &text).map_err(error)
    }

    /// The text of the file.
    pub(in crate::server) fn text(&self) -> serde_json::Result<String> {
        let document = Document {
            version: VERSION,
            users: self.0.clone(),
        };
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<&User> {
        self.0.get(id)
    }

    #[must_use]
    pub fn get_mut(&mut self, id: &str) -> Option<&mut User> {
        self.0.get_mut(id)
    }

    /// All users, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.0.iter().map(|(id, user)| (id.as_str(), user))
    }

    /// Lets a user in with a role, also one that was revoked: what was signed before stays void.
    pub fn add(&mut self, id: &str, role: UserRole, now: u64) -> &mut User {
        let user = self.0.entry(id.to_owned());
        let user = user.or_insert_with(|| User::new(role, now));
        user.role = role;
        user.revoked = None;
        user
    }

    /// Shuts a user out, also one that is not in the file because somebody else signs for them.
    pub fn revoke(&mut self, id: &str, role: UserRole, now: u64) {
        let user = self.0.entry(id.to_owned());
        user.or_insert_with(|| User::new(role, now)).revoke(now);
    }
}

/// Whether a text can be a user id: 1 to 128 bytes, no control characters.
#[must_use]
pub fn is_user_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && !id.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::super::user::Standing;
    use super::*;

    #[test]
    fn users_come_back_as_they_were_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/users.json");
        assert_eq!(Users::load(&path).unwrap(), Users::default());
        let mut users = Users::default();
        users.add("kiosk-1", UserRole::Kiosk, 100).signed_until = Some(900);
        users.revoke("mallory", UserRole::Plain, 200);
        users.save(&path).unwrap();
        assert_eq!(Users::load(&path).unwrap(), users);
    }

    #[test]
    fn a_revoked_user_comes_back_only_with_a_new_signature() {
        let mut users = Users::default();
        users.add("a", UserRole::Agent, 100);
        let standing = |users: &Users, signed| users.get("a").map(|user| user.standing(signed));
        assert_eq!(standing(&users, 100), Some(Standing::Good(UserRole::Agent)));
        users.revoke("a", UserRole::Plain, 200);
        assert_eq!(standing(&users, 300), Some(Standing::Revoked));
        users.add("a", UserRole::Kiosk, 300);
        assert_eq!(standing(&users, 200), Some(Standing::Revoked));
        assert_eq!(standing(&users, 201), Some(Standing::Good(UserRole::Kiosk)));
    }

    #[test]
    fn rubbish_is_named() {
        let reason = |text: &str| Users::parse(text).unwrap_err();
        assert!(reason("").contains("EOF"));
        assert!(reason(r#"{"version":2,"users":{}}"#).contains("version is 2"));
        assert!(
            reason(r#"{"version":1,"users":{"":{"role":"kiosk","added":1}}}"#)
                .contains("no user id")
        );
        assert!(
            reason(r#"{"version":1,"users":{"a":{"role":"boss","added":1}}}"#).contains("boss")
        );
    }
}
