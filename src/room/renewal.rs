//! The renewal of our own userSig: before half of its life is over, the room server that signs for us is asked
//! for the next one, which is kept for the next start.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::kiosk::UserCredentials;
use crate::process::private_file;
use crate::protocol::answer::LoginInfo;
use crate::protocol::user_sig::{self, Claims};

/// Time between two looks whether it is time.
pub(super) const LOOK: Duration = Duration::from_secs(3600);

/// Least and greatest pause after a try that failed.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1800));

/// Longest file that is read as a userSig: some have a thousand bytes.
const MAX_FILE: u64 = 16 * 1024;

/// Content of a userSig, without a proof.
fn read(sig: &SecretString) -> Option<Claims> {
    user_sig::peek(sig.expose_secret()).ok()
}

/// The end of a userSig in unix seconds; `None` = it cannot be read.
pub(super) fn end(sig: &SecretString) -> Option<u64> {
    let claims = read(sig)?;
    Some(claims.time.saturating_add(claims.expire_after))
}

/// Whether half of a userSig's life is over at `now` (unix seconds).
pub(super) fn is_due(sig: &SecretString, now: u64) -> bool {
    read(sig).is_some_and(|claims| now >= claims.time + claims.expire_after / 2)
}

/// The renewed userSig, if it is one: for the same user of the same application, and good for longer.
pub(super) fn accept(
    old: &UserCredentials,
    answer: LoginInfo,
) -> Result<SecretString, &'static str> {
    let new = SecretString::from(answer.user_sig);
    let claims = read(&new).ok_or("it cannot be read")?;
    if claims.identifier != old.user_id || answer.user_id != old.user_id {
        Err("it is for another user")
    } else if claims.sdk_app_id != old.sdk_app_id {
        Err("it is for another application")
    } else if end(&new) <= end(&old.user_sig) {
        Err("it is good for no longer")
    } else {
        Ok(new)
    }
}

/// Our userSig: the one of the configuration, or the one that was kept where that is newer.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The file in the state directory; `None` = it is kept in memory alone.
    pub(super) file: Option<PathBuf>,
    newest: Option<SecretString>,
}

impl Kept {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let newest = file.as_deref().and_then(|path| {
            let short = std::fs::metadata(path).ok()?.len() <= MAX_FILE;
            let text = short
                .then(|| std::fs::read_to_string(path).ok())
                .flatten()?;
            Some(SecretString::from(text.trim()))
        });
        Self { file, newest }
    }

    /// Puts the kept userSig in the place of a configured one that was signed earlier.
    pub(super) fn apply(&self, credentials: &mut UserCredentials) {
        let Some(kept) = &self.newest else {
            return;
        };
        let (Some(kept_says), given) = (read(kept), read(&credentials.user_sig)) else {
            return;
        };
        let same = kept_says.identifier == credentials.user_id
            && kept_says.sdk_app_id == credentials.sdk_app_id;
        if same && given.is_none_or(|given| kept_says.time > given.time) {
            credentials.user_sig = kept.clone();
        }
    }

    /// Keeps a renewed userSig, for the next start too.
    pub(super) async fn keep(&mut self, sig: SecretString) {
        self.newest = Some(sig.clone());
        let Some(path) = self.file.clone() else {
            return;
        };
        let shown = path.display().to_string();
        let written = tokio::task::spawn_blocking(move || {
            private_file::write(&path, &format!("{}\n", sig.expose_secret()))
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::warn!(error:%; "the renewed userSig cannot be kept in {shown}"),
            Err(error) => log::error!("keeping the userSig ended badly: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::user_sig::{Form, SigningKey};

    const DAY: u64 = 86_400;

    fn sig(user: &str, time: u64, days: u64) -> SecretString {
        let claims = Claims {
            sdk_app_id: 1,
            account_type: "1".into(),
            identifier: user.into(),
            time,
            expire_after: days * DAY,
        };
        let key = SigningKey::p256_from_bytes(&[7; 32]).unwrap();
        user_sig::make(&key, &claims, Form::Node).unwrap().into()
    }

    fn credentials(user_sig: SecretString) -> UserCredentials {
        UserCredentials {
            sdk_app_id: 1,
            account_type: "1".into(),
            user_id: "k".into(),
            user_sig,
        }
    }

    fn answer(user: &str, sig: &SecretString) -> LoginInfo {
        LoginInfo {
            user_id: user.into(),
            user_sig: sig.expose_secret().to_owned(),
            ..LoginInfo::default()
        }
    }

    #[test]
    fn due_when_half_of_its_life_is_over() {
        let old = sig("k", 1000, 30);
        assert!(!is_due(&old, 1000 + 15 * DAY - 1));
        assert!(is_due(&old, 1000 + 15 * DAY));
        assert!(!is_due(&"rubbish".into(), u64::MAX));
    }

    #[test]
    fn only_a_better_one_of_our_own_is_taken() {
        let old = credentials(sig("k", 1000, 30));
        let accept = |user: &str, new: &SecretString| accept(&old, answer(user, new)).map(drop);
        assert_eq!(accept("k", &sig("k", 2000, 30)), Ok(()));
        assert_eq!(
            accept("k", &sig("eve", 2000, 30)),
            Err("it is for another user")
        );
        assert_eq!(
            accept("eve", &sig("k", 2000, 30)),
            Err("it is for another user")
        );
        assert_eq!(
            accept("k", &sig("k", 2000, 1)),
            Err("it is good for no longer")
        );
        assert_eq!(accept("k", &"rubbish".into()), Err("it cannot be read"));
    }

    #[tokio::test]
    async fn the_newest_one_counts_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/user_sig");
        let used = |kept: &Kept, given: SecretString| {
            let mut credentials = credentials(given);
            kept.apply(&mut credentials);
            end(&credentials.user_sig).unwrap()
        };
        let mut kept = Kept::new(Some(file.clone()));
        assert_eq!(used(&kept, sig("k", 1000, 30)), 1000 + 30 * DAY);
        kept.keep(sig("k", 5000, 30)).await;
        assert_eq!(used(&kept, sig("k", 1000, 30)), 5000 + 30 * DAY);
        let kept = Kept::new(Some(file.clone()));
        assert_eq!(used(&kept, sig("k", 1000, 30)), 5000 + 30 * DAY);
        // The operator gave a newer one by hand.
        assert_eq!(used(&kept, sig("k", 9000, 1)), 9000 + DAY);
        for rubbish in ["", "rubbish", &"x".repeat(20_000)] {
            std::fs::write(&file, rubbish).unwrap();
            let kept = Kept::new(Some(file.clone()));
            assert_eq!(used(&kept, sig("k", 1000, 30)), 1000 + 30 * DAY);
        }
        private_file::write(&file, sig("other", 9000, 30).expose_secret()).unwrap();
        let kept = Kept::new(Some(file));
        assert_eq!(
            used(&kept, sig("k", 1000, 30)),
            1000 + 30 * DAY,
            "another user's"
        );
    }
}
