//! Reasons for which a key or a userSig cannot be used.

/// The reason for which a key or a userSig cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserSigError {
    #[error(
        "the key is neither a PEM private key of RSA (2048 bits or more), P-256 or secp256k1, nor a secret key of 32 or more letters and digits"
    )]
    BadPrivateKey,
    #[error("the key is not a PEM public key of RSA, P-256 or secp256k1")]
    BadPublicKey,
    #[error("the text could not be signed")]
    Signing,
    #[error("the userSig cannot be decoded: {0}")]
    Malformed(&'static str),
    #[error("the userSig is for sdkAppID {0}")]
    OtherApp(String),
    #[error("the userSig is for user {0}")]
    OtherUser(String),
    #[error("the userSig expired {0} s ago")]
    Expired(u64),
    #[error("the userSig is not yet valid: it was made {0} s in the future")]
    NotYetValid(u64),
    #[error("the signature of the userSig is wrong")]
    BadSignature,
}
