//! The userSig of a kiosk that does not ask the room server for one: from a file, or signed here.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::error::RoomError;
use crate::protocol::user_sig::{self, Claims, Form, SigningKey};

/// Reads a userSig that somebody else renews.
pub(super) async fn read(path: &Path) -> Result<SecretString, RoomError> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(text.trim().into()),
        Err(source) => Err(RoomError::UserSigFile {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A userSig of ours; the key is in memory only while it signs.
pub(super) async fn sign(
    path: &Path,
    claims: &Claims,
    form: Form,
) -> Result<SecretString, RoomError> {
    let failed = |reason: String| RoomError::PrivateKey {
        path: path.to_owned(),
        reason,
    };
    let pem = tokio::fs::read_to_string(path).await;
    let pem = SecretString::from(pem.map_err(|error| failed(error.to_string()))?);
    let key = SigningKey::from_text(pem.expose_secret());
    let signed = key.and_then(|key| user_sig::make(&key, claims, form));
    let signed = signed.map_err(|error| failed(error.to_string()))?;
    Ok(signed.into())
}
