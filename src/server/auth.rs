//! Proof of users: a userSig at login, then a token, one per user for all room types.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::clock::Now;
use crate::config::server::{Access, UserRole};
use crate::protocol::answer::LoginInfo;
use crate::protocol::user_sig::{self, Claims, Form, SigningKey, UserSigError, VerifyingKey};
use crate::server::users::{Directory, Standing, is_user_id};

/// Users that may be logged in at once; with more, the oldest login ends.
const MAX_SESSIONS: usize = 100_000;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The application that users log in to, and its keys.
#[derive(Debug)]
pub struct AuthSettings {
    pub sdk_app_id: u64,
    pub account_type: String,
    pub verifying_key: VerifyingKey,
    /// Signs identities: for anybody that asks where `access` is open, else only to renew those
    /// of users that the operator added. `None` = somebody else signs.
    pub signing_key: Option<SigningKey>,
    pub access: Access,
    pub users: Directory,
    /// Life of a userSig signed here.
    pub user_sig_life: Duration,
    /// Life of a token, from login.
    pub token_life: Duration,
}

/// The reason for which an identity is not accepted; code 7 on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AuthError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("sdkAppID must be {0}")]
    OtherApp(u64),
    #[error("userID must have 1 to 128 bytes and no control characters")]
    BadUserId,
    #[error("this user is revoked, or this userSig is older than the revocation")]
    Revoked,
    #[error(transparent)]
    UserSig(#[from] UserSigError),
    #[error("not logged in, or the login expired")]
    NotLoggedIn,
    #[error("the token differs: this user logged in again elsewhere")]
    OtherToken,
    #[error("userID in the query and in the body differ")]
    OtherUser,
    #[error("this server does not sign identities")]
    DoesNotSign,
    #[error("this identity is not signed for the asking")]
    Reserved,
    #[error("this server did not make this user, and does not sign for them")]
    NotOurs,
}

/// The names and the signature that a client presents at login.
#[derive(Debug, Clone, Copy)]
pub(super) struct Credentials<'a> {
    pub sdk_app_id: &'a str,
    pub user_id: &'a str,
    pub user_sig: &'a str,
}

/// Verifies logins and tokens.
#[derive(Debug)]
pub(super) struct Auth {
    settings: AuthSettings,
    sessions: Mutex<HashMap<String, Session>>,
}

/// A login.
struct Session {
    token: String,
    /// [`Now::steady`] when the token becomes void.
    expires: Duration,
    /// Time of the userSig, in unix seconds.
    signed: u64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session(expires {:?})", self.expires)
    }
}

impl Auth {
    #[must_use]
    pub(super) fn new(settings: AuthSettings) -> Self {
        Self {
            settings,
            sessions: Mutex::default(),
        }
    }

    /// Checks a userSig; answers what it says.
    ///
    /// # Errors
    /// The fault of the credentials.
    pub(super) fn verify(
        &self,
        credentials: Credentials<'_>,
        now: Now,
    ) -> Result<Claims, AuthError> {
        let app = self.settings.sdk_app_id;
        check_user_id(credentials.user_id)?;
        if credentials.sdk_app_id.trim().parse() != Ok(app) {
            return Err(AuthError::OtherApp(app));
        }
        let Credentials {
            user_id, user_sig, ..
        } = credentials;
        let key = &self.settings.verifying_key;
        let claims = user_sig::verify(key, user_sig, app, user_id, now.unix)?;
        match self.settings.users.standing(user_id, claims.time) {
            Standing::Good(_) => Ok(claims),
            Standing::Revoked => Err(AuthError::Revoked),
        }
    }

    /// The time for which what a userSig opened stays open: what is left of its own life, at most
    /// that of a token.
    pub(super) fn life(&self, claims: &Claims, now: Now) -> Duration {
        let end = claims.time.saturating_add(claims.expire_after);
        let left = Duration::from_secs(end.saturating_sub(now.unix));
        left.min(self.settings.token_life)
    }

    /// The role that a user has now.
    pub(super) fn role(&self, user: &str) -> UserRole {
        self.settings.users.role(user)
    }

    /// Looks whether the users changed; if so, ends the logins of those that are revoked. Answers
    /// whether they changed.
    pub(super) fn look(&self) -> bool {
        let changed = self.settings.users.look();
        if changed {
            self.sessions().retain(|user, session| {
                let stays = self.is_welcome(user, session.signed);
                if !stays {
                    log::warn!(user:%; "revoked: the login ends");
                }
                stays
            });
        }
        changed
    }

    /// Whether what a userSig of that time opened stays open.
    pub(super) fn is_welcome(&self, user: &str, signed: u64) -> bool {
        self.settings.users.standing(user, signed) != Standing::Revoked
    }

