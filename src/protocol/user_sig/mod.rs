//! userSig, Tencent's TLS signature in both published forms: the signed statement "this application
//! vouches for this user until then", which room servers and the message service accept as a
//! login.
//!
//! Six lines are signed (SHA-256 with ECDSA or RSA PKCS#1 v1.5), packed as JSON, deflated
//! and written in a base64 that needs no escaping in a query.

mod error;
mod keys;
mod statement;

pub use error::UserSigError;
pub use keys::{SigningKey, VerifyingKey};
pub use statement::{Claims, DEFAULT_VALID_SECONDS, Form, make, peek, verify};

#[cfg(test)]
mod tests;
