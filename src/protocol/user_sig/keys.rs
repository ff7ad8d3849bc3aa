//! The keys that sign and verify a userSig, of the kinds that operators have: three of pairs for the first
//! form, a secret text for the second.

use p256::ecdsa::signature::{Signer, Verifier};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ring::hmac;
use ring::signature::{self, RsaKeyPair};
use secrecy::{ExposeSecret, SecretString};
use spki::der::Decode;

use super::error::UserSigError;

/// A private key that makes userSigs.
pub enum SigningKey {
    Rsa(RsaKeyPair),
    P256(p256::ecdsa::SigningKey),
    K256(k256::ecdsa::SigningKey),
    /// For the second form.
    Secret(SecretString),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa(_) => "SigningKey::Rsa([redacted])",
            Self::P256(_) => "SigningKey::P256([redacted])",
            Self::K256(_) => "SigningKey::K256([redacted])",
            Self::Secret(_) => "SigningKey::Secret([redacted])",
        })
    }
}

impl SigningKey {
    /// Reads a private key: the PEM of a pair's, or the text of a secret key as Tencent's console gives
    /// it out.
    ///
    /// # Errors
    /// [`UserSigError::BadPrivateKey`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, UserSigError> {
        let secret = text.trim();
        let is_secret = secret.len() >= SECRET && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_secret {
            return Ok(Self::Secret(secret.into()));
        }
        Self::from_pem(text)
    }

    /// Reads a PEM private key: PKCS#8, SEC1 (`EC PRIVATE KEY`, also behind the `EC PARAMETERS` that
    /// OpenSSL writes) or PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`UserSigError::BadPrivateKey`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, UserSigError> {
        let blocks = pem::parse_many(text).map_err(|_| UserSigError::BadPrivateKey)?;
        let pem = blocks.iter().find(|block| block.tag() != "EC PARAMETERS");
        let der = pem.ok_or(UserSigError::BadPrivateKey)?.contents();
        if let Some(key) = p256::SecretKey::from_pkcs8_der(der)
            .ok()
            .or_else(|| p256::SecretKey::from_sec1_der(der).ok())
        {
            return Ok(Self::P256(key.into()));
        }
        if let Some(key) = k256::SecretKey::from_pkcs8_der(der)
            .ok()
            .or_else(|| k256::SecretKey::from_sec1_der(der).ok())
        {
            return Ok(Self::K256(key.into()));
        }
        RsaKeyPair::from_pkcs8(der)
            .or_else(|_| RsaKeyPair::from_der(der))
            .map(Self::Rsa)
            .map_err(|_| UserSigError::BadPrivateKey)
    }

    /// Makes a P-256 key from 32 random bytes; `None` for the few values out of range.
    #[must_use]
    pub fn p256_from_bytes(random: &[u8; 32]) -> Option<Self> {
        p256::SecretKey::from_slice(random)
            .ok()
            .map(|key| Self::P256(key.into()))
    }

    /// Returns the key that verifies the signatures of this one.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        match self {
            Self::Rsa(key) => VerifyingKey::Rsa(key.public().as_ref().to_vec()),
            Self::P256(key) => VerifyingKey::P256(*key.verifying_key()),
            Self::K256(key) => VerifyingKey::K256(*key.verifying_key()),
            Self::Secret(key) => VerifyingKey::Secret(key.clone()),
        }
    }

    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, UserSigError> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let random = ring::rand::SystemRandom::new();
                key.sign(&signature::RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(|_| UserSigError::Signing)?;
                Ok(signature)
            }
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(text);
                Ok(signature.as_bytes().to_vec())
            }
            Self::K256(key) => {
                let signature: k256::ecdsa::DerSignature = key.sign(text);
                Ok(signature.as_bytes().to_vec())
            }
            Self::Secret(key) => Ok(hmac::sign(&hmac_key(key), text).as_ref().to_vec()),
        }
    }
}

/// A public key that verifies userSigs.
#[derive(Debug, Clone)]
pub enum VerifyingKey {
    /// DER of an `RSAPublicKey`.
    Rsa(Vec<u8>),
    P256(p256::ecdsa::VerifyingKey),
    K256(k256::ecdsa::VerifyingKey),
    /// For the second form, whose key signs too.
    Secret(SecretString),
}

/// Least length of a secret key; Tencent's have 64 hexadecimal digits.
const SECRET: usize = 32;

/// The key of the second form: the text itself, not what it may stand for.
fn hmac_key(secret: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes())
}

impl VerifyingKey {
    /// Reads a PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`UserSigError::BadPublicKey`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, UserSigError> {
        let pem = pem::parse(text).map_err(|_| UserSigError::BadPublicKey)?;
        let der = pem.contents();
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = k256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Ok(Self::K256(key));
        }
        let info =
            spki::SubjectPublicKeyInfoRef::from_der(der).map_err(|_| UserSigError::BadPublicKey)?;
        if info.algorithm.oid != RSA_ENCRYPTION {
            return Err(UserSigError::BadPublicKey);
        }
        info.subject_public_key
            .as_bytes()
            .map(|key| Self::Rsa(key.to_vec()))
            .ok_or(UserSigError::BadPublicKey)
    }

    pub(super) fn verify(&self, text: &[u8], signature: &[u8]) -> Result<(), UserSigError> {
        let valid = match self {
            Self::Secret(key) => hmac::verify(&hmac_key(key), text, signature).is_ok(),
            Self::Rsa(key) => {
                signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key)
                    .verify(text, signature)
                    .is_ok()
            }
            Self::P256(key) => p256::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify(text, &signature).is_ok()),
            Self::K256(key) => {
                k256::ecdsa::DerSignature::try_from(signature).is_ok_and(|signature| {
                    // OpenSSL does not normalise S, and k256 accepts only the lower half.
                    k256::ecdsa::Signature::try_from(signature)
                        .is_ok_and(|signature| key.verify(text, &signature.normalize_s()).is_ok())
                })
            }
        };
        if valid {
            Ok(())
        } else {
            Err(UserSigError::BadSignature)
        }
    }
}

/// PKCS#1 `rsaEncryption` (RFC 8017, appendix C).
const RSA_ENCRYPTION: spki::ObjectIdentifier =
    spki::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