    /// Checks a userSig and opens a session, which ends the user's former one.
    /// Answers the token.
    ///
    /// # Errors
    /// The fault of the credentials.
    pub(super) fn login(
        &self,
        credentials: Credentials<'_>,
        now: Now,
    ) -> Result<String, AuthError> {
        let claims = self.verify(credentials, now)?;
        let token = hex::encode(rand::random::<[u8; TOKEN_BYTES]>());
        let session = Session {
            token: token.clone(),
            expires: now.steady + self.life(&claims, now),
            signed: claims.time,
        };
        let mut sessions = self.sessions();
        make_space(&mut sessions, now);
        sessions.insert(credentials.user_id.to_owned(), session);
        Ok(token)
    }

    /// Checks that `token` is the one of the user's last login.
    ///
    /// # Errors
    /// It is not, or it expired.
    pub(super) fn check(&self, user_id: &str, token: &str, now: Now) -> Result<(), AuthError> {
        let mut sessions = self.sessions();
        let session = sessions.get(user_id).ok_or(AuthError::NotLoggedIn)?;
        if session.expires <= now.steady {
            sessions.remove(user_id);
            return Err(AuthError::NotLoggedIn);
        }
        if bool::from(session.token.as_bytes().ct_eq(token.as_bytes())) {
            Ok(())
        } else {
            Err(AuthError::OtherToken)
        }
    }

    /// Ends the session of a user.
    pub(super) fn logout(&self, user_id: &str) {
        self.sessions().remove(user_id);
    }

    /// Signs an identity; an empty `user_id` gets an invented one.
    ///
    /// # Errors
    /// The server is not to sign, or cannot.
    pub(super) fn login_info(&self, user_id: &str, now: Now) -> Result<LoginInfo, AuthError> {
        if !self.is_open() {
            return Err(AuthError::DoesNotSign);
        }
        let user_id = if user_id.is_empty() {
            fresh_id("user")
        } else {
            check_user_id(user_id)?;
            user_id.to_owned()
        };
        self.sign(user_id, now)
    }

    /// Whether this user may have the userSig renewed here.
    pub(super) fn renews(&self, user_id: &str) -> bool {
        let signs = self.settings.signing_key.is_some();
        signs && (self.is_open() || self.settings.users.signs_for(user_id))
    }

    /// Signs the identity of a user that is logged in once more, for the time from now.
    ///
    /// # Errors
    /// Somebody else signs for this user.
    pub(super) fn renew(&self, user_id: &str, now: Now) -> Result<LoginInfo, AuthError> {
        if !self.renews(user_id) {
            return Err(AuthError::NotOurs);
        }
        self.sign(user_id.to_owned(), now)
    }

    fn sign(&self, user_id: String, now: Now) -> Result<LoginInfo, AuthError> {
        let settings = &self.settings;
        let key = settings.signing_key.as_ref();
        let key = key.ok_or(AuthError::DoesNotSign)?;
        let claims = Claims {
            sdk_app_id: settings.sdk_app_id,
            account_type: settings.account_type.clone(),
            identifier: user_id.clone(),
            time: now.unix,
            expire_after: settings.user_sig_life.as_secs(),
        };
        Ok(LoginInfo {
            user_id,
            sdk_app_id: settings.sdk_app_id,
            account_type: settings.account_type.clone(),
            user_sig: user_sig::make(key, &claims, Form::Node)?,
        })
    }

    /// Whether identities are given for the asking.
    #[must_use]
    pub(super) fn access(&self) -> Access {
        self.settings.access
    }

    /// Whether anybody may get an identity here.
    #[must_use]
    pub(super) fn is_open(&self) -> bool {
        self.settings.access == Access::Open
    }

