//! Key files: read, or made once and kept for the next start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use p256::pkcs8::{EncodePrivateKey, LineEnding};
use secrecy::SecretString;

use crate::process::private_file;
use crate::protocol::user_sig::{SigningKey, UserSigError, VerifyingKey};
use crate::server::users::UsersError;
use crate::tls::CertificateError;

/// Name of the file in the state directory that keeps the key of identities.
const USER_SIG_KEY: &str = "usersig-key.pem";
/// Names of those that keep the keys of stream URLs.
const PUSH_KEY: &str = "push-key";
const PLAY_KEY: &str = "play-key";

/// Largest key file in bytes: PEM files have some hundred, this leaves space for comments.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// The reason for which a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot keep a key in {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the key file {path} is larger than {MAX_KEY_FILE} bytes")]
    TooLong { path: PathBuf },
    #[error("the key file {path} is empty")]
    Empty { path: PathBuf },
    #[error("key file {path}: {source}")]
    Bad { path: PathBuf, source: UserSigError },
    #[error("cannot make a key")]
    Make,
    #[error(transparent)]
    Users(#[from] UsersError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Reads the private key in a PEM file.
pub(super) fn private(path: &Path) -> Result<SigningKey, KeyError> {
    SigningKey::from_text(&read(path)?).map_err(|source| bad(path, source))
}

/// Reads the public key in a PEM file.
pub(super) fn public(path: &Path) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_pem(&read(path)?).map_err(|source| bad(path, source))
}

/// A private key of our own making: the one kept in `dir`, else a new one.
pub(super) fn generated(dir: Option<&Path>) -> Result<SigningKey, KeyError> {
    let pem = kept(dir, USER_SIG_KEY, || {
        let key = loop {
            // All but a handful of 2^256 values are keys.
            if let Ok(key) = p256::SecretKey::from_slice(&rand::random::<[u8; 32]>()) {
                break key;
            }
        };
        let pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| KeyError::Make)?;
        Ok(pem.as_str().to_owned())
    })?;
    let path = dir.unwrap_or(Path::new("")).join(USER_SIG_KEY);
    SigningKey::from_pem(&pem).map_err(|source| bad(&path, source))
}

/// The key that signs the URLs to push: the one kept in `dir`, else a new one.
pub(super) fn push_key(dir: Option<&Path>) -> Result<SecretString, KeyError> {
    stream_key(dir, PUSH_KEY)
}

/// The key that signs the URLs to play, as [`push_key`].
pub(super) fn play_key(dir: Option<&Path>) -> Result<SecretString, KeyError> {
    stream_key(dir, PLAY_KEY)
}

fn stream_key(dir: Option<&Path>, name: &str) -> Result<SecretString, KeyError> {
    let key = kept(dir, name, || Ok(hex::encode(rand::random::<[u8; 16]>())))?;
    Ok(key.trim().into())
}

/// The files of keys that are kept in `dir`.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    [USER_SIG_KEY, PUSH_KEY, PLAY_KEY]
        .map(|name| dir.join(name))
        .into()
}

/// The text kept under `name`, which is made if there is none.
fn kept(
    dir: Option<&Path>,
    name: &str,
    make: impl FnOnce() -> Result<String, KeyError>,
) -> Result<String, KeyError> {
    let Some(dir) = dir else {
        return make();
    };
    let path = dir.join(name);
    match read(&path) {
        Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        kept => return kept,
    }
    let text = make()?;
    private_file::write(&path, &text).map_err(|source| KeyError::Write {
        path: path.clone(),
        source,
    })?;
    log::info!(path:? = path; "made a key");
    Ok(text)
}

fn read(path: &Path) -> Result<String, KeyError> {
    let error = |source| KeyError::Read {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(error)?.len() > MAX_KEY_FILE {
        let path = path.to_owned();
        return Err(KeyError::TooLong { path });
    }
    let text = fs::read_to_string(path).map_err(error)?;
    if text.trim().is_empty() {
        let path = path.to_owned();
        return Err(KeyError::Empty { path });
    }
    Ok(text)
}

fn bad(path: &Path, source: UserSigError) -> KeyError {
    let path = path.to_owned();
    KeyError::Bad { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn made_keys_are_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        let first = push_key(Some(&dir)).unwrap();
        let again = push_key(Some(&dir)).unwrap();
        assert_eq!(first.expose_secret(), again.expose_secret());
        let other = push_key(None).unwrap();
        assert_ne!(first.expose_secret(), other.expose_secret());

        let public = |key: &SigningKey| match key.verifying_key() {
            VerifyingKey::P256(key) => key.to_sec1_bytes(),
            other => panic!("{other:?}"),
        };
        let first = public(&generated(Some(&dir)).unwrap());
        assert_eq!(first, public(&generated(Some(&dir)).unwrap()));
        assert_ne!(first, public(&generated(None).unwrap()));
        for name in [PUSH_KEY, USER_SIG_KEY] {
            let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn bad_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let text = |error: KeyError| error.to_string();
        assert!(text(private(&path).unwrap_err()).contains("key.pem"));
        fs::write(&path, "").unwrap();
        assert!(text(private(&path).unwrap_err()).contains("is empty"));
        fs::write(&path, "hello").unwrap();
        assert!(text(private(&path).unwrap_err()).contains("neither a PEM private key"));
        assert!(text(public(&path).unwrap_err()).contains("not a PEM public key"));
        fs::write(&path, vec![b'a'; 70_000]).unwrap();
        assert!(text(public(&path).unwrap_err()).contains("larger than"));
    }
}