    /// Users that are logged in, or whose login expired without anybody asking.
    #[must_use]
    pub(super) fn sessions_open(&self) -> usize {
        self.sessions().len()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // No change of the map can be left half done.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_user_id(user_id: &str) -> Result<(), AuthError> {
    if is_user_id(user_id) {
        Ok(())
    } else {
        Err(AuthError::BadUserId)
    }
}

/// Ends expired sessions, and the oldest if that is not enough, when there is no space.
fn make_space(sessions: &mut HashMap<String, Session>, now: Now) {
    if sessions.len() < MAX_SESSIONS {
        return;
    }
    sessions.retain(|_, session| session.expires > now.steady);
    if sessions.len() < MAX_SESSIONS {
        return;
    }
    let oldest = sessions.iter().min_by_key(|(_, session)| session.expires);
    if let Some(user) = oldest.map(|(user, _)| user.clone()) {
        log::warn!(user:% = user, limit = MAX_SESSIONS; "too many logins, ended the oldest");
        sessions.remove(&user);
    }
}

/// An id as the official servers invent them: prefix, 8 and 4 hex digits.
pub(super) fn fresh_id(prefix: &str) -> String {
    let (a, b): (u32, u16) = (rand::random(), rand::random());
    format!("{prefix}_{a:08x}_{b:04x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: u64 = 1_400_000_001;

    fn auth() -> Auth {
        let key = SigningKey::p256_from_bytes(&[7; 32]).unwrap();
        Auth::new(AuthSettings {
            sdk_app_id: APP,
            account_type: "1".into(),
            verifying_key: key.verifying_key(),
            signing_key: Some(key),
            access: Access::Open,
            users: Directory::default(),
            user_sig_life: Duration::from_secs(3600),
            token_life: Duration::from_secs(100),
        })
    }

    fn now(seconds: u64) -> Now {
        Now {
            steady: Duration::from_secs(seconds),
            unix: 1_700_000_000 + seconds,
        }
    }

    fn login(auth: &Auth, info: &LoginInfo, at: u64) -> Result<String, AuthError> {
        let credentials = Credentials {
            sdk_app_id: &APP.to_string(),
            user_id: &info.user_id,
            user_sig: &info.user_sig,
        };
        auth.login(credentials, now(at))
    }

    #[test]
    fn one_token_per_user_until_it_expires() {
        let auth = auth();
        let info = auth.login_info("alice", now(0)).unwrap();
        let first = login(&auth, &info, 0).unwrap();
        assert_eq!(first.len(), 2 * TOKEN_BYTES);
        assert_eq!(auth.check("alice", &first, now(1)), Ok(()));
        assert_eq!(
            auth.check("bob", &first, now(1)),
            Err(AuthError::NotLoggedIn)
        );
        let second = login(&auth, &info, 50).unwrap();
        assert_ne!(first, second);
        assert_eq!(
            auth.check("alice", &first, now(51)),
            Err(AuthError::OtherToken)
        );
        assert_eq!(auth.check("alice", "", now(51)), Err(AuthError::OtherToken));
        assert_eq!(auth.check("alice", &second, now(149)), Ok(()));
        assert_eq!(
            auth.check("alice", &second, now(150)),
            Err(AuthError::NotLoggedIn)
        );
        assert_eq!(auth.sessions_open(), 0);
        let third = login(&auth, &info, 200).unwrap();
        auth.logout("alice");
        assert_eq!(
            auth.check("alice", &third, now(201)),
            Err(AuthError::NotLoggedIn)
        );
    }

    #[test]
    fn refuses_what_was_not_signed_for_this_user_app_and_time() {
        let auth = auth();
        let info = auth.login_info("alice", now(0)).unwrap();
        let try_with = |app: &str, user: &str, sig: &str, at| {
            let credentials = Credentials {
                sdk_app_id: app,
                user_id: user,
                user_sig: sig,
            };
            auth.login(credentials, now(at)).unwrap_err()
        };
        let app = APP.to_string();
        let sig = info.user_sig.as_str();
        assert_eq!(try_with("1", "alice", sig, 0), AuthError::OtherApp(APP));
        assert_eq!(try_with("x", "alice", sig, 0), AuthError::OtherApp(APP));
        assert_eq!(try_with(&app, "", sig, 0), AuthError::BadUserId);
        assert_eq!(try_with(&app, "a\nb", sig, 0), AuthError::BadUserId);
        assert!(matches!(
            try_with(&app, "bob", sig, 0),
            AuthError::UserSig(UserSigError::OtherUser(_))
        ));
        assert!(matches!(
            try_with(&app, "alice", "garbage", 0),
            AuthError::UserSig(UserSigError::Malformed(_))
        ));
        assert_eq!(
            try_with(&app, "alice", sig, 3601),
            AuthError::UserSig(UserSigError::Expired(1))
        );
    }

    #[test]
    fn invents_an_identity_only_when_none_is_given() {
        let auth = auth();
        let invented = auth.login_info("", now(0)).unwrap().user_id;
        assert!(invented.starts_with("user_") && invented.len() == 18);
        assert_eq!(
            auth.login_info(&"x".repeat(129), now(0)),
            Err(AuthError::BadUserId)
        );
    }

    #[test]
    fn debug_output_has_no_tokens() {
        let auth = auth();
        let info = auth.login_info("alice", now(0)).unwrap();
        let token = login(&auth, &info, 0).unwrap();
        assert!(!format!("{auth:?}").contains(&token));
    }
}
